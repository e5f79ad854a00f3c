package dirnode

import (
	"errors"
	"fmt"
	"os"
	"path"
	"syscall"

	"dfsmount/node"

	"golang.org/x/sys/unix"
)

// publisher gives a file in one directory a name in another, or fails with EEXIST if that is taken; never replaces. The names are single
// path elements, so nothing but the two open directories is reached.
type publisher func(fromDir int, from string, toDir int, to string) error

func link(fromDir int, from string, toDir int, to string) error {
	return unix.Linkat(fromDir, from, toDir, to, 0)
}

func renameNoReplace(fromDir int, from string, toDir int, to string) error {
	return unix.Renameat2(fromDir, from, toDir, to, unix.RENAME_NOREPLACE)
}

// errTaken says that the name to publish under is taken.
var errTaken = errors.New("name is taken")

// publish gives tmp its name below root. errTaken if the name is taken. Not durable.
func (h *host) publish(tmp *temp, root *os.Root, name string) error {
	dir, err := root.Open(path.Dir(name))
	if err != nil {
		return classify(err)
	}
	defer dir.Close()
	for _, p := range h.publishers {
		err = ignoreEINTR(func() error { return p(int(tmp.dir.Fd()), tmp.name, int(dir.Fd()), path.Base(name)) })
		if !unsupported(err) {
			break
		}
	}
	switch {
	case err == nil:
		return nil
	case err == syscall.EEXIST:
		return errTaken
	case unsupported(err):
		return fmt.Errorf("publish: this filesystem can neither link nor rename without replacing: %w: %w", node.ErrPermanent, err)
	default:
		return classify(fmt.Errorf("publish: %w", err))
	}
}

// unsupported tells the errors by which filesystems say that they have no such operation: EPERM from link(2) on FAT, EINVAL
// from renameat2(2) with a flag, the others from FUSE and network filesystems.
func unsupported(err error) bool {
	for _, e := range []syscall.Errno{syscall.EPERM, syscall.EOPNOTSUPP, syscall.ENOSYS, syscall.EINVAL} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
