package fs

import (
	"dfsmount/cache"
	"syscall"
)

// Values of whence that Seek answers.
const (
	SeekData = 3
	SeekHole = 4
)

// Seek answers SEEK_DATA (3) and SEEK_HOLE (4).
func (f *FS) Seek(ino InodeID, off int64, whence int) (int64, error) {
	if whence != SeekData && whence != SeekHole {
		return 0, syscall.EINVAL
	}
	in, _, err := f.file(ino)
	if err != nil {
		return 0, err
	}
	defer f.table.unpin(in)
	in.mu.RLock()
	defer in.mu.RUnlock()
	rec, err := f.record(in)
	if err != nil {
		return 0, err
	}
	size := int64(max(rec.size, in.pend.size))
	if off < 0 || off >= size {
		return 0, syscall.ENXIO
	}
	at := off
	err = f.view(func(tx *cache.Tx) error {
		at, err = in.seek(tx, off, size, whence)
		return err
	})
	if err == nil && whence == SeekData && at >= size {
		return 0, syscall.ENXIO
	}
	return at, err
}

// seek finds the first byte of data at or behind off, or the first of a hole; size if there is none.
func (in *inode) seek(tx *cache.Tx, off, size int64, whence int) (int64, error) {
	for off < size {
		next, err := in.nextData(tx, off, size)
		switch {
		case err != nil:
			return 0, err
		case whence == SeekData:
			return next.off, nil
		case next.off > off:
			return off, nil
		}
		off = next.end
	}
	return size, nil
}

// nextData returns the first run of data in [off, size), or {size, size}.
func (in *inode) nextData(tx *cache.Tx, off, size int64) (span, error) {
	s := span{size, size}
	if in.data != nil {
		s = in.data.nextDirty(off, size)
	}
	err := scanExtents(tx, in.id, off, size, func(_ []byte, e extent) bool {
		if at := max(e.off, off); at < s.off {
			s = span{at, e.end()}
		}
		return false
	})
	s.end = min(s.end, size)
	return s, err
}
