package seal

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Harden makes this process write no core dump and refuse to be traced by other processes of the same user. Call it before the
// first key is made. The error tells what could not be done: worth a line in the log, no reason to stop.
//
// It costs: from now on /proc/self belongs to root (see PR_SET_DUMPABLE in prctl(2)), so for a plain user other processes cannot
// read /proc/PID/exe, fd or environ of this one, and this one can neither read its own environ there nor write its
// oom_score_adj. What it may still do is read its own exe, fd, maps and mountinfo, start fusermount3, and mount. A program it starts is dumpable again, with RLIMIT_CORE
// still 0.
func Harden() error {
	var errs []error
	// Stops core dumps of every kind, also those piped to a collector, which do not ask for RLIMIT_CORE.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		errs = append(errs, fmt.Errorf("refuse core dumps and tracing: %w", err))
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		errs = append(errs, fmt.Errorf("set limit of core dumps to 0: %w", err))
	}
	return errors.Join(errs...)
}
