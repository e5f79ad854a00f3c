package fs

import (
	"context"
	"dfsmount/cache"
	"fmt"
)

// span is a range of a file.
type span struct{ off, end int64 }

// Read fills dst from off; short at the end of the file. ctx ends only waits on the network.
func (f *FS) Read(ctx context.Context, ino InodeID, dst []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errInvalid
	}
	in, _, err := f.file(ino)
	if err != nil {
		return 0, err
	}
	defer f.table.unpin(in)
	p, err := f.plan(in, dst, off)
	if err == nil {
		err = f.fetch(ctx, p)
	}
	if err != nil {
		// The log may have moved what the plan names. If the file is as it was, the error is real.
		q, e := f.plan(in, dst, off)
		if e != nil || q.same(p) {
			return 0, fault(fmt.Sprintf("read inode %d at %d", ino, off), err)
		}
		p, err = q, f.fetch(ctx, q)
	}
	if err != nil {
		return 0, fault(fmt.Sprintf("read inode %d at %d", ino, off), err)
	}
	return len(p.dst), nil
}

// plan is what a read has to fetch once no lock is held. Dirty bytes and holes are in dst already.
type plan struct {
	dst     []byte
	off     int64
	fetches []extent // cut to what is wanted
}

func (p plan) same(q plan) bool {
	if len(p.fetches) != len(q.fetches) {
		return false
	}
	for i := range p.fetches {
		if p.fetches[i] != q.fetches[i] {
			return false
		}
	}
	return true
}

// plan copies the dirty bytes of [off, off+len(dst)) and finds the extents of the rest, at one moment.
func (f *FS) plan(in *inode, dst []byte, off int64) (plan, error) {
	in.mu.RLock()
	defer in.mu.RUnlock()
	rec, err := f.record(in)
	if err != nil {
		return plan{}, err
	}
	size := int64(max(rec.size, in.pend.size))
	if off >= size {
		return plan{}, nil
	}
	p := plan{dst: dst[:min(int64(len(dst)), size-off)], off: off}
	clean := in.data.overlay(p.dst, off)
	err = f.view(func(tx *cache.Tx) error {
		for _, g := range clean {
			clear(p.dst[g.off-off : g.end-off])
			err := scanExtents(tx, in.id, g.off, g.end, func(_ []byte, e extent) bool {
				p.fetches = append(p.fetches, e.part(g.off, g.end))
				return true
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return p, err
}

// fetch reads the extents of a plan.
func (f *FS) fetch(ctx context.Context, p plan) error {
	for _, e := range p.fetches {
		at := e.off - p.off
		if err := f.store.Read(ctx, e.loc, int(e.skip), p.dst[at:at+int64(e.length)]); err != nil {
			return err
		}
	}
	return nil
}

// overlay copies the dirty bytes of a range into dst and returns the spans that have none.
func (d *fileData) overlay(dst []byte, off int64) []span {
	end := off + int64(len(dst))
	if d == nil {
		return []span{{off, end}}
	}
	for i := from(d.flying, off); i < len(d.flying) && d.flying[i].off < end; i++ {
		d.flying[i].copyTo(dst, off)
	}
	for i := from(d.dirty, off); i < len(d.dirty) && d.dirty[i].off < end; i++ {
		d.dirty[i].copyTo(dst, off)
	}
	return d.clean(off, end)
}

func (c *chunk) copyTo(dst []byte, off int64) {
	if c.off >= off {
		copy(dst[c.off-off:], c.buf)
	} else {
		copy(dst, c.buf[off-c.off:])
	}
}

// clean returns the spans of [off, end) without dirty bytes.
func (d *fileData) clean(off, end int64) (gaps []span) {
	for off < end {
		next := d.nextDirty(off, end)
		if next.off > off {
			gaps = append(gaps, span{off, next.off})
		}
		off = next.end
	}
	return gaps
}

// nextDirty returns the first chunk's range in [off, end), or {end, end}.
func (d *fileData) nextDirty(off, end int64) span {
	s := span{end, end}
	for _, l := range [...][]*chunk{d.flying, d.dirty} {
		if i := from(l, off); i < len(l) && max(l[i].off, off) < s.off {
			s = span{max(l[i].off, off), l[i].end()}
		}
	}
	return s
}
