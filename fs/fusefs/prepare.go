package fusefs

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Prepare makes this process fit to serve a mount, and must run before Mount, after every relative path has been made absolute: it leaves the
// working directory (a core file or a look-up there might reach our own mount), takes no bits from modes we are told to use, and may
// open as many files as the system lets it.
func Prepare() error {
	if err := os.Chdir("/"); err != nil {
		return fmt.Errorf("leave the working directory: %w", err)
	}
	unix.Umask(0)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read the limit of open files: %w", err)
	}
	limit.Cur = limit.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("raise the limit of open files: %w", err)
	}
	return nil
}
