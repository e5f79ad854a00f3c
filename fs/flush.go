package fs

import (
	"dfsmount/segment"
	"fmt"
)

// Sealed chunks are committed together, but not too many of them.
const (
	commitChunks = 64
	commitBytes  = 1 << 20
)

func (d *fileData) due() bool {
	return len(d.todo) == 0 && d.sealing == 0 || d.sealed >= commitChunks || d.sealedBytes >= commitBytes
}

// commit makes sealed chunks part of the state, with the size they reach: one transaction. in.mu is held.
func (f *FS) commit(in *inode, d *fileData) {
	rec, err := f.trimmed(in)
	for err == nil && d.err == nil {
		ready, blocker := d.committable(int64(rec.size))
		if blocker >= 0 && d.launch(blocker) {
			f.sealers.add(in)
		}
		if len(ready) == 0 {
			break
		}
		if err = f.commitChunks(in, d, ready); err != nil {
			break
		}
		f.committed(in, d, ready)
		if in.data == nil {
			return
		}
		rec, err = f.record(in)
	}
	switch {
	case in.dead:
		f.discard(in)
	case err != nil:
		f.failed(d, fmt.Errorf("commit data of inode %d: %w", in.id, err))
	}
}

func (f *FS) commitChunks(in *inode, d *fileData, ready []*chunk) error {
	after := in.pend
	return f.update(grows, func(t *txn) error {
		r, err := t.edit(in.id)
		if err != nil {
			return err
		}
		for _, c := range ready {
			e := extent{off: c.off, length: uint32(len(c.buf)), loc: c.loc, skip: c.skip}
			if err := t.mapExtent(in.id, r, e); err != nil {
				return err
			}
			r.size = max(r.size, uint64(c.end()))
			after.bytes -= uint64(len(c.buf))
		}
		after.apply(r)
		after.hasMtime, after.hasCtime = false, false
		t.setPend(in.id, after)
		return nil
	})
}

// committed forgets chunks that are in the state.
func (f *FS) committed(in *inode, d *fileData, ready []*chunk) {
	bytes := d.bytes
	cost := d.drop(ready)
	f.quota.release(bytes - d.bytes) // the state counts them by now
	for _, c := range ready {
		c.recycle()
	}
	f.budget.free(cost)
	f.budget.setStuck(nil)
	if d.again {
		f.launchAll(in, d)
	}
	f.settle(in, d)
	d.settled.Broadcast()
}

// launchAll hands everything that can be to the sealers. in.mu is held.
func (f *FS) launchAll(in *inode, d *fileData) {
	f.budget.free(d.launchAll())
	if len(d.todo) > 0 {
		f.sealers.add(in)
	}
}

// settle brings pend up to date after chunks went, and lets go of an inode that is clean. in.mu is held.
func (f *FS) settle(in *inode, d *fileData) {
	in.attr.Lock()
	in.pend.size, in.pend.bytes = uint64(d.end()), uint64(d.bytes)
	in.attr.Unlock()
	if d.empty() && in.data == d {
		in.data = nil
		f.ager.clean(in)
		f.table.unpin(in)
	}
}

// discard drops all dirty data of an inode that is no more. in.mu is held.
func (f *FS) discard(in *inode) {
	for d := in.data; d != nil && in.data == d; {
		if d.sealing > 0 {
			d.settled.Wait()
			continue
		}
		f.cut(in, 0, MaxSize)
	}
}

// cut drops the dirty bytes in [off, end), where nothing is busy. in.mu is held.
func (f *FS) cut(in *inode, off, end int64) {
	d := in.data
	if d == nil {
		return
	}
	reserved := d.reserved()
	bytes, cost := d.cut(off, end)
	f.store.Release(reserved - d.reserved())
	f.quota.release(bytes)
	f.budget.free(cost)
	f.settle(in, d)
	d.settled.Broadcast()
}

// reserved is how many bytes hold a claim on the disk: all that are not in the log.
func (d *fileData) reserved() (n int) {
	for _, l := range [...][]*chunk{d.dirty, d.flying} {
		for _, c := range l {
			if c.loc == (segment.Location{}) {
				n += len(c.buf)
			}
		}
	}
	return n
}

// flush returns when all that was written to the inode before is part of the state, or the error that prevents it: the same one each
// time until it is. The caller seals with the sealers.
func (f *FS) flush(in *inode) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	return f.flushLocked(in)
}

func (f *FS) flushLocked(in *inode) error {
	d := in.data
	if d == nil {
		return nil
	}
	upTo := d.seq
	f.again(in, d)
	for d.pendingUpTo(upTo) {
		if in.dead {
			return nil
		}
		if d.err != nil {
			return d.err
		}
		f.budget.free(d.launchAll())
		if c := d.popTodo(); c != nil {
			if len(d.todo) > 0 {
				f.sealers.add(in)
			}
			f.sealChunk(in, d, c)
			continue
		}
		d.settled.Wait()
	}
	return nil
}

// again tries what failed before. in.mu is held.
func (f *FS) again(in *inode, d *fileData) {
	if d.err == nil {
		return
	}
	d.retry()
	if d.err == nil && d.sealed > 0 && d.due() {
		f.commit(in, d)
	}
}

// flushAll flushes every inode that has dirty data, and returns the first error.
func (f *FS) flushAll() error {
	all := f.ager.all()
	for _, in := range all {
		f.startFlush(in) // all of them to the sealers before the first wait
	}
	var first error
	for _, in := range all {
		if err := f.flushID(in.id); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// startFlush hands the inode's dirty data to the sealers without waiting.
func (f *FS) startFlush(in *inode) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if d := in.data; d != nil {
		f.again(in, d)
		if in.data == d {
			f.launchAll(in, d)
		}
	}
}
