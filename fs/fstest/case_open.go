package fstest

import (
	"fmt"
	"sync"
	"syscall"
)

var openCases = []testCase{
	{"O_EXCL", "pjdfstest open", func(c *C) {
		c.file("a", []byte("x"))
		_, err := c.Open("a", syscall.O_CREAT|syscall.O_EXCL|rdwr, 0644)
		c.is(err, syscall.EEXIST)
		c.ok(c.Symlink("absent", "l"))
		_, err = c.Open("l", syscall.O_CREAT|syscall.O_EXCL|rdwr, 0644)
		c.is(err, syscall.EEXIST)
		f, err := c.Open("a", syscall.O_CREAT|rdwr, 0600)
		c.ok(err)
		defer f.Close()
		c.same(c.read(f, 0, 10), []byte("x"), "an existing file opened with O_CREAT")
		c.equal(c.fstat(f).Mode, uint32(syscall.S_IFREG|0644), "mode")
	}},
	{"one winner of O_EXCL", "pjdfstest open", func(c *C) {
		for i := range 20 {
			var wins sync.Map
			var g sync.WaitGroup
			for w := range 4 {
				g.Go(func() {
					f, err := c.Open(fmt.Sprint("x", i), syscall.O_CREAT|syscall.O_EXCL|rdwr, 0644)
					if err == nil {
						wins.Store(w, true)
						f.Close()
					} else if err != syscall.EEXIST {
						c.Error(err)
					}
				})
			}
			g.Wait()
			n := 0
			wins.Range(func(any, any) bool { n++; return true })
			c.equal(n, 1, "number of winners")
		}
	}},
	{"O_TRUNC", "pjdfstest open, ftruncate", func(c *C) {
		c.file("a", pattern(1, 500<<10))
		c.ok(c.Utimes("a", past, past))
		f := c.open("a", syscall.O_TRUNC|rdwr)
		s := c.fstat(f)
		c.equal(s.Size, uint64(0), "size")
		if !s.Mtime.After(past) {
			c.Fatalf("mtime is %v", s.Mtime)
		}
		c.write(f, []byte("n"), 3)
		c.holds("a", []byte("\x00\x00\x00n"))
	}},
	{"O_APPEND", "pjdfstest open", func(c *C) {
		f := c.open("a", syscall.O_CREAT|syscall.O_APPEND|rdwr)
		var want []byte
		for i := range 300 {
			line := fmt.Appendf(nil, "line %d of the log\n", i)
			n, err := f.Append(line)
			c.ok(err)
			c.equal(n, len(line), "written")
			want = append(want, line...)
		}
		c.holds("a", want)
		c.ok(c.Truncate("a", 4))
		_, err := f.Append([]byte("end"))
		c.ok(err)
		c.holds("a", []byte("lineend"))
	}},
	{"directories are not written to", "pjdfstest open", func(c *C) {
		c.ok(c.Mkdir("d", 0755))
		_, err := c.Open("d", rdwr, 0)
		c.is(err, syscall.EISDIR)
		_, err = c.Open("d", syscall.O_CREAT, 0644)
		c.is(err, syscall.EISDIR)
		c.file("f", nil)
		_, err = c.Open("f", rdonly|syscall.O_DIRECTORY, 0)
		c.is(err, syscall.ENOTDIR)
	}},
	{"O_NOFOLLOW", "pjdfstest open", func(c *C) {
		c.ok(c.Symlink("x", "l"))
		_, err := c.Open("l", rdonly|syscall.O_NOFOLLOW, 0)
		c.is(err, syscall.ELOOP)
	}},
	{"O_SYNC", "xfstests auto", func(c *C) {
		f := c.open("a", syscall.O_CREAT|syscall.O_SYNC|rdwr)
		for i := range 10 {
			c.write(f, pattern(uint64(i), 5000), int64(i)*5000)
		}
		c.equal(c.fstat(f).Size, uint64(50000), "size")
	}},
}
