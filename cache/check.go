package cache

import (
	"bytes"
	"context"
	"fmt"
)

// Problem is one thing Check found wrong: the invariant (L1 …, see the package comment) and where.
type Problem struct{ Rule, Text string }

// CheckOptions say how much Check reads.
type CheckOptions struct {
	Data     bool                    // read and authenticate every local segment as a whole
	Progress func(done, total int64) // called now and then; may be nil
}

// Check verifies the invariants of the package comment against the disk, on a store in use. An error means that it could not look.
func (s *Store) Check(ctx context.Context, o CheckOptions) ([]Problem, error) {
	c := &checker{s: s, o: o}
	if err := s.flush(); err != nil {
		return nil, err
	}
	if _, err := s.SealNow(ctx); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{c.pages, c.acks, c.chain, c.checkpoint} {
		if err := step(ctx); err != nil {
			return c.problems, fmt.Errorf("check local store: %w", err)
		}
	}
	return c.problems, nil
}

type checker struct {
	s        *Store
	o        CheckOptions
	problems []Problem
}

func (c *checker) found(rule, format string, args ...any) {
	c.problems = append(c.problems, Problem{rule, fmt.Sprintf(format, args...)})
}

// pages verifies L1: the directory covers all keys once, in order, and every page is what its record says.
func (c *checker) pages(ctx context.Context) error {
	m := &c.s.maint
	m.work.Lock()
	defer m.work.Unlock()
	stored, err := c.s.cat.readTable(m.root)
	if err != nil {
		c.found("L1", "directory of pages: %v", err)
		return nil
	}
	c.s.mu.RLock()
	live := c.s.table
	c.s.mu.RUnlock()
	if len(stored.refs) != len(live.refs) {
		c.found("L1", "the directory in RAM lists %d pages, the index %d", len(live.refs), len(stored.refs))
	}
	for i, r := range stored.refs {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		c.page(r, stored.refs, i)
	}
	return nil
}

func (c *checker) page(r *pageRef, refs []*pageRef, i int) {
	b, err := c.s.cat.readPage(r.id)
	if err != nil {
		c.found("L1", "%v", err)
		return
	}
	p, err := decodePage(b)
	switch {
	case err != nil:
		c.found("L1", "page %d: %v", r.id, err)
	case p.len() != int(r.count) || len(b) != int(r.size) || !bytes.Equal(p.key(0), raw(r.first)):
		c.found("L1", "page %d is not what the directory says", r.id)
	case i+1 < len(refs) && text(p.key(p.len()-1)) >= refs[i+1].first:
		c.found("L1", "pages %d and %d overlap", r.id, refs[i+1].id)
	}
}

// acks verifies L5: only sealed segments are acknowledged.
func (c *checker) acks(context.Context) error {
	newest := c.s.Newest()
	c.s.acks.mu.Lock()
	defer c.s.acks.mu.Unlock()
	for node, set := range c.s.acks.byNode {
		if n := len(set); n > 0 && set[n-1].Last > newest {
			c.found("L5", "node %x acknowledged segment %d, the newest sealed one is %d", node, set[n-1].Last, newest)
		}
	}
	return nil
}

// chain verifies L4: the sealed segments here follow each other, and with Data every frame of them.
func (c *checker) chain(ctx context.Context) error {
	var prev chainEnd
	var done, total int64
	infos := c.s.Segments(1)
	for _, i := range infos {
		total += i.Size
	}
	for _, i := range infos {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		prev = c.segment(i, prev)
		if done += i.Size; c.o.Progress != nil {
			c.o.Progress(done, total)
		}
	}
	return nil
}

func (c *checker) segment(i SegmentInfo, prev chainEnd) chainEnd {
	if !i.Local {
		return chainEnd{}
	}
	sealed, err := c.s.openSealed(i.Number, i.Epoch)
	if err == nil {
		err = follows(prev, sealed)
	}
	if err == nil && c.o.Data {
		err = c.data(i)
	}
	if err != nil {
		c.found("L4", "segment %d: %v", i.Number, err)
		return chainEnd{}
	}
	return endOf(sealed)
}

func (c *checker) data(i SegmentInfo) error {
	f, err := c.s.OpenLocal(i.Number)
	if err != nil {
		return err
	}
	defer f.Close()
	return c.s.VerifySegment(i.Number, i.Epoch, f)
}
