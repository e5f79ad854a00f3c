package fs

import (
	"math"
	"syscall"
)

// truncate changes a file's size, and what else s says, in one transaction; of a big file the bytes behind the new end are given
// back in further ones, which a crash leaves to the next New.
func (f *FS) truncate(in *inode, s SetAttr) error {
	if *s.Size > MaxSize {
		return syscall.EFBIG
	}
	size := int64(*s.Size)
	in.mu.Lock()
	defer in.mu.Unlock()
	if err := f.regularLocked(in); err != nil {
		return err
	}
	if err := f.readyForSize(in, size); err != nil {
		return err
	}
	f.cut(in, size, MaxSize)
	if err := f.timesOfResize(in, &s); err != nil {
		return err
	}
	return f.resize(in, size, s)
}

// timesOfResize completes s by the times that a change of size brings. With the kernel's write cache the kernel owns them: it sends those that
// it wants changed, which for truncate(2) to the size a file has are none, and never looks at ours while it knows the inode. A time of
// our own would show at the next mount only.
func (f *FS) timesOfResize(in *inode, s *SetAttr) error {
	if !f.o.NoMtimeWrite {
		s.MtimeNow = s.MtimeNow || s.Mtime == nil
		return nil
	}
	if s.Ctime == nil {
		rec, err := f.record(in)
		if err != nil {
			return err
		}
		ctime := rec.ctime.time()
		s.Ctime = &ctime
	}
	return nil
}

func (f *FS) regularLocked(in *inode) error {
	rec, err := f.record(in)
	switch {
	case err != nil:
		return err
	case in.dead:
		return syscall.ENOENT
	case rec.isDir():
		return syscall.EISDIR
	case !rec.isFile():
		return syscall.EINVAL
	}
	return nil
}

// quiet waits until no chunk in [off, end) is on its way to the state. in.mu is held, and given up while waiting.
func (f *FS) quiet(in *inode, off, end int64) error {
	for in.data != nil && in.data.busy(off, end) {
		d := in.data
		if c := d.popTodo(); c != nil {
			f.sealChunk(in, d, c)
			continue
		}
		d.settled.Wait()
	}
	if in.dead {
		return syscall.ENOENT
	}
	return nil
}

// readyForSize waits until nothing at or behind size is on its way to the state, and flushes first what the new size must not get ahead
// of: bytes accepted below it and beyond the size the state knows. in.mu is held.
func (f *FS) readyForSize(in *inode, size int64) error {
	for {
		if err := f.quiet(in, size, MaxSize); err != nil {
			return err
		}
		rec, err := f.trimmed(in)
		if err != nil || in.data == nil || in.data.endBelow(size) <= int64(rec.size) {
			return err
		}
		if err := f.flushLocked(in); err != nil {
			return err
		}
	}
}

// endBelow is the end of the dirty data that would be left if all from off on were cut.
func (d *fileData) endBelow(off int64) (end int64) {
	for _, l := range [...][]*chunk{d.dirty, d.flying} {
		i := from(l, off)
		if i < len(l) && l[i].off < off {
			return off
		}
		if i > 0 {
			end = max(end, l[i-1].end())
		}
	}
	return end
}

// resize commits the new size. in.mu is held.
func (f *FS) resize(in *inode, size int64, s SetAttr) error {
	whole := true
	err := f.update(shrinks, func(t *txn) error {
		r, err := t.edit(in.id)
		if err != nil {
			return err
		}
		if whole, err = t.unmap(in.id, r, size, math.MaxInt64); err != nil {
			return err
		}
		if !whole {
			t.Put(orphanKey(in.id), []byte{formatVersion})
		}
		r.size = uint64(size)
		if err := t.dropCapability(in.id, r); err != nil {
			return err
		}
		return t.setAttr(in, r, s)
	})
	if err == nil && !whole {
		in.untrimmed = true
		_, err = f.trimmed(in)
	}
	return err
}

// trimmed returns the inode's record after making sure that there are no extents behind its end: it may grow. in.mu is held.
func (f *FS) trimmed(in *inode) (record, error) {
	if in.untrimmed {
		if err := f.trim(in); err != nil {
			return record{}, err
		}
		in.untrimmed = false
	}
	return f.record(in)
}

// trim gives back the extents behind a file's end, in bounded steps. in.mu is held.
func (f *FS) trim(in *inode) error {
	for whole := false; !whole; {
		err := f.update(shrinks, func(t *txn) error {
			r, err := t.edit(in.id)
			if err != nil {
				return err
			}
			if whole, err = t.unmap(in.id, r, int64(r.size), math.MaxInt64); err == nil && whole && r.nlink > 0 {
				t.Delete(orphanKey(in.id))
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
