package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"dfsmount/segment"
)

// checkpoint verifies L6: the newest checkpoint and the footers behind it make the same state as the index and the overlay. It is
// skipped while parts of it are not here or transactions pend. Flushes wait for it; nothing else does.
func (c *checker) checkpoint(ctx context.Context) error {
	c.s.maint.work.Lock()
	defer c.s.maint.work.Unlock()
	end := c.s.chainEnd()
	live, seq, settled := c.snapshot()
	if end.Manifest == (segment.Location{}) || !settled || seq != end.LastSeq {
		return nil
	}
	logged, err := c.logged(ctx, end)
	if err == nil {
		err = c.compare(ctx, logged, live)
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && !errors.Is(err, errRemote):
		c.found("L6", "checkpoint in segment %d: %v", end.Manifest.Segment, err)
	}
	return nil
}

// view is a state to be walked: changes over pages.
type view struct {
	over []*overlay // newest first
	t    *table
	load func(*pageRef) (*page, error)
}

func (v *view) walk() (*merge, *pageCursor) {
	pages := newPageCursor(v.t, v.load, "")
	var src []cursor
	for _, o := range v.over {
		src = append(src, newOverlayCursor(o, ""))
	}
	return newMerge(append(src, pages)...), pages
}

// snapshot is the state as it is now: a copy of the overlay costs next to nothing, and pages change only in flushes.
func (c *checker) snapshot() (v *view, seq uint64, settled bool) {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	v = &view{over: []*overlay{{m: *s.active.m.Copy()}}, t: s.table, load: s.loadPage}
	if s.frozen != nil {
		v.over = append(v.over, s.frozen)
	}
	seq, _ = s.log.committed()
	return v, seq, len(s.pending) == 0
}

// logged is the state as the log alone tells it.
func (c *checker) logged(ctx context.Context, end chainEnd) (*view, error) {
	m, refs, err := c.manifest(ctx, end.Manifest)
	if err != nil {
		return nil, err
	}
	over := &overlay{}
	for n := max(m.segment, 1); n <= end.Number; n++ {
		if !c.s.here(n) {
			return nil, errRemote
		}
		sealed, err := c.s.openSealed(n, c.s.epochOf(n))
		if err != nil {
			return nil, err
		}
		if sealed.Footer.LastSeq > m.seq {
			over.apply(sealed.Footer.Changes)
		}
	}
	load := func(r *pageRef) (*page, error) {
		body, err := c.s.readPacked(ctx, segment.KindPage, r.at)
		if err != nil {
			return nil, err
		}
		return decodePage(body)
	}
	return &view{over: []*overlay{over}, t: &table{refs: refs}, load: load}, nil
}

// manifest reads a checkpoint's description if all of the checkpoint is here.
func (c *checker) manifest(ctx context.Context, at segment.Location) (*manifest, []*pageRef, error) {
	if !c.s.here(at.Segment) {
		return nil, nil, errRemote
	}
	body, err := c.s.readPacked(ctx, segment.KindManifest, at)
	if err != nil {
		return nil, nil, err
	}
	m, err := parseManifest(body)
	if err != nil {
		return nil, nil, err
	}
	for _, part := range m.parts {
		if !c.s.here(part.Segment) {
			return nil, nil, errRemote
		}
	}
	refs, err := c.s.readParts(ctx, m)
	for _, r := range refs {
		if !c.s.here(r.at.Segment) {
			return nil, nil, errRemote
		}
	}
	return m, refs, err
}

// compare walks two states side by side.
func (c *checker) compare(ctx context.Context, a, b *view) error {
	ma, pa := a.walk()
	mb, pb := b.walk()
	for n := 0; ; n++ {
		ka, va, oka := ma.take()
		kb, vb, okb := mb.take()
		if err := errors.Join(pa.err, pb.err, ctx.Err()); err != nil {
			return err
		}
		switch {
		case !oka && !okb:
			return nil
		case oka != okb || ka != kb || !bytes.Equal(va, vb):
			return fmt.Errorf("the log and the index differ at entry %d", n)
		}
	}
}

// take returns the next entry that is no tombstone.
func (m *merge) take() (key string, value []byte, ok bool) {
	for {
		i := m.head()
		if i < 0 {
			return "", nil, false
		}
		key, value = m.src[i].key(), m.src[i].value()
		m.skip(key)
		if value != nil {
			return key, value, true
		}
	}
}
