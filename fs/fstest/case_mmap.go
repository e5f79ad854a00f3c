package fstest

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// mapped maps n bytes of a file.
func (c *C) mapped(f File, n, prot int) []byte {
	c.Helper()
	b, err := unix.Mmap(f.(*descriptor).fd, 0, n, prot, unix.MAP_SHARED)
	c.ok(err)
	c.Cleanup(func() { unix.Munmap(b) })
	return b
}

var mmapCases = []testCase{
	{"read", "xfstests mmap", func(c *C) {
		c.inKernel("mmap")
		want := pattern(1, 500<<10)
		c.file("a", want)
		c.same(c.mapped(c.open("a", rdonly), len(want), unix.PROT_READ), want, "mapping")
	}},
	{"write", "xfstests generic/080", func(c *C) {
		c.inKernel("mmap")
		f := c.create("a")
		c.ok(f.Truncate(300 << 10))
		b := c.mapped(f, 300<<10, unix.PROT_READ|unix.PROT_WRITE)
		want := pattern(2, 300<<10)
		copy(b, want)
		c.ok(unix.Msync(b, unix.MS_SYNC))
		c.holds("a", want)
		c.same(c.read(f, 1000, 10), want[1000:1010], "through read")
	}},
	{"sees writes", "xfstests generic/091", func(c *C) {
		c.inKernel("mmap")
		f := c.create("a")
		c.write(f, make([]byte, 8192), 0)
		b := c.mapped(f, 8192, unix.PROT_READ)
		c.write(f, []byte("hello"), 5000)
		c.same(b[5000:5005], []byte("hello"), "mapping")
	}},
	{"survives unlink and close", "xfstests mmap", func(c *C) {
		c.inKernel("mmap")
		f, err := c.Open("a", syscall.O_CREAT|rdwr, 0644)
		c.ok(err)
		c.write(f, make([]byte, 4096), 0)
		b := c.mapped(f, 4096, unix.PROT_READ|unix.PROT_WRITE)
		c.ok(f.Close())
		c.ok(c.Unlink("a"))
		copy(b, "still here")
		c.ok(unix.Msync(b, unix.MS_SYNC))
		c.same(b[:10], []byte("still here"), "mapping")
	}},
	{"private", "xfstests mmap", func(c *C) {
		c.inKernel("mmap")
		c.file("a", []byte("original"))
		f := c.open("a", rdwr)
		b, err := unix.Mmap(f.(*descriptor).fd, 0, 8, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
		c.ok(err)
		defer unix.Munmap(b)
		copy(b, "private!")
		c.holds("a", []byte("original"))
	}},
}
