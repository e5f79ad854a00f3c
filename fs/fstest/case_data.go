package fstest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
)

const extent = 256 << 10

var dataCases = []testCase{
	{"sizes around boundaries", "xfstests rw", func(c *C) {
		for _, n := range []int{0, 1, 511, 4095, 4096, 4097, extent - 1, extent, extent + 1, 1<<20 - 1, 3<<20 + 5} {
			name := fmt.Sprint("f", n)
			want := pattern(uint64(n), n)
			c.file(name, want)
			c.holds(name, want)
			f := c.open(name, rdwr)
			c.ok(f.Sync())
			c.holds(name, want)
			c.equal(c.stat(name).Size, uint64(n), "size")
		}
	}},
	{"reads at the end", "pjdfstest, xfstests rw", func(c *C) {
		c.file("a", []byte("0123456789"))
		f := c.open("a", rdonly)
		c.same(c.read(f, 8, 10), []byte("89"), "over the end")
		c.equal(len(c.read(f, 10, 10)), 0, "bytes at the end")
		c.equal(len(c.read(f, 1<<40, 10)), 0, "bytes behind the end")
	}},
	{"overwrites", "xfstests rw", func(c *C) {
		want := pattern(1, 1<<20)
		c.file("a", want)
		f := c.open("a", rdwr)
		c.ok(f.Sync())
		rng := rand.New(rand.NewPCG(1, 2))
		for i := range 200 {
			off, n := rng.IntN(len(want)), 1+rng.IntN(9000)
			n = min(n, len(want)-off)
			p := pattern(uint64(i), n)
			copy(want[off:], p)
			c.write(f, p, int64(off))
			if i%50 == 0 {
				c.ok(f.Datasync())
			}
		}
		c.holds("a", want)
		c.ok(f.Sync())
		c.holds("a", want)
	}},
	{"backwards", "xfstests rw", func(c *C) {
		want := pattern(3, 600<<10)
		f := c.create("a")
		for off := len(want) - 4096; off >= 0; off -= 4096 {
			c.write(f, want[off:off+4096], int64(off))
		}
		c.holds("a", want)
		c.ok(f.Sync())
		c.holds("a", want)
	}},
	{"two descriptors", "xfstests rw", func(c *C) {
		a := c.create("a")
		b := c.open("a", rdwr)
		c.write(a, []byte("from a"), 0)
		c.same(c.read(b, 0, 100), []byte("from a"), "through b")
		c.write(b, []byte("FROM"), 0)
		c.same(c.read(a, 0, 100), []byte("FROM a"), "through a")
	}},
	{"truncate", "pjdfstest truncate, ftruncate", func(c *C) {
		want := pattern(1, 700<<10)
		c.file("a", want)
		f := c.open("a", rdwr)
		c.ok(f.Sync())
		for _, n := range []int{600<<10 + 7, 300 << 10, extent + 1, extent, extent - 1, 4097, 1, 0} {
			c.ok(c.Truncate("a", int64(n)))
			c.holds("a", want[:n])
		}
		c.ok(f.Truncate(1000))
		c.holds("a", make([]byte, 1000))
	}},
	{"truncate and back shows zeros", "xfstests generic/091", func(c *C) {
		for _, sync := range []bool{false, true} {
			f := c.open("a", syscall.O_CREAT|syscall.O_TRUNC|rdwr)
			want := pattern(1, 300<<10)
			c.write(f, want, 0)
			if sync {
				c.ok(f.Sync())
			}
			c.ok(f.Truncate(100<<10 + 3))
			c.ok(f.Truncate(300 << 10))
			clear(want[100<<10+3:])
			c.holds("a", want)
		}
	}},
	{"truncate of other kinds", "pjdfstest truncate", func(c *C) {
		c.ok(c.Mkdir("d", 0755))
		c.is(c.Truncate("d", 0), syscall.EISDIR)
		c.file("a", nil)
		if c.Path() != "" {
			c.is(c.Truncate("a", -1), syscall.EINVAL)
		}
		c.is(c.Truncate("absent", 0), syscall.ENOENT)
	}},
	{"write at a negative offset", "pjdfstest, xfstests rw", func(c *C) {
		f := c.create("a")
		_, err := f.WriteAt([]byte("x"), -1)
		c.is(err, syscall.EINVAL)
		_, err = f.ReadAt(make([]byte, 1), -1)
		c.is(err, syscall.EINVAL)
	}},
	{"too big", "pjdfstest EFBIG", func(c *C) {
		f := c.create("a")
		for _, off := range []int64{1 << 50, 1 << 60, 1 << 62} {
			_, err := f.WriteAt([]byte("x"), off)
			c.far(err)
			c.ok(f.Sync())
			c.equal(c.fstat(f).Size, uint64(off+1), "size")
			c.same(c.read(f, off-1, 3), []byte("\x00x"), "the end")
		}
	}},
	{"the last byte there can be", "xfstests generic/525", func(c *C) {
		const end = 1<<63 - 1
		f := c.create("a")
		n, err := f.WriteAt([]byte("las"), end-3)
		c.far(err)
		c.equal(n, 3, "written")
		c.ok(f.Sync())
		c.equal(c.fstat(f).Size, uint64(end), "size")
		c.same(c.read(f, end-5, 5), []byte("\x00\x00las"), "the end")
		if _, err = f.WriteAt([]byte("x"), end); err != nil { // a system call cannot say where it would end
			c.is(err, syscall.EFBIG, syscall.EINVAL)
		}
		c.equal(c.fstat(f).Size, uint64(end), "size")
		at, err := f.Seek(0, seekHole)
		c.ok(err)
		c.equal(at, int64(0), "the hole")
		_, err = f.Seek(end, seekData)
		c.is(err, syscall.ENXIO)
		c.ok(f.Truncate(end - 1))
		c.same(c.read(f, end-2, 2), []byte("a"), "the end")
		c.ok(f.Truncate(end))
		c.ok(f.Truncate(1))
		c.holds("a", []byte{0})
	}},
	{"parallel writers and readers", "xfstests stress", func(c *C) {
		f := c.create("a")
		const part, n = 100 << 10, 6
		var g sync.WaitGroup
		for w := range n {
			g.Go(func() {
				p := pattern(uint64(w), part)
				for off := 0; off < part; off += 7000 {
					end := min(off+7000, part)
					if _, err := f.WriteAt(p[off:end], int64(w*part+off)); err != nil {
						c.Error(err)
					}
					if off%3 == 0 {
						if _, err := f.ReadAt(make([]byte, 5000), int64(off)); err != nil {
							c.Error(err)
						}
					}
				}
				if err := f.Sync(); err != nil {
					c.Error(err)
				}
			})
		}
		g.Wait()
		for w := range n {
			c.same(c.read(f, int64(w*part), part), pattern(uint64(w), part), fmt.Sprint("part ", w))
		}
	}},
	{"fsync of everything", "pjdfstest, xfstests auto", func(c *C) {
		c.ok(c.Mkdir("d", 0755))
		d := c.open("d", rdonly|syscall.O_DIRECTORY)
		f := c.create("d/f")
		c.write(f, []byte("x"), 0)
		c.ok(f.Datasync())
		c.ok(f.Sync())
		c.ok(d.Sync())
	}},
	{"many small files", "xfstests metadata", func(c *C) {
		for i := range 500 {
			c.file(fmt.Sprint(i), pattern(uint64(i), i*7))
		}
		for i := range 500 {
			c.holds(fmt.Sprint(i), pattern(uint64(i), i*7))
		}
	}},
	{"copy_file_range", "xfstests copy_range", func(c *C) {
		want := pattern(9, 600<<10)
		c.file("a", want)
		a, b := c.open("a", rdwr), c.create("b")
		c.write(b, make([]byte, 100), 0)
		n := copyAll(c, a, b, 1000, 50, 500<<10)
		c.equal(n, int64(500<<10), "copied")
		c.holds("b", append(make([]byte, 50), want[1000:1000+500<<10]...))
		c.write(a, make([]byte, len(want)), 0)
		c.holds("b", append(make([]byte, 50), want[1000:1000+500<<10]...))
		n = copyAll(c, b, a, 400<<10, 0, 1<<30)
		c.equal(n, int64(100<<10+50), "copied up to the end")
	}},
	{"copy_file_range within a file", "xfstests generic/430", func(c *C) {
		want := pattern(4, 100<<10)
		c.file("a", want)
		a := c.open("a", rdwr)
		_, err := a.CopyTo(a, 0, 10, 100)
		c.is(err, syscall.EINVAL)
		copyAll(c, a, a, 0, 200<<10, 100<<10)
		c.holds("a", append(append(append([]byte{}, want...), make([]byte, 100<<10)...), want...))
	}},
}

func copyAll(c *C, from, to File, off, toOff, length int64) (n int64) {
	c.Helper()
	for n < length {
		m, err := from.CopyTo(to, off+n, toOff+n, length-n)
		c.feature("copy_file_range", err)
		if m == 0 {
			break
		}
		n += m
	}
	return n
}
