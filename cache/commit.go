package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"dfsmount/segment"
)

// committer makes transactions durable in groups. There is no goroutine between a caller of Sync and the disk: the first one that finds nobody at
// work takes everything that is pending and commits it; those that come meanwhile wait, and one of them does the next round for
// all of them. That saves two switches of goroutines on the path every fsync takes.
type committer struct {
	mu      sync.Mutex
	done    sync.Cond // a round ended
	busy    bool
	rounds  uint64 // begun
	failed  uint64 // the round that last failed for lack of room
	failure error
	durable uint64 // transactions that are durable, counted as Store.completed counts
}

// Sync returns when every Update that returned before it was called is durable on the local disk. It ignores ctx's end once
// begun: durability work is never cancelled. An error is final for the store (see Err), but for ErrFull: then nothing
// is lost, and a later Sync may succeed.
func (s *Store) Sync(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.RLock()
	target := s.completed
	s.mu.RUnlock()
	return s.commitUpTo(target)
}

// commitUpTo returns when the first target transactions are durable.
func (s *Store) commitUpTo(target uint64) error {
	c := &s.com
	c.mu.Lock()
	defer c.mu.Unlock()
	joined := c.rounds
	for {
		if err := s.Err(); err != nil {
			return err
		}
		if c.durable >= target {
			return nil
		}
		if c.failed > joined { // a round that began after we asked
			return c.failure
		}
		if c.busy {
			c.done.Wait()
		} else {
			s.roundLocked()
		}
	}
}

// freezeNow runs a round whether or not anything is pending, so that a wanted flush gets its frozen overlay.
func (s *Store) freezeNow() error {
	c := &s.com
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.busy {
		c.done.Wait()
	}
	if err := s.Err(); err != nil {
		return err
	}
	s.roundLocked()
	if c.failed == c.rounds {
		return c.failure
	}
	return nil
}

// roundLocked runs one round with c.mu released.
func (s *Store) roundLocked() {
	c := &s.com
	c.busy = true
	c.rounds++
	round := c.rounds
	c.mu.Unlock()
	durable, err := s.commitPending()
	c.mu.Lock()
	c.busy = false
	if err != nil {
		c.failed, c.failure = round, err
	} else {
		c.durable = durable
	}
	c.done.Broadcast()
}

// commitPending makes everything that is pending durable and returns how many transactions then are. If the overlay shall be flushed it
// is frozen here, because only here it ends exactly where a commit ends.
func (s *Store) commitPending() (uint64, error) {
	b := s.takePending()
	if len(b.changes) > 0 {
		if err := s.writeCommit(b); err != nil {
			if s.Err() == nil {
				s.putBack(b)
			}
			return 0, err
		}
	}
	if b.froze {
		s.frozenAt(b.seq, b.segment)
	}
	return b.completed, nil
}

// batch is what one commit takes.
type batch struct {
	changes   []segment.Change
	bytes     int64
	completed uint64
	froze     bool
	seq       uint64     // the commit this batch ends with
	segment   segment.ID // that it is in
}

func (s *Store) takePending() *batch {
	seq, in := s.log.committed() // nobody else commits: rounds do not overlap
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &batch{changes: s.pending, bytes: s.pendingBytes, completed: s.completed, seq: seq, segment: in}
	s.pending, s.pendingBytes = s.spare, 0 // waiting still counts them: they are not in the log yet
	s.spare = nil
	if s.flushWanted && s.frozen == nil {
		s.flushWanted = false
		b.froze = true
		s.frozen, s.active = s.active, &overlay{}
	}
	return b
}

// writeCommit appends the batch as one commit and syncs. ErrFull leaves nothing in the log; any other error is final.
func (s *Store) writeCommit(b *batch) error {
	b.changes = squash(b.changes)
	c := &segment.Commit{Time: time.Now(), Changes: b.changes}
	segments, err := s.log.appendCommit(c, b.bytes)
	if err != nil {
		return err
	}
	for _, seg := range segments {
		last := seg != segments[len(segments)-1]
		if err := seg.makeDurable(last); err != nil {
			return s.fail(err)
		}
	}
	b.seq, b.segment = c.Seq, segments[len(segments)-1].id
	s.recycle(b)
	wake(s.sealKick) // the segment may age now
	return nil
}

// squash keeps the last change of each key. Short batches are left alone: their few repetitions cost less than finding them.
func squash(changes []segment.Change) []segment.Change {
	if len(changes) < 64 {
		return changes
	}
	slices.SortStableFunc(changes, func(a, b segment.Change) int { return bytes.Compare(a.Key, b.Key) })
	kept := changes[:0]
	for i, c := range changes {
		if i+1 < len(changes) && bytes.Equal(c.Key, changes[i+1].Key) {
			continue
		}
		kept = append(kept, c)
	}
	clear(changes[len(kept):])
	return kept
}

// recycle counts a batch that was written out and gives its slice back for the pending changes after next.
func (s *Store) recycle(b *batch) {
	clear(b.changes)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting.Store(s.pendingBytes)
	if cap(b.changes) <= 16<<10 {
		s.spare = b.changes[:0]
	}
}

// putBack undoes takePending after a commit that found no room: the changes pend again, before those that came since, and the
// overlay is one again.
func (s *Store) putBack(b *batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = append(b.changes, s.pending...)
	s.pendingBytes += b.bytes
	s.waiting.Store(s.pendingBytes)
	if b.froze {
		s.active.under(s.frozen)
		s.frozen, s.flushWanted = nil, true
	}
}

// committed is the number of the last commit in the log, and a segment such that every later commit is in it or behind it.
func (l *log) committed() (uint64, segment.ID) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.seq, l.last
}

// commitLoop commits what pends every interval, and whenever kicked.
func (s *Store) commitLoop(ctx context.Context) {
	tick := time.NewTicker(s.opts.CommitInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.commitKick:
		}
		s.mu.RLock()
		target, flush := s.completed, s.flushWanted && s.frozen == nil
		s.mu.RUnlock()
		err := s.commitUpTo(target)
		if err == nil && flush {
			err = s.freezeNow()
		}
		if err != nil && !errors.Is(err, ErrFull) {
			return // final; every caller gets it
		}
	}
}

func (s *Store) kickCommit() { wake(s.commitKick) }

// fail makes err the store's final error: no Update or Sync succeeds any more, what was durable stays, reads go on. It
// returns the error that was first.
func (s *Store) fail(err error) error {
	err = fmt.Errorf("%w: %w", ErrFailed, err)
	if s.failure.CompareAndSwap(nil, &err) {
		s.opts.Log.Error("the local store takes no more changes: nothing acknowledged is lost, unmount and mount again", "err", err)
		go s.wakeAll() // the caller may hold what this needs
	}
	return *s.failure.Load()
}

// wakeAll lets everyone who waits for progress see that there will be none.
func (s *Store) wakeAll() {
	s.log.mu.Lock()
	s.log.backlog.Broadcast()
	s.log.mu.Unlock()
	s.maint.mu.Lock()
	s.maint.cond.Broadcast()
	s.maint.mu.Unlock()
	s.segs.wake()
}

// Err is the error that ended the store's ability to write; nil while all is well.
func (s *Store) Err() error {
	if e := s.failure.Load(); e != nil {
		return *e
	}
	return nil
}
