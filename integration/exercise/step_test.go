package exercise

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// step does one random thing with one of the worker's files.
func (w *dataWorker) step() error {
	i := w.rng.IntN(filesPerWorker)
	p := w.files[i]
	what, do := w.choose(p)
	w.work.note("%d: %d-%d %s", w.id, w.id, i, what)
	if err := do(); err != nil {
		return fmt.Errorf("%d-%d %s: %w", w.id, i, what, err)
	}
	return nil
}

// choose draws an operation, and gives it as text too.
func (w *dataWorker) choose(p *pair) (string, func() error) {
	off, n := w.span()
	k := w.rng.IntN(100)
	switch {
	case k < 14:
		return fmt.Sprintf("read %d at %d", n, off), func() error { return p.read(off, n, false) }
	case k < 17:
		return fmt.Sprintf("read %d at %d directly", n, off), func() error { return p.read(off, n, true) }
	case k < 34:
		b := w.content(n)
		return fmt.Sprintf("write %d at %d", n, off), func() error { return p.write(b, off) }
	case k < 37:
		b := w.content(n)
		return fmt.Sprintf("write %d at %d directly", n, off), func() error { return p.writeDirect(b, off) }
	case k < 39:
		b := w.content(n)
		return fmt.Sprintf("write %d at %d synced", n, off), func() error { return p.writeSynced(b, off) }
	case k < 43:
		b := w.content(min(n, int(maxSize-min(p.size, maxSize))))
		return fmt.Sprintf("append %d", len(b)), func() error { return p.append(b) }
	case k < 50:
		size, byName := off, w.rng.IntN(3) == 0
		if w.rng.IntN(8) == 0 {
			size = p.size // to the size it has
		}
		return fmt.Sprintf("truncate from %d to %d", p.size, size), func() error { return p.truncate(size, byName) }
	case k < 66:
		return w.chooseMapped(p, off, n)
	case k < 82:
		return w.chooseSpace(p, off, n)
	}
	return w.chooseWhole(p)
}

func (w *dataWorker) chooseMapped(p *pair, off int64, n int) (string, func() error) {
	off = min(off, p.size)
	n = int(min(int64(n), p.size-off))
	switch k := w.rng.IntN(16); {
	case k < 6:
		return fmt.Sprintf("read %d at %d mapped", n, off), func() error { return p.readMapped(off, int64(n)) }
	case k < 13:
		b := w.content(n)
		return fmt.Sprintf("write %d at %d mapped", n, off), func() error { return p.writeMapped(b, off) }
	case k < 14:
		return "msync", func() error { return p.msync(unix.MS_SYNC) }
	case k < 15:
		return "msync, not waiting", func() error { return p.msync(unix.MS_ASYNC) }
	}
	return "unmap", func() error { p.unmap(); return nil }
}

// chooseSpace draws what changes where data is.
func (w *dataWorker) chooseSpace(p *pair, off int64, n int) (string, func() error) {
	const keep = unix.FALLOC_FL_KEEP_SIZE
	space := func(what string, mode uint32) (string, func() error) {
		return fmt.Sprintf("%s %d at %d", what, n, off), func() error { return p.fallocate(mode, off, int64(n)) }
	}
	switch w.rng.IntN(8) {
	case 0, 1:
		return space("punch", unix.FALLOC_FL_PUNCH_HOLE|keep)
	case 2:
		return space("zero", unix.FALLOC_FL_ZERO_RANGE)
	case 3:
		return space("zero, keeping the size,", unix.FALLOC_FL_ZERO_RANGE|keep)
	case 4:
		return space("allocate", 0)
	case 5:
		return space("allocate, keeping the size,", keep)
	}
	to, _ := w.span()
	j := w.rng.IntN(filesPerWorker)
	q := w.files[j]
	n = min(n, int(maxSize-to))
	if q == p && to < off+int64(n) && off < to+int64(n) { // copy_file_range refuses what overlaps
		n = int(max(to-off, off-to))
	}
	return fmt.Sprintf("copy %d at %d to %d-%d at %d", n, off, w.id, j, to), func() error { return p.copyTo(q, off, to, n) }
}

// chooseWhole draws what is done with the file as a whole.
func (w *dataWorker) chooseWhole(p *pair) (string, func() error) {
	switch w.rng.IntN(10) {
	case 0, 1:
		return "fsync", p.sync
	case 2:
		return "fdatasync", func() error { return unix.Fdatasync(p.m) }
	case 3, 4:
		return "reopen", p.reopen
	case 5, 6:
		return "forget and compare", func() error {
			if err := p.forget(); err != nil {
				return err
			}
			return p.compare()
		}
	case 7:
		_, n := w.span()
		b, sync := w.content(n), w.rng.IntN(2) == 0
		return fmt.Sprintf("replace by %d, synced: %v", n, sync), func() error { return p.replace(b, sync) }
	}
	return "compare", p.compare
}

// extent is the size of the pieces that files are sealed in: borders are where mistakes are.
const extent = 256 << 10

// span is a range inside of the biggest file: mostly small, often at the borders of pages and extents, seldom large.
func (w *dataWorker) span() (off int64, n int) {
	off, n = w.rng.Int64N(maxSize), 1+w.rng.IntN(10000)
	switch w.rng.IntN(10) {
	case 0:
		off = max(0, w.rng.Int64N(maxSize/extent)*extent+w.rng.Int64N(9)-4)
	case 1:
		n = 1 + w.rng.IntN(700<<10)
	case 2, 3:
		off &^= 4095
		n = 4096 * (1 + w.rng.IntN(20))
	case 4:
		off &^= 511
		n = 512 * (1 + w.rng.IntN(20))
	case 5:
		off = w.rng.Int64N(64 << 10)
	}
	return off, min(n, int(maxSize-off))
}

// content is n random bytes: never zeros, which would look like holes.
func (w *dataWorker) content(n int) []byte {
	b := make([]byte, n)
	x := w.rng.Uint64() | 1
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x) | 1
	}
	return b
}
