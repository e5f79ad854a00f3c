package fstest

import (
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// past is a time that no filesystem was written at.
var past = time.Unix(1e9, 123456789)

// tick waits until anything is stamped later than all was so far. Whoever stamps looks at the kernel's coarse clock; the kernel itself may be ahead of
// that, but never of the fine one.
func (c *C) tick() {
	t0 := time.Now()
	for coarse := (unix.Timespec{}); !time.Unix(coarse.Unix()).After(t0); {
		runtime.Gosched()
		c.ok(unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &coarse))
	}
	c.file("tick", nil)
	for !c.stat("tick").Ctime.After(t0) { // its stamps may be coarser still
		runtime.Gosched()
		c.ok(c.Chmod("tick", 0600))
	}
	c.ok(c.Unlink("tick"))
}

var attrCases = []testCase{
	{"modes", "pjdfstest chmod", func(c *C) {
		c.file("f", nil)
		c.ok(c.Mkdir("d", 0755))
		for _, mode := range []uint32{0, 0111, 0644, 0777, 01777, 02755, 04755, 07777} {
			c.ok(c.Chmod("f", mode))
			c.equal(c.stat("f").Mode, syscall.S_IFREG|mode, "mode")
			c.ok(c.Chmod("d", mode))
			c.equal(c.stat("d").Mode, syscall.S_IFDIR|mode, "mode")
		}
	}},
	{"owners", "pjdfstest chown", func(c *C) {
		c.needRoot()
		c.file("f", nil)
		c.ok(c.Symlink("f", "l"))
		c.ok(c.Lchown("f", 1234, 4321))
		s := c.stat("f")
		c.equal([2]uint32{s.UID, s.GID}, [2]uint32{1234, 4321}, "owner")
		c.ok(c.Lchown("f", -1, 7))
		c.ok(c.Lchown("f", 1<<31, -1))
		s = c.stat("f")
		c.equal([2]uint32{s.UID, s.GID}, [2]uint32{1 << 31, 7}, "owner")
		c.ok(c.Lchown("l", 5, 6))
		c.equal(c.stat("l").UID, uint32(5), "owner of the link")
		c.equal(c.stat("f").GID, uint32(7), "group of its target")
	}},
	{"chown clears setuid and setgid", "pjdfstest chown", func(c *C) {
		c.needRoot()
		c.file("f", nil)
		c.ok(c.Chmod("f", 06755))
		c.ok(c.Lchown("f", 1, 1))
		c.equal(c.stat("f").Mode, uint32(syscall.S_IFREG|0755), "mode")
		c.ok(c.Chmod("f", 02644))
		c.ok(c.Lchown("f", 2, 2))
		c.equal(c.stat("f").Mode, uint32(syscall.S_IFREG|02644), "mode: setgid without group execution is no privilege")
		c.ok(c.Mkdir("d", 0755))
		c.ok(c.Chmod("d", 06755))
		c.ok(c.Lchown("d", 1, 1))
		c.equal(c.stat("d").Mode, uint32(syscall.S_IFDIR|06755), "mode of a directory")
	}},
	{"setgid directories", "pjdfstest mkdir, open", func(c *C) {
		c.needRoot()
		c.ok(c.Mkdir("d", 0755))
		c.ok(c.Lchown("d", 0, 55))
		c.ok(c.Chmod("d", 02755))
		c.file("d/f", nil)
		c.ok(c.Mkdir("d/s", 0700))
		c.equal(c.stat("d/f").GID, uint32(55), "group of a file")
		c.equal(c.stat("d/f").Mode&syscall.S_ISGID, uint32(0), "setgid of a file")
		s := c.stat("d/s")
		c.equal(s.GID, uint32(55), "group of a directory")
		c.equal(s.Mode, uint32(syscall.S_IFDIR|02700), "mode of a directory")
	}},
	{"times", "pjdfstest utimensat", func(c *C) {
		c.file("f", nil)
		c.ok(c.Mkdir("d", 0755))
		c.ok(c.Symlink("x", "l"))
		for _, name := range []string{"f", "d", "l"} {
			for _, t := range []time.Time{
				past, time.Unix(0, 0), time.Unix(0, 1), time.Unix(-1, 999999999), time.Unix(-1<<31+100, 5), time.Unix(1<<31, 6), time.Unix(1<<32+7, 999999999),
			} {
				c.ok(c.Utimes(name, t, t.Add(time.Second)))
				s := c.stat(name)
				if !s.Atime.Equal(t) || !s.Mtime.Equal(t.Add(time.Second)) {
					c.Fatalf("%s: atime %v, mtime %v, set to %v and a second more", name, s.Atime, s.Mtime, t)
				}
			}
		}
	}},
	{"far times", "pjdfstest utimensat", func(c *C) {
		if c.Plain() {
			c.Skip("this directory's filesystem may end its time in 2446")
		}
		c.file("f", nil)
		for _, sec := range []int64{-1 << 36, 1 << 36} {
			c.ok(c.Utimes("f", time.Unix(sec, 1), time.Unix(sec, 2)))
			s := c.stat("f")
			c.equal([2]int64{s.Atime.Unix(), s.Mtime.Unix()}, [2]int64{sec, sec}, "seconds")
		}
	}},
	{"ctime", "pjdfstest chmod, chown, utimensat", func(c *C) {
		c.needRoot()
		f := c.create("f")
		for what, change := range map[string]func(){
			"chmod":    func() { c.ok(c.Chmod("f", 0600)) },
			"chown":    func() { c.ok(c.Lchown("f", 0, 3)) },
			"utimes":   func() { c.ok(c.Utimes("f", past, past)) },
			"write":    func() { c.write(f, []byte("x"), 0); c.ok(f.Sync()) },
			"truncate": func() { c.ok(f.Truncate(10)) },
			"xattr":    func() { c.feature("user attributes", c.Setxattr("f", "user.a", []byte("x"), 0)) },
			"rename":   func() { c.ok(c.Rename("f", "g", 0)); c.ok(c.Rename("g", "f", 0)) },
		} {
			t0 := c.stat("f").Ctime
			c.tick()
			change()
			if t1 := c.stat("f").Ctime; !t1.After(t0) {
				c.Fatalf("ctime did not move by %s", what)
			}
		}
	}},
	{"mtime", "pjdfstest ftruncate, xfstests rw", func(c *C) {
		f := c.create("f")
		c.write(f, []byte("abc"), 0)
		c.ok(f.Sync())
		for what, change := range map[string]func(){
			"write":            func() { c.write(f, []byte("x"), 0); c.ok(f.Sync()) },
			"truncate":         func() { c.ok(f.Truncate(10)) },
			"truncate to same": func() { c.ok(f.Truncate(int64(c.fstat(f).Size))) },
		} {
			c.ok(c.Utimes("f", past, past))
			change()
			if t := c.stat("f").Mtime; !t.After(past) {
				c.Fatalf("mtime did not move by %s", what)
			}
		}
		c.ok(c.Utimes("f", past, past))
		c.ok(c.Chmod("f", 0600))
		if t := c.stat("f").Mtime; !t.Equal(past) {
			c.Fatalf("mtime moved to %v by chmod", t)
		}
	}},
	{"explicit times survive dirty data", "xfstests generic/", func(c *C) {
		f := c.create("f")
		c.write(f, pattern(1, 10000), 0)
		c.ok(c.Utimes("f", past, past))
		c.ok(f.Sync())
		if t := c.stat("f").Mtime; !t.Equal(past) {
			c.Fatalf("mtime is %v", t)
		}
	}},
	{"size and blocks", "xfstests auto", func(c *C) {
		f := c.create("f")
		c.write(f, pattern(1, 1<<20), 0)
		c.equal(c.fstat(f).Size, uint64(1<<20), "size before fsync")
		c.ok(f.Sync())
		s := c.fstat(f)
		c.equal(s.Size, uint64(1<<20), "size")
		if s.Blocks < 2048 || s.Blocks > 2200 {
			c.Fatalf("%d blocks", s.Blocks)
		}
	}},
	{"birth", "xfstests generic/528", func(c *C) {
		before := time.Now()
		c.tick() // what is made now is stamped later than before
		c.file("f", nil)
		c.ok(c.Mkdir("d", 0755))
		c.ok(c.Symlink("x", "l"))
		for _, name := range []string{"f", "d", "l"} {
			born, err := c.Btime(name)
			c.feature("birth times", err)
			if born.Before(before) || born.After(time.Now()) {
				c.Fatalf("%s was born %v, not between %v and now", name, born, before)
			}
			c.ok(c.Utimes(name, past, past))
			c.ok(c.Rename(name, "new"+name, 0))
			again, err := c.Btime("new" + name)
			c.ok(err)
			c.equal(again.Equal(born), true, "the time of birth stays")
		}
		f := c.open("newf", rdwr)
		c.write(f, []byte("x"), 0)
		born, err := c.Btime("newf")
		c.ok(err)
		c.ok(f.Sync())
		again, err := c.Btime("newf")
		c.ok(err)
		c.equal(again.Equal(born), true, "the time of birth stays")
	}},
	{"of what is not there", "pjdfstest", func(c *C) {
		c.is(c.Chmod("absent", 0644), syscall.ENOENT)
		c.is(c.Lchown("absent", 0, 0), syscall.ENOENT)
		c.is(c.Utimes("absent", past, past), syscall.ENOENT)
	}},
}

func (c *C) needRoot() {
	if c.Path() != "" && syscall.Geteuid() != 0 {
		c.Skip("only root may change owners")
	}
}
