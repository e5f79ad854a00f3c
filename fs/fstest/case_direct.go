package fstest

import (
	"bytes"
	"syscall"

	"golang.org/x/sys/unix"
)

var directCases = []testCase{
	{"O_DIRECT", "xfstests generic/091, generic/130", func(c *C) {
		c.inKernel("going past the page cache")
		f := c.direct("f")
		page, err := unix.Mmap(-1, 0, 64<<10, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
		c.ok(err)
		c.Cleanup(func() { _ = unix.Munmap(page) })
		want := pattern(1, 64<<10)
		copy(page, want)
		c.write(f, page, 0)
		c.holds("f", want)
		g := c.open("f", rdwr)
		c.write(g, []byte("through the cache"), 4096)
		copy(want[4096:], "through the cache")
		clear(page)
		for at := 0; at < len(page); at += 16 << 10 {
			n, err := f.ReadAt(page[at:at+16<<10], int64(at))
			c.ok(err)
			c.equal(n, 16<<10, "read")
		}
		c.same(page, want, "read past the cache what was written through it")
		copy(page, bytes.Repeat([]byte("d"), 4096))
		c.write(f, page[:4096], 8192)
		c.same(c.read(g, 8192, 4096), page[:4096], "read through the cache what was written past it")
		n, err := f.ReadAt(page[:4096], 64<<10)
		c.ok(err)
		c.equal(n, 0, "read at the end")
		c.write(f, page[:4096], 1<<20)
		c.equal(c.fstat(f).Size, uint64(1<<20+4096), "size")
		c.same(c.read(g, 1<<19, 10), make([]byte, 10), "the hole")
	}},
	{"O_DIRECT and a mapping", "xfstests generic/095", func(c *C) {
		c.inKernel("going past the page cache")
		f := c.direct("f")
		page, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
		c.ok(err)
		c.Cleanup(func() { _ = unix.Munmap(page) })
		c.write(f, page, 0)
		m, err := unix.Mmap(f.(*descriptor).fd, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		c.ok(err)
		c.Cleanup(func() { _ = unix.Munmap(m) })
		copy(m, "mapped")
		_, err = f.ReadAt(page, 0)
		c.ok(err)
		c.same(page[:6], []byte("mapped"), "read past the cache")
		copy(page, "direct")
		c.write(f, page, 0)
		c.same(m[:6], []byte("direct"), "the mapping")
	}},
}

func (c *C) direct(path string) File {
	c.Helper()
	f, err := c.Open(path, syscall.O_CREAT|syscall.O_EXCL|unix.O_DIRECT|rdwr, 0644)
	c.feature("O_DIRECT", err)
	c.Cleanup(func() { f.Close() })
	return f
}
