package fstest

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
)

var namespaceCases = []testCase{
	{"create and unlink", "pjdfstest unlink", func(c *C) {
		c.file("a", nil)
		s := c.stat("a")
		c.equal(s.Mode, uint32(syscall.S_IFREG|0644), "mode")
		c.equal(s.Nlink, uint64(1), "nlink")
		c.ok(c.Unlink("a"))
		c.absent("a")
		c.is(c.Unlink("a"), syscall.ENOENT)
	}},
	{"mkdir and rmdir", "pjdfstest mkdir, rmdir", func(c *C) {
		c.ok(c.Mkdir("d", 0750))
		c.equal(c.stat("d").Mode, uint32(syscall.S_IFDIR|0750), "mode")
		c.is(c.Mkdir("d", 0755), syscall.EEXIST)
		c.file("d/f", nil)
		c.is(c.Rmdir("d"), syscall.ENOTEMPTY, syscall.EEXIST)
		c.ok(c.Unlink("d/f"))
		c.ok(c.Rmdir("d"))
		c.absent("d")
		c.is(c.Rmdir("d"), syscall.ENOENT)
	}},
	{"wrong kinds", "pjdfstest unlink, rmdir", func(c *C) {
		c.ok(c.Mkdir("d", 0755))
		c.file("f", nil)
		c.is(c.Unlink("d"), syscall.EISDIR, syscall.EPERM)
		c.is(c.Rmdir("f"), syscall.ENOTDIR)
		c.is(c.Mkdir("f/x", 0755), syscall.ENOTDIR)
		_, err := c.Lstat("f/x")
		c.is(err, syscall.ENOTDIR)
		_, err = c.Lstat("absent/x")
		c.is(err, syscall.ENOENT)
		c.is(c.Mkdir("absent/x", 0755), syscall.ENOENT)
	}},
	{"directory link counts", "xfstests auto", func(c *C) {
		c.ok(c.Mkdir("d", 0755))
		c.equal(c.stat("d").Nlink, uint64(2), "nlink")
		for i := range 3 {
			c.ok(c.Mkdir(fmt.Sprintf("d/%d", i), 0755))
		}
		c.file("d/f", nil)
		c.equal(c.stat("d").Nlink, uint64(5), "nlink")
		c.ok(c.Rmdir("d/1"))
		c.equal(c.stat("d").Nlink, uint64(4), "nlink")
		c.ok(c.Mkdir("e", 0755))
		c.ok(c.Rename("d/0", "e/0", 0))
		c.equal(c.stat("d").Nlink, uint64(3), "nlink of the old parent")
		c.equal(c.stat("e").Nlink, uint64(3), "nlink of the new parent")
	}},
	{"longest names", "pjdfstest NAME_MAX", func(c *C) {
		long, longer := strings.Repeat("n", 255), strings.Repeat("n", 256)
		c.file(long, []byte("x"))
		c.ok(c.Mkdir("d", 0755))
		c.ok(c.Rename(long, "d/"+long, 0))
		c.holds("d/"+long, []byte("x"))
		c.is(c.Mkdir(longer, 0755), syscall.ENAMETOOLONG)
		c.is(c.Rename("d/"+long, longer, 0), syscall.ENAMETOOLONG)
		c.is(c.Link("d/"+long, longer), syscall.ENAMETOOLONG)
		c.is(c.Symlink("x", longer), syscall.ENAMETOOLONG)
		_, err := c.Lstat(longer)
		c.is(err, syscall.ENAMETOOLONG)
	}},
	{"longest paths", "pjdfstest PATH_MAX", func(c *C) {
		c.inKernel("the length of a path")
		name, path := strings.Repeat("p", 100), ""
		for range 3 {
			path = filepath.Join(path, name)
			c.ok(c.Mkdir(path, 0755))
		}
		full := filepath.Join(c.Path(), path) + "/"
		full += strings.Repeat("/", 4095-len(full)) // with the NUL: PATH_MAX
		var st syscall.Stat_t
		c.ok(syscall.Lstat(full, &st))
		c.is(syscall.Lstat(full+"/", &st), syscall.ENAMETOOLONG)
		c.is(syscall.Mkdir(full+"/x", 0755), syscall.ENAMETOOLONG)
	}},
	{"any bytes in names", "xfstests auto", func(c *C) {
		for i := 1; i < 256; i++ {
			if b := byte(i); b != '/' && b != '.' {
				name := string([]byte{b})
				c.file(name, []byte(name))
			}
		}
		for i := 1; i < 256; i++ {
			if b := byte(i); b != '/' && b != '.' {
				c.holds(string([]byte{b}), []byte{b})
			}
		}
	}},
	{"times of a directory", "pjdfstest mkdir, unlink", func(c *C) {
		c.ok(c.Mkdir("d", 0755))
		for _, change := range []func(){
			func() { c.file("d/a", nil) },
			func() { c.ok(c.Link("d/a", "d/b")) },
			func() { c.ok(c.Rename("d/b", "d/c", 0)) },
			func() { c.ok(c.Unlink("d/c")) },
			func() { c.ok(c.Mkdir("d/s", 0755)) },
			func() { c.ok(c.Rmdir("d/s")) },
			func() { c.ok(c.Symlink("x", "d/l")) },
		} {
			c.ok(c.Utimes("d", past, past))
			change()
			s := c.stat("d")
			if !s.Mtime.After(past) || !s.Ctime.After(past) {
				c.Fatalf("mtime %v, ctime %v after a change", s.Mtime, s.Ctime)
			}
		}
	}},
	{"removed directory", "pjdfstest rmdir", func(c *C) {
		c.ok(c.Mkdir("d", 0755))
		d := c.open("d", rdonly|syscall.O_DIRECTORY)
		c.ok(c.Rmdir("d"))
		c.equal(c.fstat(d).Nlink, uint64(0), "nlink")
		list, err := d.Entries(0)
		if err != nil {
			c.is(err, syscall.ENOENT)
		}
		c.equal(len(list), 0, "number of entries")
	}},
	{"deep tree", "xfstests auto", func(c *C) {
		path := "d"
		for range 60 {
			c.ok(c.Mkdir(path, 0755))
			path += "/d"
		}
		c.file(path, []byte("deep"))
		c.holds(path, []byte("deep"))
	}},
	{"device nodes, fifos and sockets", "pjdfstest mknod", func(c *C) {
		for _, k := range []struct {
			kind uint32
			dev  int
		}{{syscall.S_IFCHR, 0x103}, {syscall.S_IFBLK, 0xfff0ff}, {syscall.S_IFIFO, 0}, {syscall.S_IFSOCK, 0}, {syscall.S_IFREG, 0}} {
			name := fmt.Sprintf("n%o", k.kind)
			c.ok(c.Mknod(name, k.kind|0640, k.dev))
			s := c.stat(name)
			c.equal(s.Mode, k.kind|0640, "mode")
			c.equal(s.Rdev, uint64(k.dev), "device number")
			c.is(c.Mknod(name, k.kind|0640, k.dev), syscall.EEXIST)
			c.ok(c.Unlink(name))
		}
	}},
	{"inode numbers are not used again", "xfstests auto", func(c *C) {
		if c.Plain() {
			c.Skip("this directory's filesystem may use a number again")
		}
		seen := map[uint64]bool{}
		for range 100 {
			c.file("a", nil)
			id := c.stat("a").Inode
			if seen[id] {
				c.Fatalf("inode %d was there before", id)
			}
			seen[id] = true
			c.ok(c.Unlink("a"))
		}
	}},
	{"statfs", "xfstests quota", func(c *C) {
		s, err := c.Statfs()
		c.ok(err)
		if s.Blocks == 0 || s.Free > s.Blocks || s.Files < s.FilesFree || s.BlockSize <= 0 {
			c.Fatalf("%+v", s)
		}
		c.equal(s.NameMax, int64(255), "longest name")
	}},
}
