package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"dfsmount/segment"
)

// partPages is how many pages one part of a manifest lists.
const partPages = 16 << 10

// checkpointKey holds the location of the newest manifest in the state. Writing it puts a commit behind the manifest, so that recovery
// of an open segment, which cuts at the last commit, never cuts a checkpoint that the index relies on.
var checkpointKey = []byte{keyOwn, 'c'}

// checkpointIfDue writes a checkpoint when the changes since the last one exceed a share of the state, so that the bytes
// checkpoints add stay a constant factor of the bytes written.
func (s *Store) checkpointIfDue(ctx context.Context) error {
	s.maint.work.Lock()
	changed := s.maint.root.Changed
	s.maint.work.Unlock()
	s.mu.RLock()
	size := s.table.bytes()
	s.mu.RUnlock()
	if changed <= max(s.opts.CheckpointMin, size*3/10) {
		return nil
	}
	return s.writeCheckpoint(ctx)
}

// Checkpoint brings the index up to date and writes its pages into the log, so that recovery without the index needs nothing older than
// the pages it names. Only pages that no earlier checkpoint wrote are written.
func (s *Store) Checkpoint(ctx context.Context) error {
	if err := s.flush(); err != nil {
		return err
	}
	return s.writeCheckpoint(ctx)
}

// writeCheckpoint writes the pages of the index. Order, and what a crash leaves after each step:
//
//  1. pages appended             frames nobody refers to
//  2. manifest appended          footers from here on may name it: everything it names lies before it in the log
//  3. a commit names it, synced  the manifest can not be cut any more
//  4. the index knows the frames the next checkpoint writes them not again; before, it does
func (s *Store) writeCheckpoint(ctx context.Context) error {
	m := &s.maint
	m.work.Lock()
	defer m.work.Unlock()
	s.mu.RLock()
	t := s.table
	s.mu.RUnlock()
	if s.indexBad.Load() {
		return errIndex
	}
	c := &checkpointer{s: s, root: m.root, at: map[*pageRef]segment.Location{}}
	if err := c.write(ctx, t); err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	if err := s.cat.ix.update(c.record); err != nil {
		return fmt.Errorf("record checkpoint: %w", err)
	}
	for r, l := range c.at {
		r.at = l
	}
	m.root = c.root
	return nil
}

// checkpointer is one checkpoint on its way.
type checkpointer struct {
	s    *Store
	root root
	at   map[*pageRef]segment.Location // frames of the pages that had none
}

func (c *checkpointer) write(ctx context.Context, t *table) error {
	placed := make([]*pageRef, len(t.refs))
	for i, r := range t.refs {
		l := r.at
		if l == (segment.Location{}) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			var err error
			if l, err = c.page(r); err != nil {
				return err
			}
			c.at[r] = l
		}
		placed[i] = &pageRef{first: r.first, count: r.count, size: r.size, at: l}
	}
	loc, err := c.manifest(placed)
	if err != nil {
		return err
	}
	c.root.Checkpoint, c.root.CheckSeq, c.root.Changed = loc, c.root.Seq, 0
	return c.s.update1(func(tx *Tx) { tx.Put(checkpointKey, appendLocation(nil, loc)) })
}

func (c *checkpointer) page(r *pageRef) (segment.Location, error) {
	b, err := c.s.cat.readPage(r.id)
	if err != nil {
		return segment.Location{}, c.s.pageDamaged(err)
	}
	if b, err = pack(b); err != nil {
		return segment.Location{}, err
	}
	return c.s.log.append(segment.KindPage, b)
}

func (c *checkpointer) manifest(refs []*pageRef) (segment.Location, error) {
	m := &manifest{seq: c.root.Seq, segment: c.root.Segment, epochs: c.s.epochs.all(), pages: uint64(len(refs))}
	for part := range slices.Chunk(refs, partPages) {
		b, err := pack(appendPart(nil, part))
		if err != nil {
			return segment.Location{}, err
		}
		l, err := c.s.log.append(segment.KindPage, b)
		if err != nil {
			return segment.Location{}, err
		}
		m.parts = append(m.parts, l)
	}
	b, err := pack(m.append(nil))
	if err != nil {
		return segment.Location{}, err
	}
	return c.s.log.append(segment.KindManifest, b)
}

// record notes in the index where the pages are in the log.
func (c *checkpointer) record(w indexWriter) error {
	var errs []error
	for r, l := range c.at {
		with := &pageRef{first: r.first, id: r.id, count: r.count, size: r.size, at: l}
		c.root.Sum.add(r.hash(c.root.SumKey), ^uint64(0)) // minus
		c.root.Sum.add(with.hash(c.root.SumKey), 1)
		k := pageKey(r.id)
		errs = append(errs, w.put(bucketDir, k, c.s.cat.seal(bucketDir, k, appendRecord(nil, with))))
	}
	errs = append(errs, c.s.cat.putRoot(w, c.root))
	return errors.Join(errs...)
}

// all returns the table of epochs.
func (e *epochs) all() []epochStart {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return slices.Clone(e.starts)
}
