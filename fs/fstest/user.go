package fstest

import (
	"fmt"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// needUsers skips where nobody else can be.
func (c *C) needUsers() {
	c.Helper()
	c.inKernel("who may do what")
	c.needRoot()
}

// as runs fn with the file access of another user, who is in the group of the same number only. What it gets is the same directory by way of a descriptor,
// so that it does not matter who may enter those above. fn must not fail the test: its goroutine is another.
func (c *C) as(id int, fn func(c *C) error) error {
	c.Helper()
	fd, err := unix.Open(c.Path(), unix.O_PATH|unix.O_CLOEXEC, 0)
	c.ok(err)
	defer unix.Close(fd)
	groups, err := unix.Getgroups()
	c.ok(err)
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err := become(id, []int{})
		if err == nil {
			err = fn(&C{c.T, dir{fmt.Sprint("/proc/self/fd/", fd), c.Plain()}})
		}
		if bad := become(0, groups); bad != nil {
			panic(bad) // the thread would go on as somebody else
		}
		runtime.UnlockOSThread()
		done <- err
	}()
	return <-done
}

// become changes the thread's file access, and with it the capabilities that go beyond it: setfsuid(2), capabilities(7).
func become(id int, groups []int) error {
	list := make([]uint32, len(groups)+1) // never empty: its address is needed
	for i, g := range groups {
		list[i] = uint32(g)
	}
	if _, _, e := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), uintptr(unsafe.Pointer(&list[0])), 0); e != 0 {
		return e
	}
	_ = unix.Setfsgid(id)
	_ = unix.Setfsuid(id)
	if got, _ := unix.SetfsuidRetUid(-1); got != id {
		return syscall.ENOTRECOVERABLE
	}
	return nil
}

// opens is for as: opens a file.
func opens(path string, flags int) func(c *C) error {
	return opened(path, flags, func(File) error { return nil })
}

// opened is for as: opens a file and does something with it.
func opened(path string, flags int, do func(f File) error) func(c *C) error {
	return func(c *C) error {
		f, err := c.Open(path, flags, 0666)
		if err != nil {
			return err
		}
		defer f.Close()
		return do(f)
	}
}

func reads(path string) func(c *C) error  { return opens(path, rdonly) }
func writes(path string) func(c *C) error { return opens(path, syscall.O_WRONLY) }
