package fstest

import (
	"fmt"
	"syscall"
)

const (
	noReplace = 1
	exchange  = 2
	whiteout  = 4
)

var renameCases = []testCase{
	{"kinds against kinds", "pjdfstest rename", renameMatrix},
	{"the same file", "pjdfstest rename", func(c *C) {
		c.file("a", []byte("x"))
		c.ok(c.Link("a", "b"))
		c.ok(c.Rename("a", "b", 0))
		c.equal(c.stat("a").Nlink, uint64(2), "nlink: both names stay")
		c.ok(c.Rename("a", "a", 0))
		c.holds("a", []byte("x"))
	}},
	{"a directory below itself", "pjdfstest rename", func(c *C) {
		c.ok(c.Mkdir("d", 0755))
		c.ok(c.Mkdir("d/e", 0755))
		c.is(c.Rename("d", "d/x", 0), syscall.EINVAL)
		c.is(c.Rename("d", "d/e/x", 0), syscall.EINVAL)
		c.is(c.Rename("d/e", "d", 0), syscall.ENOTEMPTY, syscall.EEXIST)
		c.ok(c.Rename("d/e", "e", 0))
		c.ok(c.Rename("d", "e/d", 0))
	}},
	{"missing ends", "pjdfstest rename", func(c *C) {
		c.is(c.Rename("absent", "b", 0), syscall.ENOENT)
		c.file("a", nil)
		c.is(c.Rename("a", "absent/b", 0), syscall.ENOENT)
		c.is(c.Rename("a", "a/b", 0), syscall.ENOTDIR)
	}},
	{"replaced file lives while it is open", "pjdfstest rename", func(c *C) {
		c.file("a", []byte("new"))
		c.file("b", []byte("old"))
		b := c.open("b", rdwr)
		c.ok(c.Rename("a", "b", 0))
		c.holds("b", []byte("new"))
		c.same(c.read(b, 0, 10), []byte("old"), "the open file")
		c.equal(c.fstat(b).Nlink, uint64(0), "its nlink")
		c.write(b, []byte("OLD!"), 0)
		c.same(c.read(b, 0, 10), []byte("OLD!"), "the open file")
		c.holds("b", []byte("new"))
	}},
	{"times", "pjdfstest rename", func(c *C) {
		c.ok(c.Mkdir("d", 0755))
		c.ok(c.Mkdir("e", 0755))
		c.file("d/a", nil)
		before := c.stat("d/a")
		c.ok(c.Utimes("d", past, past))
		c.ok(c.Utimes("e", past, past))
		c.ok(c.Rename("d/a", "e/b", 0))
		if s := c.stat("d"); !s.Mtime.After(past) {
			c.Fatalf("mtime of the old parent is %v", s.Mtime)
		}
		if s := c.stat("e"); !s.Mtime.After(past) {
			c.Fatalf("mtime of the new parent is %v", s.Mtime)
		}
		s := c.stat("e/b")
		c.equal(s.Mtime, before.Mtime, "mtime of the file")
		if s.Ctime.Before(before.Ctime) {
			c.Fatalf("ctime went back from %v to %v", before.Ctime, s.Ctime)
		}
	}},
	{"NOREPLACE", "xfstests generic/024", func(c *C) {
		c.file("a", []byte("a"))
		c.file("b", []byte("b"))
		c.is(c.Rename("a", "b", noReplace), syscall.EEXIST)
		c.is(c.Rename("a", "a", noReplace), syscall.EEXIST)
		c.ok(c.Rename("a", "c", noReplace))
		c.absent("a")
		c.holds("c", []byte("a"))
	}},
	{"EXCHANGE", "xfstests generic/025", func(c *C) {
		c.file("a", []byte("a"))
		c.ok(c.Mkdir("d", 0755))
		c.ok(c.Mkdir("d/s", 0755))
		c.file("d/s/f", []byte("f"))
		c.is(c.Rename("a", "absent", exchange), syscall.ENOENT)
		c.ok(c.Rename("a", "d/s", exchange))
		c.holds("d/s", []byte("a"))
		c.holds("a/f", []byte("f"))
		c.equal(c.stat("d").Nlink, uint64(2), "nlink of the parent that lost a directory")
		c.ok(c.Rename("a", "d/s", exchange))
		c.holds("d/s/f", []byte("f"))
		c.ok(c.Mkdir("e", 0700))
		c.ok(c.Rename("e", "d", exchange))
		c.holds("e/s/f", []byte("f"))
	}},
	{"EXCHANGE with a child", "xfstests generic/025", func(c *C) {
		c.ok(c.Mkdir("d", 0755))
		c.ok(c.Mkdir("d/s", 0755))
		c.is(c.Rename("d", "d/s", exchange), syscall.EINVAL)
		c.is(c.Rename("d/s", "d", exchange), syscall.EINVAL, syscall.ENOTEMPTY)
	}},
	{"WHITEOUT", "xfstests generic/078", func(c *C) {
		c.file("a", []byte("a"))
		c.file("b", []byte("b"))
		c.feature("whiteouts", c.Rename("a", "b", whiteout))
		c.holds("b", []byte("a"))
		s := c.stat("a")
		c.equal(s.Mode&ifmt, uint32(syscall.S_IFCHR), "kind")
		c.equal(s.Rdev, uint64(0), "device number")
	}},
	{"unknown flags", "xfstests generic/023", func(c *C) {
		c.file("a", nil)
		c.file("b", nil)
		c.is(c.Rename("a", "b", noReplace|exchange), syscall.EINVAL)
		c.is(c.Rename("a", "b", 1<<20), syscall.EINVAL)
	}},
	{"parent of a moved directory", "xfstests generic/309", func(c *C) {
		c.ok(c.Mkdir("d", 0755))
		c.ok(c.Mkdir("d/s", 0755))
		c.ok(c.Mkdir("e", 0755))
		c.ok(c.Rename("d/s", "e/s", 0))
		s := c.open("e/s", rdonly|syscall.O_DIRECTORY)
		for _, e := range c.list(s) {
			if e.Name == ".." {
				c.equal(e.Inode, c.stat("e").Inode, "inode of ..")
				return
			}
		}
		c.Fatal("no .. in the directory")
	}},
	{"replacing under load", "xfstests generic/309", func(c *C) {
		for i := range 200 {
			want := fmt.Appendf(nil, "version %d", i)
			c.file("tmp", want)
			c.ok(c.Rename("tmp", "file", 0))
			c.holds("file", want)
		}
		c.absent("tmp")
	}},
}

