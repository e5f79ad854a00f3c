package exercise

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"dfsmount/integration/harness"
)

// look describes what a path names, as far as two trees with the same history agree: not the inode's number, not the size of a directory, and a
// modification time only if it was set to the past: then it has to stay, and else it has to be lost.
func look(path string) string {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return err.Error()
	}
	return describe(&st)
}

func describe(st *unix.Stat_t) string {
	size := fmt.Sprint(st.Size)
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		size = "-"
	}
	links := uint64(st.Nlink)
	return fmt.Sprintf("mode %o, links %d, owner %d:%d, device %d, size %s, modified %s", st.Mode, links, st.Uid, st.Gid, st.Rdev, size, modified(st))
}

// longAgo is before any test, and after any time that one sets.
var longAgo = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

func modified(st *unix.Stat_t) string {
	if at := time.Unix(st.Mtim.Unix()); at.Before(longAgo) {
		return at.UTC().Format(time.RFC3339Nano)
	}
	return "now"
}

// listing is all that can be seen of a tree, a line per name: what look tells, which names are the same inode, targets, attributes, contents.
func listing(root string) ([]byte, error) {
	var out bytes.Buffer
	first := map[uint64]string{} // name by inode
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		name := path[len(root)+1:]
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return fmt.Errorf("stat %s: %w", path, err)
		}
		text, err := inside(path, &st)
		if err != nil {
			return err
		}
		if first[st.Ino] == "" {
			first[st.Ino] = name
		}
		fmt.Fprintf(&out, "%q: %s, as %q%s\n", name, describe(&st), first[st.Ino], text)
		return nil
	})
	return out.Bytes(), err
}

// inside tells what stat does not.
func inside(path string, st *unix.Stat_t) (text string, err error) {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFLNK:
		target, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		text = fmt.Sprintf(", to %q", target)
	case unix.S_IFREG:
		b, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		text = fmt.Sprintf(", content %x", sha256.Sum256(b))
	}
	attrs, err := harness.Xattrs(path)
	if err != nil {
		return "", err
	}
	for _, k := range slices.Sorted(maps.Keys(attrs)) {
		text += fmt.Sprintf(", %s=%q", k, attrs[k])
	}
	return text, nil
}
