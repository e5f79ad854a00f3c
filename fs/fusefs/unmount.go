package fusefs

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrBusy: something still uses the mount (an open file, a working directory).
var ErrBusy = errors.New("the mount is in use")

// Unmount detaches what is mounted on dir, which must be the mount point itself. The kernel writes its dirty pages to the serving process
// first; that process makes them durable after this returned. A lazy unmount takes the mount out of the tree at once and ends it when its last
// user has gone; it works on dead mounts.
func Unmount(dir string, lazy bool) error {
	if os.Geteuid() == 0 {
		return unmountDirect(dir, lazy)
	}
	return unmountHelper(dir, lazy)
}

func unmountDirect(dir string, lazy bool) error {
	flags := unix.UMOUNT_NOFOLLOW
	if lazy {
		flags |= unix.MNT_DETACH
	}
	err := unix.Unmount(dir, flags)
	if errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("unmount %s: %w", dir, ErrBusy)
	}
	if err != nil {
		return fmt.Errorf("unmount %s: %w", dir, err)
	}
	return nil
}

func unmountHelper(dir string, lazy bool) error {
	helper, err := findHelper()
	if err != nil {
		return err
	}
	args := []string{"-u", "--", dir}
	if lazy {
		args = []string{"-u", "-z", "--", dir}
	}
	out, err := exec.Command(helper, args...).CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil && strings.HasSuffix(text, "Device or resource busy") {
		return fmt.Errorf("unmount %s: %w", dir, ErrBusy)
	}
	if err != nil {
		return fmt.Errorf("unmount %s: %s: %w", dir, text, err)
	}
	return nil
}
