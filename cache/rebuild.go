package cache

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"dfsmount/internal/disk"
	"dfsmount/seal"
	"dfsmount/segment"
)

// rebuild makes a new index from the log that is here: from the newest checkpoint that a footer names, or empty. Replay adds the rest.
// Acknowledgements are not known any more. The root is written last: until then there is no index, and the next Open starts over.
func (s *Store) rebuild(ctx context.Context, ix index, files logFiles) error {
	newest := segment.ID(0)
	for id := range files.sealed {
		newest = max(newest, id)
	}
	if newest == 0 {
		return s.emptyIndex(ix, 1)
	}
	if err := s.peekEpochs(files, newest); err != nil {
		return err
	}
	e, _ := s.segs.get(newest)
	sealed, err := s.readSealed(ctx, newest)
	if err != nil {
		return fmt.Errorf("newest sealed segment: %w", err)
	}
	if sealed.Footer.Checkpoint == (segment.Location{}) {
		if int(newest) != len(files.sealed) {
			return fmt.Errorf("%w: the index is gone, there is no checkpoint, and segments are missing", ErrDamaged)
		}
		return s.emptyIndex(ix, e.epoch)
	}
	at := sealed.Footer.Checkpoint
	m, refs, err := s.readManifest(ctx, at)
	if err != nil {
		return fmt.Errorf("read checkpoint in segment %d: %w", at.Segment, err)
	}
	return s.loadCheckpoint(ctx, ix, at, m, refs, e.epoch)
}

// peekEpochs lists segments 1 to newest, those that are here with the epoch and size their files claim. Opening one proves its
// epoch.
func (s *Store) peekEpochs(files logFiles, newest segment.ID) error {
	s.segs.add(newest, segmentEntry{})
	for _, id := range slices.Sorted(maps.Keys(files.sealed)) {
		e := segmentEntry{local: true}
		if err := s.peek(id, &e); err != nil {
			return err
		}
		s.segs.add(id, e)
	}
	return nil
}

func (s *Store) peek(id segment.ID, e *segmentEntry) error {
	f, err := s.disk.Open(sealedName(id), disk.Read)
	if err != nil {
		return fmt.Errorf("open segment %d: %w", id, err)
	}
	defer f.Close()
	if e.size, err = f.Size(); err != nil {
		return fmt.Errorf("size of segment %d: %w", id, err)
	}
	h, err := segment.PeekHeader(f)
	if err != nil {
		s.opts.Log.Error("header of a segment is damaged", "segment", uint64(id), "err", err)
		return nil // who needs it asks the nodes
	}
	e.epoch = h.Epoch
	return nil
}

// loadCheckpoint fills an empty index with the pages of a checkpoint.
func (s *Store) loadCheckpoint(ctx context.Context, ix index, at segment.Location, m *manifest, refs []*pageRef, epoch uint64) error {
	var r root
	s.cat, r = newCatalog(ix, s.keys)
	r.Epoch, r.Seq, r.Segment, r.Pages, r.Checkpoint, r.CheckSeq = epoch, m.seq, m.segment, len(refs), at, m.seq
	if err := s.cat.clear(); err != nil {
		return fmt.Errorf("empty index: %w", err)
	}
	for _, ref := range refs {
		ref.id = r.Next
		r.Next++
		r.Sum.add(ref.hash(r.SumKey), 1)
	}
	if err := s.copyPages(ctx, refs); err != nil {
		return fmt.Errorf("read pages of the checkpoint in segment %d: %w", at.Segment, err)
	}
	err := ix.update(func(w indexWriter) error { return errors.Join(s.segs.save(s.cat, w), s.cat.putRoot(w, r)) })
	s.segs.saved(err == nil)
	if err != nil {
		return fmt.Errorf("write index root: %w", err)
	}
	s.maint.root, s.table = r, &table{refs: refs}
	return nil
}

// readManifest returns a checkpoint's description and its pages, ascending. It takes the epochs over, which the frames of
// older segments need to be opened.
func (s *Store) readManifest(ctx context.Context, at segment.Location) (*manifest, []*pageRef, error) {
	body, err := s.readPacked(ctx, segment.KindManifest, at)
	if err != nil {
		return nil, nil, err
	}
	m, err := parseManifest(body)
	if err != nil {
		return nil, nil, err
	}
	s.epochs.mu.Lock()
	s.epochs.starts = m.epochs
	s.epochs.mu.Unlock()
	refs, err := s.readParts(ctx, m)
	return m, refs, err
}

