package fstest

import "syscall"

var userCases = []testCase{
	{"modes are obeyed", "pjdfstest open", func(c *C) {
		c.needUsers()
		c.ok(c.Mkdir("d", 0711))
		c.file("d/f", []byte("x"))
		c.ok(c.Lchown("d/f", 1001, 1002))
		c.ok(c.Chmod("d/f", 0640))
		c.ok(c.as(1001, writes("d/f")))
		c.ok(c.as(1002, reads("d/f")))
		c.is(c.as(1002, writes("d/f")), syscall.EACCES)
		c.is(c.as(1003, reads("d/f")), syscall.EACCES)
		c.is(c.as(1001, reads("d")), syscall.EACCES)
		c.is(c.as(1001, opens("d/g", syscall.O_CREAT|rdwr)), syscall.EACCES)
		c.ok(c.Chmod("d", 0700))
		c.is(c.as(1001, reads("d/f")), syscall.EACCES)
	}},
	{"sticky directories", "pjdfstest unlink/11, rename/09", func(c *C) {
		c.needUsers()
		c.ok(c.Mkdir("d", 0777))
		c.ok(c.Chmod("d", 01777))
		for _, name := range []string{"d/a", "d/b"} {
			c.ok(c.as(1001, opens(name, syscall.O_CREAT|rdwr)))
		}
		c.is(c.as(1002, func(c *C) error { return c.Unlink("d/a") }), syscall.EPERM)
		c.is(c.as(1002, func(c *C) error { return c.Rename("d/a", "d/c", 0) }), syscall.EPERM)
		c.ok(c.as(1002, opens("d/mine", syscall.O_CREAT|rdwr)))
		c.is(c.as(1002, func(c *C) error { return c.Rename("d/mine", "d/a", 0) }), syscall.EPERM)
		c.ok(c.as(1001, func(c *C) error { return c.Rename("d/a", "d/b", 0) }))
		c.ok(c.as(1001, func(c *C) error { return c.Unlink("d/b") }))
		c.ok(c.Chmod("d", 0777))
		c.ok(c.as(1001, func(c *C) error { return c.Unlink("d/mine") }))
	}},
	{"set-user-id goes with a write", "pjdfstest chmod/12, xfstests generic/683", func(c *C) {
		c.needUsers()
		c.file("f", pattern(1, 8192))
		c.ok(c.Lchown("f", 1001, 1001))
		for what, change := range map[string]func(f File) error{
			"write":    func(f File) error { _, err := f.WriteAt([]byte("y"), 0); return err },
			"truncate": func(f File) error { return f.Truncate(0) },
			"allocate": func(f File) error { return f.Fallocate(0, 0, 100) },
			"punch":    func(f File) error { return f.Fallocate(punchHole|keepSize, 0, 10) },
		} {
			c.ok(c.Chmod("f", 06777))
			c.ok(c.as(1001, opened("f", rdwr, change)))
			if got := c.stat("f").Mode & 07777; got != 0777 {
				c.Fatalf("mode is %o after %s by somebody else", got, what)
			}
			c.ok(c.Chmod("f", 06777))
			f := c.open("f", rdwr)
			c.ok(change(f))
			if got := c.stat("f").Mode & 07777; got != 06777 {
				c.Fatalf("mode is %o after %s by root", got, what)
			}
		}
	}},
	{"chmod and chown by users", "pjdfstest chmod/07, chown/07", func(c *C) {
		c.needUsers()
		c.file("f", nil)
		c.ok(c.Lchown("f", 1001, 1002))
		chmod := func(mode uint32) func(c *C) error { return func(c *C) error { return c.Chmod("f", mode) } }
		c.is(c.as(1002, chmod(0777)), syscall.EPERM)
		c.ok(c.as(1001, chmod(02775))) // not in the group: the bit is dropped
		c.equal(c.stat("f").Mode&07777, uint32(0775), "mode")
		c.is(c.as(1001, func(c *C) error { return c.Lchown("f", 1002, -1) }), syscall.EPERM)
		c.is(c.as(1001, func(c *C) error { return c.Lchown("f", -1, 1003) }), syscall.EPERM)
		c.ok(c.as(1001, func(c *C) error { return c.Lchown("f", -1, 1001) }))
	}},
	{"attributes by users", "xfstests generic/062, attr", func(c *C) {
		c.needUsers()
		c.file("f", nil)
		c.ok(c.Lchown("f", 1001, 1001))
		c.ok(c.Chmod("f", 0644))
		set := func(name string) func(c *C) error {
			return func(c *C) error { return c.Setxattr("f", name, []byte("x"), 0) }
		}
		c.feature("user attributes", c.as(1001, set("user.a")))
		c.is(c.as(1002, set("user.a")), syscall.EACCES)
		c.is(c.as(1001, func(c *C) error { return c.Setxattr("f", "security.capability", []byte("x"), 0) }), syscall.EPERM, syscall.EINVAL)
		c.ok(c.Mkdir("sticky", 0777))
		c.ok(c.Chmod("sticky", 01777))
		c.is(c.as(1002, func(c *C) error { return c.Setxattr("sticky", "user.a", []byte("x"), 0) }), syscall.EPERM)
		c.ok(c.Symlink("f", "l"))
		c.ok(c.Mknod("p", syscall.S_IFIFO|0666, 0))
		for _, path := range []string{"l", "p"} {
			c.is(c.Setxattr(path, "user.a", []byte("x"), 0), syscall.EPERM)
		}
	}},
	{"ownership of what is made", "pjdfstest mkdir, open", func(c *C) {
		c.needUsers()
		c.ok(c.Mkdir("d", 0777))
		c.ok(c.Mkdir("g", 0777))
		c.ok(c.Lchown("g", 0, 1234))
		c.ok(c.Chmod("g", 02777))
		for dir, gid := range map[string]uint32{"d": 1001, "g": 1234} {
			c.ok(c.as(1001, opens(dir+"/f", syscall.O_CREAT|rdwr)))
			c.ok(c.as(1001, func(c *C) error { return c.Mkdir(dir+"/s", 0755) }))
			for _, name := range []string{"/f", "/s"} {
				s := c.stat(dir + name)
				c.equal([2]uint32{s.UID, s.GID}, [2]uint32{1001, gid}, "owner of "+dir+name)
			}
		}
		c.equal(c.stat("g/s").Mode&07777, uint32(02755), "mode of a directory in a set-group-id directory")
	}},
}
