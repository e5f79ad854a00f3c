package cache

import (
	"context"
	"fmt"
	"time"

	"dfsmount/segment"
)

// chainEnd describes the newest sealed segment: what the one after it must fit to. The zero value stands before segment 1.
type chainEnd struct {
	Number   segment.ID
	Epoch    uint64
	Hash     [32]byte         // over footer and trailer
	LastSeq  uint64           // of the last commit up to here
	End      int64            // of its frames
	Manifest segment.Location // newest one up to here
}

func endOf(s segment.Sealed) chainEnd {
	e := chainEnd{Number: s.Header.Number, Epoch: s.Header.Epoch, Hash: s.Hash, LastSeq: s.Footer.LastSeq, Manifest: s.Footer.Checkpoint}
	if n := len(s.Footer.Frames); n > 0 {
		e.End = s.Footer.Frames[n-1].End()
	}
	return e
}

// chainEnd and setChain: the sealer writes, a flush copies it into the index.
func (s *Store) chainEnd() chainEnd {
	s.chainMu.Lock()
	defer s.chainMu.Unlock()
	return s.chain
}

func (s *Store) setChain(e chainEnd) {
	s.chainMu.Lock()
	defer s.chainMu.Unlock()
	s.chain = e
}

// sealLoop closes the open segment when its first commit is old enough, and seals closed segments in order. It alone writes footers, so
// the chain of hashes needs no lock.
func (s *Store) sealLoop(ctx context.Context) {
	age := time.NewTimer(time.Hour)
	defer age.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-age.C:
		case <-s.sealKick: // a commit was written
		case <-s.log.kick: // a segment was closed
		}
		// Without a reserve the open segment may be what it became, and closing that would give the rest of it away.
		if !s.log.tight() || s.log.prep.spare(0) {
			if _, again := s.log.closeIfAged(s.opts.SealAge); again > 0 {
				age.Reset(again)
			}
		}
		if err := s.sealClosed(); err != nil {
			return // final; kept in s.Err
		}
	}
}

// sealClosed seals every closed segment, oldest first.
func (s *Store) sealClosed() error {
	for {
		c := s.log.oldestClosed()
		if c == nil || s.Err() != nil {
			return s.Err()
		}
		if err := s.sealOne(c); err != nil {
			return s.fail(fmt.Errorf("seal segment %d: %w", c.id, err))
		}
	}
}

// sealOne makes N.seg of N.open. Order: frames durable; footer and trailer written, the rest of the file cut off, all of it
// durable and read back (Writer.Seal); renamed; the directory durable; only then is it told to anyone. A crash before the rename is
// durable leaves N.open, which recovery finds complete or seals again.
func (s *Store) sealOne(c *openSegment) error {
	if err := c.makeDurable(true); err != nil {
		return err
	}
	prev := s.chainEnd()
	sealed, err := c.w.Seal(segment.Footer{
		Prev: prev.Hash, PrevEpoch: prev.Epoch, Checkpoint: c.checkpoint, Sealed: time.Now(),
	})
	if err != nil {
		return err
	}
	if err := s.publish(c.id); err != nil {
		return err
	}
	s.setChain(endOf(sealed))
	s.segs.add(c.id, segmentEntry{size: sealed.Size, epoch: c.epoch, sealed: sealed.Footer.Sealed.UnixNano(), local: true})
	s.log.sealed(c)
	// Only now, when no new reader finds the open segment any more, can its file be closed: see readHere.
	s.handles.release(s.handles.adopt(c.file))
	s.space.refresh(0)
	return nil
}

// publish renames a complete segment, durably.
func (s *Store) publish(id segment.ID) error {
	if err := s.disk.Rename(openName(id), sealedName(id)); err != nil {
		return fmt.Errorf("rename: %w", err)
	}
	if err := s.disk.SyncDir(segmentsDir); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}

func (l *log) oldestClosed() *openSegment {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if len(l.closing) == 0 {
		return nil
	}
	return l.closing[0]
}

// SealNow makes everything completed so far durable and part of a sealed segment, and returns the newest sealed segment's
// number (0 if there is none).
func (s *Store) SealNow(ctx context.Context) (segment.ID, error) {
	if err := s.Sync(ctx); err != nil {
		return 0, err
	}
	id, _ := s.log.closeIfAged(0)
	wake(s.log.kick)
	return id, s.segs.wait(ctx, id, s.Err)
}
