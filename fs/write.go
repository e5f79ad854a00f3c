package fs

import (
	"errors"
	"sync"
	"syscall"
)

// Write puts data at off. ENOSPC, EDQUOT and EFBIG are known before anything is accepted. data is not kept. killSUID: WRITE_KILL_SUIDGID.
func (f *FS) Write(ino InodeID, data []byte, off int64, killSUID bool) (int, error) {
	if off < 0 {
		return 0, syscall.EINVAL
	}
	in, rec, err := f.file(ino)
	if err != nil {
		return 0, err
	}
	defer f.table.unpin(in)
	if len(data) == 0 {
		return 0, nil
	}
	if off >= MaxSize {
		return 0, syscall.EFBIG
	}
	data = data[:min(int64(len(data)), MaxSize-off)]
	if rec.flags&flagCapability != 0 || killSUID && rec.privileged() {
		if err := f.dropPrivileges(in, killSUID); err != nil {
			return 0, err
		}
	}
	for n := 0; n < len(data); {
		piece := data[n:min(len(data), n+piece)]
		if err := f.accept(in, piece, off+int64(n)); err != nil {
			if n > 0 {
				return n, nil
			}
			return 0, err
		}
		n += len(piece)
	}
	return len(data), nil
}

// piece is the most that is accepted at once: with the chunks it may need, it fits the smallest budget.
const piece = 512 << 10

// accept makes p part of the file's dirty data.
func (f *FS) accept(in *inode, p []byte, off int64) error {
	claim := claimFor(off, int64(len(p)))
	if err := f.claimQuota(in, off, int64(len(p))); err != nil {
		return err
	}
	if err := f.claim(claim, len(p)); err != nil {
		f.quota.release(int64(len(p)))
		return err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.dead {
		f.budget.free(claim)
		f.store.Release(len(p))
		f.quota.release(int64(len(p)))
		return syscall.ENOENT
	}
	size := f.sizeLocked(in)
	d := f.dirtyData(in)
	bytes, cost := d.put(p, off)
	f.budget.free(claim - cost)
	f.store.Release(len(p) - int(bytes))
	f.quota.release(int64(len(p)) - bytes)
	f.written(in, d)
	f.ageing(in, d)
	f.launchPassed(in, d, off, off+int64(len(p)), size)
	return nil
}

// claimFor is the most memory that writing n bytes at off can need.
func claimFor(off, n int64) int64 {
	slots := (off+n-1)/slot - off/slot + 1
	return slots * (slot + 4*chunkOverhead)
}

var errClosed = errors.New("the filesystem is closed")

// claim takes memory and room on the disk for a write, waiting for the sealers if there is too much dirty data.
func (f *FS) claim(memory int64, bytes int) error {
	if f.closed.Load() {
		return errClosed
	}
	if !f.budget.take(memory) {
		if err := f.budget.wait(memory); err != nil {
			return err
		}
	}
	if err := f.store.Reserve(bytes); err != nil {
		f.budget.free(memory)
		return answered(err)
	}
	return nil
}

// dirtyData returns the inode's dirty data, made if need be. in.mu is held; the caller puts something into it.
func (f *FS) dirtyData(in *inode) *fileData {
	if in.data == nil {
		in.data = &fileData{settled: sync.NewCond(&in.mu), inFlight: &f.budget.flying}
		f.table.with(in.id, func(in *inode) { in.pins++ })
	}
	return in.data
}

// written notes what a write does to the attributes.
func (f *FS) written(in *inode, d *fileData) {
	in.attr.Lock()
	defer in.attr.Unlock()
	in.pend.size, in.pend.bytes = uint64(d.end()), uint64(d.bytes)
	if !f.o.NoMtimeWrite {
		t := now()
		in.pend.mtime, in.pend.ctime = t, t
		in.pend.hasMtime, in.pend.hasCtime = true, true
	}
}

// launchPassed hands chunks that a stream has filled up to their slot's end to the sealers. A chunk that begins behind the
// file's end is left to age: the kernel's writeback may bring what belongs before it a moment later.
func (f *FS) launchPassed(in *inode, d *fileData, off, end, size int64) {
	for at := off | (slot - 1); at < end; at += slot {
		i := from(d.dirty, at)
		if i == len(d.dirty) || d.dirty[i].off > at {
			continue
		}
		c := d.dirty[i]
		if c.off <= size && len(c.buf) >= eager && d.launch(i) {
			size = max(size, c.end())
			f.sealers.add(in)
		}
	}
}

// sizeLocked is the size of the file as far as RAM knows it. in.mu is held.
func (f *FS) sizeLocked(in *inode) int64 {
	in.attr.Lock()
	defer in.attr.Unlock()
	return int64(max(in.rec.size, in.pend.size))
}

// dropPrivileges does what a write by others than root does to setuid, setgid and capabilities.
func (f *FS) dropPrivileges(in *inode, killSUID bool) error {
	return f.update(grows, func(t *txn) error {
		r, err := t.edit(in.id)
		if err != nil {
			return err
		}
		if killSUID {
			r.dropPrivileges()
		}
		r.ctime = t.now
		return t.dropCapability(in.id, r)
	})
}
