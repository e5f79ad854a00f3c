package fstest

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// Locks are the kernel's, who keeps them for the one machine that has the filesystem mounted. The cases show that nothing of ours stands in the way.
var lockCases = []testCase{
	{"flock", "LTP flock01-06", func(c *C) {
		c.inKernel("locking")
		a, b := c.twice("f")
		c.ok(unix.Flock(a, unix.LOCK_EX|unix.LOCK_NB))
		c.is(unix.Flock(b, unix.LOCK_SH|unix.LOCK_NB), syscall.EWOULDBLOCK)
		c.ok(unix.Flock(a, unix.LOCK_SH|unix.LOCK_NB))
		c.ok(unix.Flock(b, unix.LOCK_SH|unix.LOCK_NB))
		c.is(unix.Flock(b, unix.LOCK_EX|unix.LOCK_NB), syscall.EWOULDBLOCK)
		c.ok(unix.Flock(a, unix.LOCK_UN))
		c.ok(unix.Flock(b, unix.LOCK_EX|unix.LOCK_NB))
	}},
	{"open file description locks", "xfstests generic/478", func(c *C) {
		c.inKernel("locking")
		a, b := c.twice("f")
		c.ok(ofd(a, unix.F_WRLCK, 0, 10))
		c.is(ofd(b, unix.F_RDLCK, 9, 1), syscall.EAGAIN)
		c.ok(ofd(b, unix.F_WRLCK, 10, 10))
		c.is(ofd(a, unix.F_RDLCK, 0, 0), syscall.EAGAIN)
		c.ok(ofd(a, unix.F_UNLCK, 0, 10))
		c.ok(ofd(b, unix.F_WRLCK, 0, 0))
	}},
	{"record locks end with any close", "LTP fcntl14-36", func(c *C) {
		c.inKernel("locking")
		a, b := c.twice("f")
		lock := unix.Flock_t{Type: unix.F_WRLCK, Start: 5, Len: 5}
		c.ok(unix.FcntlFlock(uintptr(a), unix.F_SETLK, &lock))
		c.ok(unix.FcntlFlock(uintptr(b), unix.F_SETLK, &lock)) // of one process: never a conflict
		third := c.open("f", rdwr).(*descriptor)
		held := unix.Flock_t{Type: unix.F_WRLCK, Start: 0, Len: 0}
		c.ok(unix.FcntlFlock(uintptr(third.fd), unix.F_OFD_GETLK, &held)) // what others have, seen through a description of its own
		c.equal([2]int64{held.Start, held.Len}, [2]int64{5, 5}, "the lock")
		c.ok(third.Close())
		fourth := c.open("f", rdwr).(*descriptor)
		c.ok(ofd(fourth.fd, unix.F_WRLCK, 0, 0))
	}},
}

// twice opens a file, made for it, two times.
func (c *C) twice(path string) (a, b int) {
	c.Helper()
	c.file(path, []byte("0123456789"))
	return c.open(path, rdwr).(*descriptor).fd, c.open(path, rdwr).(*descriptor).fd
}

func ofd(fd int, kind int16, start, length int64) error {
	return unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &unix.Flock_t{Type: kind, Start: start, Len: length})
}
