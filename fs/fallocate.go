package fs

import "syscall"

// Modes of fallocate(2).
const (
	fallocKeepSize  = 0x01
	fallocPunchHole = 0x02
	fallocZeroRange = 0x10
)

// Fallocate, as fallocate(2) numbers its modes: 0, KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE; others EOPNOTSUPP. In a log nothing can be
// allocated ahead: mode 0 answers ENOSPC if the disk has no room for the range now, EDQUOT if the quota leaves none, and otherwise makes
// it part of the file as a hole.
func (f *FS) Fallocate(ino InodeID, mode uint32, off, length int64) error {
	switch mode {
	case 0, fallocKeepSize, fallocPunchHole | fallocKeepSize, fallocZeroRange, fallocZeroRange | fallocKeepSize:
	default:
		return syscall.EOPNOTSUPP
	}
	if off < 0 || length <= 0 {
		return syscall.EINVAL
	}
	if length > MaxSize-off {
		return syscall.EFBIG
	}
	in := f.table.pin(ino)
	defer f.table.unpin(in)
	in.mu.Lock()
	defer in.mu.Unlock()
	if err := f.regularLocked(in); err != nil {
		return err
	}
	if mode&fallocPunchHole == 0 {
		if free, _, _ := f.store.Space(); length > free {
			return syscall.ENOSPC
		}
		if err := f.underQuota(in, off, length); err != nil {
			return err
		}
	}
	return f.allocate(in, mode, off, off+length)
}

func (f *FS) allocate(in *inode, mode uint32, off, end int64) error {
	zero := mode&(fallocPunchHole|fallocZeroRange) != 0
	keep := mode&fallocKeepSize != 0
	rec, err := f.trimmed(in)
	if err != nil {
		return err
	}
	if size := int64(max(rec.size, in.pend.size)); !keep && end > size {
		if err := f.readyForSize(in, end); err != nil {
			return err
		}
	} else {
		end = min(end, size) // nothing is behind
		keep = true
	}
	if zero && off < end {
		if err := f.readyToCut(in, off, end); err != nil {
			return err
		}
		f.cut(in, off, end)
	}
	return f.zeroRange(in, zero, keep, off, end)
}

// readyToCut waits until nothing in [off, end) is on its way to the state, and flushes first if the size of the file hangs on dirty bytes
// in there. in.mu is held.
func (f *FS) readyToCut(in *inode, off, end int64) error {
	for {
		if err := f.quiet(in, off, end); err != nil {
			return err
		}
		rec, err := f.record(in)
		if err != nil || in.data == nil || in.data.end() <= int64(rec.size) || in.data.end() > end {
			return err
		}
		if err := f.flushLocked(in); err != nil {
			return err
		}
	}
}

// zeroRange commits what allocate decided. A big range is unmapped in several transactions: each leaves a file that is whole.
func (f *FS) zeroRange(in *inode, zero, keep bool, off, end int64) error {
	for whole := false; !whole; {
		err := f.update(zero && keep, func(t *txn) (err error) {
			r, err := t.edit(in.id)
			if err != nil {
				return err
			}
			if whole = true; zero && off < end {
				if whole, err = t.unmap(in.id, r, off, end); err != nil {
					return err
				}
			}
			if !keep {
				r.size = max(r.size, uint64(end))
			}
			if err := t.dropCapability(in.id, r); err != nil {
				return err
			}
			return t.setAttr(in, r, SetAttr{MtimeNow: true})
		})
		if err != nil {
			return err
		}
	}
	return nil
}