// readParts returns the pages a manifest lists.
func (s *Store) readParts(ctx context.Context, m *manifest) (refs []*pageRef, err error) {
	for _, part := range m.parts {
		body, err := s.readPacked(ctx, segment.KindPage, part)
		if err != nil {
			return nil, err
		}
		more, err := parsePart(body)
		if err != nil || len(refs) > 0 && len(more) > 0 && more[0].first <= refs[len(refs)-1].first {
			return nil, fmt.Errorf("%w: part in segment %d, offset %d", errManifest, part.Segment, part.Offset)
		}
		refs = append(refs, more...)
	}
	if uint64(len(refs)) != m.pages {
		return nil, fmt.Errorf("%w: %d pages, want %d", errManifest, len(refs), m.pages)
	}
	return refs, nil
}

func (s *Store) readPacked(ctx context.Context, kind seal.Kind, l segment.Location) ([]byte, error) {
	b, err := s.readFrame(ctx, kind, l)
	if err != nil {
		return nil, err
	}
	return unpack(b)
}

// copyBatch is how many pages are written to the index in one update.
const copyBatch = 2000

// copyPages reads the pages of refs from the log, in the order they lie there, and writes them to the index.
func (s *Store) copyPages(ctx context.Context, refs []*pageRef) error {
	byPlace := slices.Clone(refs)
	slices.SortFunc(byPlace, func(a, b *pageRef) int {
		return cmp.Or(cmp.Compare(a.at.Segment, b.at.Segment), cmp.Compare(a.at.Offset, b.at.Offset))
	})
	for batch := range slices.Chunk(byPlace, copyBatch) {
		data := make([][]byte, 0, len(batch))
		for run := range runs(batch) {
			more, err := s.readRun(ctx, run)
			if err != nil {
				return err
			}
			data = append(data, more...)
		}
		err := s.cat.ix.update(func(w indexWriter) error {
			for i, r := range batch {
				if err := s.cat.putPage(w, r, data[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("write index: %w", err)
		}
	}
	return nil
}

// Runs of pages are fetched from a node in one request, with what lies between them.
const (
	runGap  = 256 << 10
	runSize = 4 << 20
)

// runs cuts refs, which are in the order of their places, where the next page is in another segment or far away.
func runs(refs []*pageRef) func(yield func([]*pageRef) bool) {
	return func(yield func([]*pageRef) bool) {
		for start, i := 0, 1; i <= len(refs); i++ {
			if i < len(refs) && near(refs[start].at, refs[i-1].at, refs[i].at) {
				continue
			}
			if !yield(refs[start:i]) {
				return
			}
			start = i
		}
	}
}

func near(first, last, next segment.Location) bool {
	return next.Segment == first.Segment && int64(next.Offset) < frameEnd(last)+runGap && frameEnd(next)-int64(first.Offset) < runSize
}

func frameEnd(l segment.Location) int64 { return int64(l.Offset) + segment.FrameSize(int(l.Length)) }

// readRun returns the encoded pages of a run.
func (s *Store) readRun(ctx context.Context, run []*pageRef) ([][]byte, error) {
	data := make([][]byte, len(run))
	take := func(i int, b []byte) error {
		body, err := unpack(b)
		if err != nil {
			return err
		}
		p, err := decodePage(body)
		if err != nil || !bytes.Equal(p.key(0), raw(run[i].first)) || p.len() != int(run[i].count) || len(body) != int(run[i].size) {
			return fmt.Errorf("%w: page in segment %d, offset %d is not the one listed: %v", errManifest, run[i].at.Segment, run[i].at.Offset, err)
		}
		data[i] = body
		return nil
	}
	if s.here(run[0].at.Segment) {
		for i, r := range run {
			b, err := s.readFrame(ctx, segment.KindPage, r.at)
			if err == nil {
				err = take(i, b)
			}
			if err != nil {
				return nil, err
			}
		}
		return data, nil
	}
	return data, s.fetchRun(ctx, run, take)
}

// fetchRun fetches a run of pages in one request and opens each.
func (s *Store) fetchRun(ctx context.Context, run []*pageRef, take func(i int, b []byte) error) error {
	id, start := run[0].at.Segment, int64(run[0].at.Offset)
	header, err := s.header(ctx, id)
	if err != nil {
		return err
	}
	return s.fetch(ctx, id, start, frameEnd(run[len(run)-1].at)-start, func(b []byte) error {
		r, err := segment.OpenHeader(pieces{{0, header}, {start, b}}, s.keys, id, s.epochOf(id))
		if err != nil {
			return err
		}
		for i, ref := range run {
			plain, err := r.ReadFrame(nil, segment.KindPage, ref.at)
			if err == nil {
				err = take(i, plain)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}
