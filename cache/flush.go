package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"dfsmount/segment"
)

// maintenance is the state of the goroutine that flushes the overlay and writes checkpoints.
type maintenance struct {
	kick chan struct{}

	mu       sync.Mutex
	cond     sync.Cond // a flush ended, or the store failed
	attempts uint64
	err      error // of the last flush, nil if it succeeded

	work sync.Mutex // held while the index is changed by a flush or a checkpoint; guards root
	root root
}

// maintain flushes whatever is frozen when it is kicked, and tries again each second after a failure (the disk is full, say): the
// overlay keeps everything meanwhile.
func (s *Store) maintain(ctx context.Context) {
	retry := time.NewTicker(time.Second)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.maint.kick:
		case <-retry.C:
			if s.IndexErr() == nil {
				continue
			}
		}
		if err := s.flushFrozen(); err != nil {
			s.opts.Log.Warn("cannot bring the index up to date, trying again", "err", err)
			continue
		}
		if err := s.checkpointIfDue(ctx); err != nil {
			s.opts.Log.Warn("cannot write a checkpoint, trying again later", "err", err)
		}
	}
}

// IndexErr is what keeps the index from being brought up to date; nil while all is well. The store works on in RAM.
func (s *Store) IndexErr() error {
	s.maint.mu.Lock()
	defer s.maint.mu.Unlock()
	return s.maint.err
}

// frozenAt releases a frozen overlay to the flush: it ends with this commit, which is durable. The order matters: were the index ahead of the
// log after a crash, it would hold changes that no log can explain.
func (s *Store) frozenAt(seq uint64, in segment.ID) {
	s.mu.Lock()
	s.frozen.seq, s.frozen.segment, s.frozen.ready = seq, in, true
	s.mu.Unlock()
	wake(s.maint.kick)
}

// waitFlush waits until the flush under way has ended. ErrFull if it fails and the overlay has grown to four times its size.
func (s *Store) waitFlush() error {
	m := &s.maint
	m.mu.Lock()
	defer m.mu.Unlock()
	for start := m.attempts; m.attempts == start && s.frozenExists() && m.err == nil && s.Err() == nil; {
		m.cond.Wait()
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if m.err != nil && s.active.bytes > 4*s.opts.OverlayBytes {
		return fmt.Errorf("%w: the index cannot be written: %w", ErrFull, m.err)
	}
	return s.Err()
}

func (s *Store) frozenExists() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.frozen != nil
}

// Flush brings the index up to everything completed so far, making it durable in the log first.
func (s *Store) flush() error {
	for range 2 { // one overlay may be frozen already
		s.mu.Lock()
		s.flushWanted = true
		s.mu.Unlock()
		if err := s.freezeNow(); err != nil {
			return err
		}
		if err := s.flushFrozen(); err != nil {
			return err
		}
	}
	return nil
}

// flushFrozen merges the frozen overlay into the pages: one update of the index, then the new directory takes the place of the
// old one and the frozen overlay is gone. A crash in between leaves the new index, which replay finds up to date.
func (s *Store) flushFrozen() error {
	m := &s.maint
	m.work.Lock()
	defer m.work.Unlock()
	s.mu.RLock()
	fr, old := s.frozen, s.table
	idle := fr == nil || !fr.ready
	s.mu.RUnlock()
	if idle {
		return nil
	}
	fl := &flusher{s: s, root: m.root, over: fr, old: old}
	err := fl.run()
	if err == nil {
		m.root = fl.root
		s.mu.Lock()
		s.table, s.frozen = fl.next, nil
		s.mu.Unlock()
		s.pages.drop(fl.dead)
	}
	m.mu.Lock()
	m.attempts++
	m.err = err
	m.cond.Broadcast()
	m.mu.Unlock()
	return err
}

// flusher is one flush on its way.
type flusher struct {
	s    *Store
	root root
	over *overlay
	old  *table

	next  *table
	dead  []*pageRef // replaced
	fresh []*pageRef
	data  [][]byte // encoded pages of fresh
}

func (f *flusher) run() error {
	if f.s.indexBad.Load() {
		return errIndex
	}
	if err := f.merge(); err != nil {
		return fmt.Errorf("merge overlay into pages: %w", err)
	}
	garbage := f.root.Garbage
	f.account()
	err := f.s.cat.ix.update(func(w indexWriter) error { return f.write(w, garbage) })
	f.s.segs.saved(err == nil)
	if err != nil {
		return fmt.Errorf("write index: %w", err)
	}
	return nil
}

