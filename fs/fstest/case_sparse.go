package fstest

import "syscall"

const (
	keepSize  = 1
	punchHole = 2
	zeroRange = 0x10
	collapse  = 8
	seekData  = 3
	seekHole  = 4
)

var sparseCases = []testCase{
	{"holes read as zeros", "xfstests generic/013", func(c *C) {
		f := c.create("a")
		c.write(f, []byte("end"), 5<<20)
		want := append(make([]byte, 5<<20), "end"...)
		c.holds("a", want)
		c.ok(f.Sync())
		c.holds("a", want)
		if s := c.stat("a"); s.Blocks*512 > 1<<20 {
			c.Fatalf("%d blocks for one extent", s.Blocks)
		}
	}},
	{"far apart", "xfstests generic/286", func(c *C) {
		f := c.create("a")
		for _, off := range []int64{0, 1 << 31, 1<<32 - 1, 1 << 35, 1 << 40, 8<<40 - 10} {
			_, err := f.WriteAt([]byte("0123456789"), off)
			c.far(err)
		}
		c.ok(f.Sync())
		for _, off := range []int64{0, 1 << 31, 1<<32 - 1, 1 << 35, 1 << 40, 8<<40 - 10} {
			c.same(c.read(f, off, 10), []byte("0123456789"), "far away")
		}
		c.equal(c.fstat(f).Size, uint64(8<<40), "size")
		c.same(c.read(f, 1<<33, 10), make([]byte, 10), "between")
	}},
	{"huge truncate", "xfstests generic/", func(c *C) {
		f := c.create("a")
		c.far(f.Truncate(8 << 40))
		c.equal(c.fstat(f).Size, uint64(8<<40), "size")
		c.same(c.read(f, 1<<42, 3), []byte{0, 0, 0}, "the hole")
		c.ok(f.Truncate(0))
	}},
	{"punch", "xfstests punch", func(c *C) {
		for _, sync := range []bool{false, true} {
			f := c.open("a", syscall.O_CREAT|syscall.O_TRUNC|rdwr)
			want := pattern(2, 1<<20)
			c.write(f, want, 0)
			if sync {
				c.ok(f.Sync())
			}
			for _, r := range [][2]int{{100, 50}, {extent - 10, 20}, {400 << 10, 300 << 10}, {1<<20 - 5, 5}, {0, 4096}} {
				c.feature("holes", f.Fallocate(punchHole|keepSize, int64(r[0]), int64(r[1])))
				clear(want[r[0] : r[0]+r[1]])
				c.holds("a", want)
			}
			c.ok(f.Fallocate(punchHole|keepSize, 2<<20, 4096))
			c.equal(c.fstat(f).Size, uint64(1<<20), "size")
			c.ok(f.Sync())
			c.holds("a", want)
		}
	}},
	{"zero range", "xfstests zero", func(c *C) {
		f := c.create("a")
		want := pattern(2, 300<<10)
		c.write(f, want, 0)
		c.feature("zeroed ranges", f.Fallocate(zeroRange|keepSize, 1000, 5000))
		clear(want[1000:6000])
		c.holds("a", want)
		c.ok(f.Fallocate(zeroRange|keepSize, 299<<10, 1<<20))
		clear(want[299<<10:])
		c.holds("a", want)
		c.ok(f.Fallocate(zeroRange, 299<<10, 100<<10))
		c.holds("a", append(want, make([]byte, 99<<10)...))
	}},
	{"allocate", "xfstests prealloc", func(c *C) {
		f := c.create("a")
		c.write(f, []byte("abc"), 0)
		c.feature("allocation", f.Fallocate(keepSize, 0, 1<<20))
		c.equal(c.fstat(f).Size, uint64(3), "size")
		c.ok(f.Fallocate(0, 100, 900))
		c.holds("a", append([]byte("abc"), make([]byte, 997)...))
		c.is(f.Fallocate(0, 0, 0), syscall.EINVAL)
		c.is(f.Fallocate(0, -1, 10), syscall.EINVAL)
		c.is(f.Fallocate(punchHole, 0, 10), syscall.EOPNOTSUPP)
		if !c.Plain() {
			c.is(f.Fallocate(collapse, 0, 4096), syscall.EOPNOTSUPP)
		}
	}},
	{"SEEK_DATA and SEEK_HOLE", "xfstests seek", func(c *C) {
		for _, sync := range []bool{false, true} {
			f := c.open("a", syscall.O_CREAT|syscall.O_TRUNC|rdwr)
			c.write(f, pattern(1, extent), extent)
			c.write(f, pattern(1, extent), 3*extent)
			c.ok(f.Truncate(6 * extent))
			if sync {
				c.ok(f.Sync())
			}
			for _, k := range []struct {
				off    int64
				whence int
				want   int64
			}{
				{0, seekData, extent}, {0, seekHole, 0}, {extent, seekHole, 2 * extent}, {extent + 5, seekData, extent + 5},
				{2 * extent, seekData, 3 * extent}, {3*extent + 1, seekHole, 4 * extent}, {5 * extent, seekHole, 5 * extent},
			} {
				at, err := f.Seek(k.off, k.whence)
				c.ok(err)
				c.equal(at, k.want, "position")
			}
			_, err := f.Seek(4*extent, seekData)
			c.is(err, syscall.ENXIO)
			_, err = f.Seek(6*extent, seekHole)
			c.is(err, syscall.ENXIO)
		}
	}},
	{"hole at the end", "xfstests seek", func(c *C) {
		f := c.create("a")
		c.write(f, pattern(1, extent), 0)
		at, err := f.Seek(0, seekHole)
		c.ok(err)
		c.equal(at, int64(extent), "the hole behind the last byte")
	}},
}

// far is ok, but for filesystems with smaller files.
func (c *C) far(err error) {
	c.Helper()
	if c.Plain() && (err == syscall.EFBIG || err == syscall.EINVAL) {
		c.Skipf("this directory's filesystem has no files of 8 TiB: %v", err)
	}
	c.ok(err)
}
