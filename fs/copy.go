package fs

import (
	"dfsmount/cache"
	"syscall"
)

// CopyRange copies within the filesystem by sharing extents. It may copy less than asked, as copy_file_range(2) may.
func (f *FS) CopyRange(in InodeID, inOff int64, out InodeID, outOff, length int64) (int64, error) {
	if inOff < 0 || outOff < 0 || length < 0 {
		return 0, syscall.EINVAL
	}
	src, _, err := f.file(in)
	if err != nil {
		return 0, err
	}
	defer f.table.unpin(src)
	dst, _, err := f.file(out)
	if err != nil {
		return 0, err
	}
	defer f.table.unpin(dst)
	if outOff > MaxSize-length {
		return 0, syscall.EFBIG
	}
	length = min(length, MaxSize-inOff)
	if in == out && inOff < outOff+length && outOff < inOff+length && length > 0 {
		return 0, syscall.EINVAL
	}
	return f.copyRange(src, inOff, dst, outOff, length)
}

// copyRange flushes both files, since only what is in the log can be shared, and copies while both stand still.
func (f *FS) copyRange(src *inode, inOff int64, dst *inode, outOff, length int64) (int64, error) {
	for {
		for _, in := range [...]*inode{src, dst} {
			if err := f.flush(in); err != nil {
				return 0, err
			}
		}
		unlock := lockBoth(src, dst)
		if src.data != nil || dst.data != nil {
			unlock() // written to meanwhile
			continue
		}
		defer unlock()
		return f.share(src, inOff, dst, outOff, length)
	}
}

// lockBoth takes the mu of two inodes, the lower number first.
func lockBoth(a, b *inode) (unlock func()) {
	if a == b {
		a.mu.Lock()
		return a.mu.Unlock
	}
	if a.id > b.id {
		a, b = b, a
	}
	a.mu.Lock()
	b.mu.Lock()
	return func() { b.mu.Unlock(); a.mu.Unlock() }
}

// share makes the extents of a range of src those of a range of dst too. Both mu are held and both are clean.
func (f *FS) share(src *inode, inOff int64, dst *inode, outOff, length int64) (n int64, err error) {
	for _, in := range [...]*inode{src, dst} {
		if err := f.regularLocked(in); err != nil {
			return 0, err
		}
	}
	rec, err := f.trimmed(src)
	if err != nil {
		return 0, err
	}
	if _, err := f.trimmed(dst); err != nil {
		return 0, err
	}
	n = min(length, int64(rec.size)-inOff)
	if n <= 0 {
		return 0, nil
	}
	err = f.update(grows, func(t *txn) error {
		t.bounded = true
		r, err := t.edit(dst.id)
		if err != nil {
			return err
		}
		list, end, err := gather(t.Tx, src.id, inOff, inOff+n)
		if err != nil {
			return err
		}
		n = end - inOff
		if n, err = t.clearFor(dst.id, r, outOff, n); err != nil {
			return err
		}
		for _, e := range list {
			if e.off >= inOff+n {
				break
			}
			e = e.part(inOff, inOff+n)
			e.off += outOff - inOff
			if err := t.mapExtent(dst.id, r, e); err != nil {
				return err
			}
		}
		r.size = max(r.size, uint64(outOff+n))
		if err := t.dropCapability(dst.id, r); err != nil {
			return err
		}
		return t.setAttr(dst, r, SetAttr{MtimeNow: true})
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// gather lists the extents in a range, cut to it, and says where it stopped.
func gather(tx *cache.Tx, id InodeID, from, to int64) (list []extent, end int64, err error) {
	end = to
	err = scanExtents(tx, id, from, to, func(_ []byte, e extent) bool {
		if len(list) == maxSteps {
			end = e.off
			return false
		}
		list = append(list, e.part(from, to))
		return true
	})
	return list, end, err
}

// clearFor unmaps the range that a copy goes to and returns how much of it it can take in one transaction.
func (t *txn) clearFor(id InodeID, r *record, off, n int64) (int64, error) {
	whole, err := t.unmap(id, r, off, off+n)
	if err != nil || whole {
		return n, err
	}
	k, _, err := t.firstExtent(id, off, off+n)
	if err != nil || k == nil {
		return n, err
	}
	_, at, err := parseKey2(tableExtent, k)
	return int64(at) - off, err
}

func (t *txn) firstExtent(id InodeID, from, to int64) (k []byte, e extent, err error) {
	err = scanExtents(t.Tx, id, from, to, func(key []byte, x extent) bool {
		k, e = key, x
		return false
	})
	return k, e, err
}