// merge walks pages and overlay side by side. Pages without a change are taken over as they are.
func (f *flusher) merge() error {
	over := newOverlayCursor(f.over, "")
	more := over.next()
	f.next = &table{refs: make([]*pageRef, 0, len(f.old.refs)+16)}
	refs := f.old.refs
	for i := 0; i < len(refs); {
		end := f.upper(i)
		if !more || end != nil && over.key() >= *end {
			f.next.refs = append(f.next.refs, refs[i])
			i++
			continue
		}
		entries, err := f.mergePage(nil, i, over, &more)
		for i++; err == nil && i < len(refs) && sizeOf(entries) < pageMin && refs[i].size < pageTarget; i++ {
			entries, err = f.mergePage(entries, i, over, &more) // a page become small takes its neighbour in
		}
		if err != nil {
			return err
		}
		f.emit(entries)
	}
	if more { // no page yet
		var entries []entry
		for ; more; more = over.next() {
			if v := over.value(); v != nil {
				entries = append(entries, entry{raw(over.key()), v})
			}
		}
		f.emit(entries)
	}
	return nil
}

// upper is the first key behind page i; nil if it is the last.
func (f *flusher) upper(i int) *string {
	if i+1 == len(f.old.refs) {
		return nil
	}
	return &f.old.refs[i+1].first
}

// mergePage appends the entries of page i, changed as the overlay says.
func (f *flusher) mergePage(dst []entry, i int, over *overlayCursor, more *bool) ([]entry, error) {
	ref, end := f.old.refs[i], f.upper(i)
	p, err := f.s.loadPage(ref)
	if err != nil {
		return nil, err
	}
	f.dead = append(f.dead, ref)
	at := 0
	for {
		changed := *more && (end == nil || over.key() < *end)
		switch {
		case !changed && at == p.len():
			return dst, nil
		case !changed || at < p.len() && text(p.key(at)) < over.key():
			dst = append(dst, entry{p.key(at), p.value(at)})
			at++
		default:
			if at < p.len() && text(p.key(at)) == over.key() {
				at++
			}
			if v := over.value(); v != nil {
				dst = append(dst, entry{raw(over.key()), v})
			}
			*more = over.next()
		}
	}
}

// emit makes pages of entries.
func (f *flusher) emit(entries []entry) {
	if len(entries) == 0 {
		return
	}
	for _, run := range split(entries) {
		b := encodePage(nil, run)
		r := &pageRef{first: string(run[0].key), id: f.root.Next, count: uint32(len(run)), size: uint32(len(b))}
		f.root.Next++
		f.next.refs = append(f.next.refs, r)
		f.fresh = append(f.fresh, r)
		f.data = append(f.data, b)
	}
}

// account brings the root up to date.
func (f *flusher) account() {
	f.root.Garbage = nil
	for _, r := range f.dead {
		f.root.Sum.add(r.hash(f.root.SumKey), ^uint64(0)) // minus
		f.root.Garbage = append(f.root.Garbage, r.id)
	}
	for _, r := range f.fresh {
		f.root.Sum.add(r.hash(f.root.SumKey), 1)
	}
	f.root.Pages = len(f.next.refs)
	f.root.Seq, f.root.Segment = f.over.seq, f.over.segment
	f.root.Chain = f.s.chainEnd()
	f.root.Changed += f.over.bytes
}

func (f *flusher) write(w indexWriter, garbage []uint64) error {
	var errs []error
	for _, id := range garbage {
		errs = append(errs, w.delete(bucketPages, pageKey(id)))
	}
	for _, r := range f.dead {
		errs = append(errs, w.delete(bucketDir, pageKey(r.id)))
	}
	for i, r := range f.fresh {
		errs = append(errs, f.s.cat.putPage(w, r, f.data[i]))
	}
	errs = append(errs, f.s.segs.save(f.s.cat, w), f.s.cat.putRoot(w, f.root))
	return errors.Join(errs...)
}

func sizeOf(entries []entry) (n int) {
	for _, e := range entries {
		n += entrySize(e)
	}
	return n
}
