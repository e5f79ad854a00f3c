package fs

import (
	"time"

	"golang.org/x/sys/unix"
)

// now is the time that inodes are stamped with: the kernel's coarse clock, some milliseconds behind the fine one, because that is what the kernel
// itself stamps files with while its writeback cache owns their times. With the fine clock a file's ctime would go back when the kernel takes
// over, and of two files the later could be the older: make(1) looks at that.
func now() stamp {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &ts); err != nil {
		return stampOf(time.Now())
	}
	return stampOf(time.Unix(ts.Unix()))
}
