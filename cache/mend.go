package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"dfsmount/internal/disk"
	"dfsmount/segment"
)

// tailFile is a segment that was open when the process ended.
type tailFile struct {
	id  segment.ID
	f   disk.File
	rec segment.Recovered
}

// mendTail seals the segments that were open at a crash, in order, up to the last one that holds a commit, and removes those behind
// it: nothing in them was acknowledged. None is ever appended to.
//
// A segment N+1 counts only if everything it builds on is here: the frames of N up to where N ended when N+1 was started
// (Header.PrevLength), and the commits up to its first. An acknowledged commit in N+1 was preceded by a sync of N, so what fails this
// test was never acknowledged.
//
// Order: each segment is sealed, renamed and durable before the next one; only then the rest is removed, the last first, each removal
// durable before the next. A crash anywhere in between leaves a shorter tail of the same kind, with the same outcome.
func (s *Store) mendTail(ctx context.Context, files logFiles) error {
	if err := s.dropTwins(files); err != nil {
		return err
	}
	if err := s.loadChain(ctx); err != nil {
		return err
	}
	tail, err := s.openTail(files)
	defer closeTail(tail)
	if err != nil {
		return err
	}
	keep := s.usable(tail)
	for i := range tail[:keep] {
		if err := s.mend(&tail[i]); err != nil {
			return fmt.Errorf("seal recovered segment %d: %w", tail[i].id, err)
		}
		delete(files.open, tail[i].id)
	}
	return s.removeOpen(files, tail)
}

// dropTwins removes N.open where N.seg is here: a rename of which a crash kept both names.
func (s *Store) dropTwins(files logFiles) error {
	for id := range files.open {
		if !files.sealed[id] {
			continue
		}
		if err := s.disk.Remove(openName(id)); err != nil {
			return fmt.Errorf("remove second name of segment %d: %w", id, err)
		}
		delete(files.open, id)
	}
	return nil
}

// loadChain reads the end of the newest sealed segment, which the open ones follow. If it is not here the index knows it.
func (s *Store) loadChain(ctx context.Context) error {
	last := s.Newest()
	e, _ := s.segs.get(last)
	if !e.local || last == s.chain.Number {
		return nil
	}
	sealed, err := s.readSealed(ctx, last)
	if err != nil {
		return fmt.Errorf("newest sealed segment: %w", err)
	}
	s.chain = endOf(sealed)
	return nil
}

// openTail recovers the open segments that follow the sealed ones without a gap, up to the first that was never begun.
func (s *Store) openTail(files logFiles) (tail []tailFile, err error) {
	last := s.Newest()
	for id := last + 1; files.open[id]; id++ {
		f, err := s.disk.Open(openName(id), disk.Write)
		if err != nil {
			return tail, fmt.Errorf("open segment %d: %w", id, err)
		}
		tail = append(tail, tailFile{id: id, f: f})
		t := &tail[len(tail)-1]
		t.rec, err = segment.Recover(f, s.keys, id)
		if errors.Is(err, segment.ErrEmpty) {
			return tail[:len(tail)-1], f.Close()
		}
		if err != nil {
			return tail, fmt.Errorf("recover: %w", err)
		}
	}
	return tail, nil
}

func closeTail(tail []tailFile) {
	for _, t := range tail {
		t.f.Close() // sealed and synced, or to be removed
	}
}

// usable returns how many of the tail's segments are kept, and extends each of them up to where the next one builds on it.
func (s *Store) usable(tail []tailFile) (keep int) {
	end, seq, epoch := s.chain.End, s.chain.LastSeq, s.chain.Epoch
	for i := range tail {
		rec := &tail[i].rec
		sameEpoch := rec.Header.Epoch == epoch
		if rec.Header.FirstSeq != seq+1 || sameEpoch && int64(rec.Header.PrevLength) > end {
			break
		}
		if i > 0 && int64(rec.Header.PrevLength) > tail[i-1].rec.End {
			if tail[i-1].rec.KeepUpTo(int64(rec.Header.PrevLength)) != nil {
				break
			}
		}
		if n := len(rec.Commits); n > 0 {
			seq = rec.Commits[n-1].Seq
		}
		if len(rec.Commits) > 0 || rec.Sealed != nil {
			keep = i + 1
		}
		end, epoch = rec.Scanned, rec.Header.Epoch
	}
	return keep
}

// mend seals one recovered segment and publishes it.
func (s *Store) mend(t *tailFile) error {
	sealed := t.rec.Sealed
	if sealed == nil {
		w, err := segment.Resume(t.f, s.keys, t.rec)
		if err != nil {
			return err
		}
		done, err := w.Seal(segment.Footer{
			Prev: s.chain.Hash, PrevEpoch: s.chain.Epoch, Checkpoint: s.newestManifest(t), Sealed: time.Now(),
		})
		if err != nil {
			return err
		}
		sealed = &done
	}
	if err := follows(s.chain, *sealed); err != nil {
		return err
	}
	if err := s.publish(t.id); err != nil {
		return err
	}
	s.chain = endOf(*sealed)
	s.segs.add(t.id, segmentEntry{
		size: sealed.Size, epoch: sealed.Header.Epoch, sealed: sealed.Footer.Sealed.UnixNano(), local: true,
	})
	s.opts.Log.Info("sealed a segment that was open at the last end", "segment", uint64(t.id), "commits", len(t.rec.Commits))
	return nil
}

// newestManifest is the last manifest up to the segment's end.
func (s *Store) newestManifest(t *tailFile) segment.Location {
	for _, f := range slices.Backward(t.rec.Frames) {
		if f.Kind == segment.KindManifest {
			return segment.Location{Segment: t.id, Offset: f.Offset, Length: f.Length}
		}
	}
	return s.chain.Manifest
}

// mayRemove allows to remove a segment that mendTail judged, or one that was never begun. Any other stands behind a gap that no
// crash leaves.
func (s *Store) mayRemove(id segment.ID, tail []tailFile) error {
	if len(tail) > 0 && id <= tail[len(tail)-1].id {
		return nil
	}
	f, err := s.disk.Open(openName(id), disk.Read)
	if err != nil {
		return fmt.Errorf("open segment %d: %w", id, err)
	}
	defer f.Close()
	if _, err := segment.Recover(f, s.keys, id); !errors.Is(err, segment.ErrEmpty) {
		return fmt.Errorf("%w: segment %d is here, but one before it is missing", ErrDamaged, id)
	}
	return nil
}

// removeOpen removes what is left of the open segments.
func (s *Store) removeOpen(files logFiles, tail []tailFile) error {
	ids := make([]segment.ID, 0, len(files.open))
	for id := range files.open {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range slices.Backward(ids) {
		if err := s.mayRemove(id, tail); err != nil {
			return err
		}
		if err := s.disk.Remove(openName(id)); err != nil {
			return fmt.Errorf("remove unused segment %d: %w", id, err)
		}
		if err := s.disk.SyncDir(segmentsDir); err != nil {
			return fmt.Errorf("sync %s: %w", segmentsDir, err)
		}
	}
	return nil
}
