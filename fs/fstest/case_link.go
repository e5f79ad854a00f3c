package fstest

import (
	"fmt"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

var linkCases = []testCase{
	{"hard links", "pjdfstest link", func(c *C) {
		c.file("a", []byte("x"))
		for i := range 20 {
			c.ok(c.Link("a", fmt.Sprintf("l%d", i)))
		}
		c.equal(c.stat("a").Nlink, uint64(21), "nlink")
		c.equal(c.stat("l7").Inode, c.stat("a").Inode, "inode")
		c.file("l3", []byte("through a link"))
		c.holds("a", []byte("through a link"))
		c.ok(c.Unlink("a"))
		c.equal(c.stat("l0").Nlink, uint64(20), "nlink")
		c.holds("l19", []byte("through a link"))
		c.is(c.Link("l0", "l1"), syscall.EEXIST)
		c.is(c.Link("absent", "x"), syscall.ENOENT)
	}},
	{"no hard links to directories", "pjdfstest link", func(c *C) {
		c.ok(c.Mkdir("d", 0755))
		c.is(c.Link("d", "e"), syscall.EPERM)
	}},
	{"hard links to every kind", "pjdfstest link", func(c *C) {
		for _, kind := range []string{"file", "link", "fifo"} {
			make1(c, kind, kind)
			c.ok(c.Link(kind, kind+"2"))
			c.equal(c.stat(kind+"2").Nlink, uint64(2), "nlink")
			c.equal(c.stat(kind+"2").Mode, c.stat(kind).Mode, "mode")
		}
	}},
	{"ctime of a link", "pjdfstest link, unlink", func(c *C) {
		c.file("a", nil)
		t0 := c.stat("a").Ctime
		c.tick()
		c.ok(c.Link("a", "b"))
		t1 := c.stat("a").Ctime
		c.tick()
		c.ok(c.Unlink("b"))
		t2 := c.stat("a").Ctime
		if !t1.After(t0) || !t2.After(t1) {
			c.Fatalf("ctime %v, after link %v, after unlink %v", t0, t1, t2)
		}
	}},
	{"symlinks", "pjdfstest symlink", func(c *C) {
		for _, target := range []string{"x", "/absolute/path", "..", strings.Repeat("t", 1000), strings.Repeat("t", 4095), "\x01\xff"} {
			c.ok(c.Symlink(target, "l"))
			got, err := c.Readlink("l")
			c.ok(err)
			c.equal(got, target, "target")
			s := c.stat("l")
			c.equal(s.Size, uint64(len(target)), "size")
			c.equal(s.Mode, uint32(syscall.S_IFLNK|0777), "mode")
			c.is(c.Symlink("y", "l"), syscall.EEXIST)
			c.ok(c.Unlink("l"))
		}
		c.is(c.Symlink("", "l"), syscall.ENOENT)
		c.is(c.Symlink(strings.Repeat("t", 4096), "l"), syscall.ENAMETOOLONG)
	}},
	{"readlink of no symlink", "pjdfstest symlink", func(c *C) {
		c.file("f", nil)
		_, err := c.Readlink("f")
		c.is(err, syscall.EINVAL)
	}},
	{"unlinked files live while they are open", "pjdfstest unlink/14, xfstests generic/035", func(c *C) {
		a := c.create("a")
		b := c.open("a", rdwr)
		want := pattern(1, 300<<10)
		c.write(a, want[:100<<10], 0)
		c.ok(c.Unlink("a"))
		c.equal(c.fstat(a).Nlink, uint64(0), "nlink")
		c.write(a, want[100<<10:], 100<<10)
		c.same(c.read(b, 0, 1<<20), want, "through the other descriptor")
		c.ok(a.Sync())
		c.same(c.read(b, 0, 1<<20), want, "after fsync")
		c.file("a", []byte("another"))
		c.holds("a", []byte("another"))
		c.ok(a.Truncate(5))
		c.same(c.read(b, 0, 1<<20), want[:5], "truncated")
	}},
	{"O_TMPFILE", "xfstests generic/004", func(c *C) {
		f, err := c.Open(".", unix.O_TMPFILE|rdwr, 0600)
		c.feature("O_TMPFILE", err)
		defer f.Close()
		c.write(f, []byte("tmp"), 0)
		c.equal(c.fstat(f).Nlink, uint64(0), "nlink")
		c.ok(f.LinkAt("named"))
		c.equal(c.stat("named").Nlink, uint64(1), "nlink")
		c.holds("named", []byte("tmp"))
		c.ok(c.Unlink("named"))
		c.is(f.LinkAt("again"), syscall.ENOENT)
	}},
}
