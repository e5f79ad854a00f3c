package fstest

import (
	"fmt"
	"syscall"
)

// list reads a whole directory.
func (c *C) list(d File) (all []Entry) {
	c.Helper()
	return c.listFrom(d, 0)
}

func (c *C) listFrom(d File, cookie uint64) (all []Entry) {
	c.Helper()
	for {
		l, err := d.Entries(cookie)
		c.ok(err)
		if len(l) == 0 {
			return all
		}
		all = append(all, l...)
		cookie = l[len(l)-1].Cookie
	}
}

// names is how often each name is there, without dot and dot-dot.
func names(l []Entry) map[string]int {
	m := map[string]int{}
	for _, e := range l {
		if e.Name != "." && e.Name != ".." {
			m[e.Name]++
		}
	}
	return m
}

func (c *C) openDir(path string) File {
	c.Helper()
	return c.open(path, rdonly|syscall.O_DIRECTORY)
}

// many makes a directory of n files.
func (c *C) many(n int) File {
	c.Helper()
	c.ok(c.Mkdir("d", 0755))
	for i := range n {
		c.file(fmt.Sprintf("d/%04d", i), nil)
	}
	return c.openDir("d")
}

// once fails unless every name of want, and nothing else, is there exactly once.
func (c *C) once(l []Entry, want func(i int) bool, n int) {
	c.Helper()
	got := names(l)
	for i := range n {
		name := fmt.Sprintf("%04d", i)
		if want(i) && got[name] != 1 {
			c.Fatalf("%s is there %d times", name, got[name])
		}
		if got[name] > 1 {
			c.Fatalf("%s is there %d times", name, got[name])
		}
	}
}

var readdirCases = []testCase{
	{"kinds and inodes", "xfstests dir", func(c *C) {
		c.ok(c.Mkdir("d", 0755))
		for _, kind := range []string{"file", "dir", "link", "fifo"} {
			make1(c, kind, "d/"+kind)
		}
		d := c.openDir("d")
		l := c.list(d)
		c.equal(len(l), 6, "number of entries")
		for _, e := range l {
			switch e.Name {
			case ".":
				c.equal(e.Inode, c.stat("d").Inode, "inode of .")
			case "..":
				c.equal(e.Type, uint32(syscall.S_IFDIR), "type of ..")
			default:
				s := c.stat("d/" + e.Name)
				c.equal(e.Inode, s.Inode, "inode of "+e.Name)
				c.equal(e.Type, s.Mode&ifmt, "type of "+e.Name)
			}
		}
	}},
	{"an empty directory", "xfstests dir", func(c *C) {
		c.ok(c.Mkdir("d", 0755))
		l := c.list(c.openDir("d"))
		c.equal(len(l), 2, "number of entries")
	}},
	{"every name once", "xfstests dir", func(c *C) {
		d := c.many(1000)
		l := c.list(d)
		c.equal(len(l), 1002, "number of entries")
		c.once(l, func(int) bool { return true }, 1000)
	}},
	{"cookies lead back", "xfstests generic/257", func(c *C) {
		d := c.many(300)
		l := c.list(d)
		for i := 0; i < len(l); i += 7 {
			rest := c.listFrom(d, l[i].Cookie)
			c.equal(len(rest), len(l)-i-1, "entries behind a position")
			if len(rest) > 0 {
				c.equal(rest[0].Name, l[i+1].Name, "the next name")
			}
		}
	}},
	{"cookies survive deletion", "pjdfstest, xfstests generic/257", func(c *C) {
		d := c.many(400)
		l := c.list(d)
		for i := range 400 {
			if i%2 == 0 {
				c.ok(c.Unlink(fmt.Sprintf("d/%04d", i)))
			}
		}
		for at := 0; at < len(l); at += 13 {
			want := map[string]bool{}
			for _, e := range l[at+1:] {
				if (e.Name[len(e.Name)-1]-'0')%2 == 1 {
					want[e.Name] = true
				}
			}
			// What was deleted may still be listed, says POSIX, until rewinddir: the kernel's cache of a FUSE directory does.
			got := names(c.listFrom(d, l[at].Cookie))
			for name := range want {
				c.equal(got[name], 1, name)
			}
		}
	}},
	{"deleting while listing", "xfstests generic/637, rm -r", func(c *C) {
		d := c.many(500)
		var cookie uint64
		deleted := 0
		for {
			l, err := d.Entries(cookie)
			c.ok(err)
			if len(l) == 0 {
				break
			}
			for name := range names(l) {
				c.ok(c.Unlink("d/" + name))
				deleted++
			}
			cookie = l[len(l)-1].Cookie
		}
		c.equal(deleted, 500, "deleted")
		c.ok(c.Rmdir("d"))
	}},
	{"creating while listing", "xfstests generic/637", func(c *C) {
		d := c.many(300)
		var all []Entry
		var cookie uint64
		for n := 0; ; n++ {
			l, err := d.Entries(cookie)
			c.ok(err)
			if len(l) == 0 {
				break
			}
			all = append(all, l...)
			cookie = l[len(l)-1].Cookie
			for j := range 5 {
				c.file(fmt.Sprintf("d/new %d %d", n, j), nil)
			}
			if n > 1000 {
				c.Fatal("the list has no end")
			}
		}
		c.once(all, func(int) bool { return true }, 300)
	}},
	{"renaming while listing", "xfstests generic/736", func(c *C) {
		d := c.many(300)
		var all []Entry
		var cookie uint64
		for n := 0; ; n++ {
			l, err := d.Entries(cookie)
			c.ok(err)
			if len(l) == 0 {
				break
			}
			all = append(all, l...)
			cookie = l[len(l)-1].Cookie
			from := fmt.Sprintf("d/%04d", 2*n)
			if n < 150 {
				c.ok(c.Rename(from, from+"x", 0))
			}
		}
		c.once(all, func(i int) bool { return i%2 == 1 }, 300)
	}},
}
