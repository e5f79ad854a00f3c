package fusefs

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"golang.org/x/sys/unix"
)

// mountPoint makes dir absolute and sees that a filesystem can be mounted there: an existing, empty directory that is no mount. A mount of ours
// whose process died is detached first; it answers ENOTCONN to everything and would hide the new one's directory from a plain umount.
func mountPoint(dir string, log *slog.Logger) (string, error) {
	mounts, err := readMounts()
	if err != nil {
		return "", err
	}
	dir, err = resolve(dir, mounts)
	if err != nil {
		return "", err
	}
	for m := mountAt(dir, mounts); m != nil; m = mountAt(dir, mounts) {
		if err := detachDead(m, log); err != nil {
			return "", err
		}
		if mounts, err = readMounts(); err != nil {
			return "", err
		}
	}
	return dir, checkEmpty(dir)
}

// detachDead removes m if it is a mount of ours without a process.
func detachDead(m *MountInfo, log *slog.Logger) error {
	if m.Type != Type {
		return fmt.Errorf("%s is a mount point already (type %s, from %s)", m.Dir, m.Type, m.Source)
	}
	// Not stat(2) or a listing: the kernel answers those from its cache long after the process has died. It always asks for statfs(2).
	var st unix.Statfs_t
	if err := unix.Statfs(m.Dir, &st); !errors.Is(err, unix.ENOTCONN) {
		return fmt.Errorf("%s is mounted already (from %s)", m.Dir, m.Source)
	}
	log.Warn("detaching a mount whose process is gone", "dir", m.Dir, "source", m.Source)
	return Unmount(m.Dir, true)
}

func checkEmpty(dir string) error {
	f, err := os.Open(dir)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s does not exist", dir)
	}
	if err != nil {
		return fmt.Errorf("open mount point: %w", err)
	}
	defer f.Close()
	_, err = f.Readdirnames(1)
	switch {
	case errors.Is(err, unix.ENOTDIR):
		return fmt.Errorf("%s is not a directory", dir)
	case err == nil:
		return fmt.Errorf("%s is not empty", dir)
	case errors.Is(err, io.EOF):
		return nil
	}
	return fmt.Errorf("list mount point: %w", err)
}