// renameMatrix renames every kind over every other and over nothing.
func renameMatrix(c *C) {
	kinds := []string{"file", "dir", "full", "link", "fifo", "none"}
	for _, from := range kinds[:5] {
		for _, to := range kinds {
			c.ok(c.Mkdir("m", 0755))
			make1(c, from, "m/from")
			make1(c, to, "m/to")
			err := c.Rename("m/from", "m/to", 0)
			isDir, ontoDir := from == "dir" || from == "full", to == "dir" || to == "full"
			switch {
			case to == "none" || isDir == ontoDir && to != "full":
				if err != nil {
					c.Fatalf("%s over %s: %v", from, to, err)
				}
				c.absent("m/from")
				c.stat("m/to")
			case !isDir:
				c.is(err, syscall.EISDIR)
			case !ontoDir:
				c.is(err, syscall.ENOTDIR)
			default:
				c.is(err, syscall.ENOTEMPTY, syscall.EEXIST)
			}
			wipe(c, "m/from")
			wipe(c, "m/to")
			c.equal(c.stat("m").Nlink, uint64(2), "nlink of the parent")
			c.ok(c.Rmdir("m"))
		}
	}
}

func make1(c *C, kind, path string) {
	c.Helper()
	switch kind {
	case "file":
		c.file(path, []byte(path))
	case "dir":
		c.ok(c.Mkdir(path, 0755))
	case "full":
		c.ok(c.Mkdir(path, 0755))
		c.file(path+"/x", nil)
	case "link":
		c.ok(c.Symlink("target", path))
	case "fifo":
		c.ok(c.Mknod(path, syscall.S_IFIFO|0644, 0))
	}
}

func wipe(c *C, path string) {
	c.Helper()
	s, err := c.Lstat(path)
	if err == syscall.ENOENT {
		return
	}
	c.ok(err)
	if s.Mode&ifmt == syscall.S_IFDIR {
		wipe(c, path+"/x")
		c.ok(c.Rmdir(path))
		return
	}
	c.ok(c.Unlink(path))
}
