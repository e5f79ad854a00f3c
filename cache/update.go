package cache

import (
	"errors"
	"fmt"
	"time"

	"dfsmount/segment"
)

// changeOverhead is what a change takes in a commit besides key and value: kind and two lengths.
const changeOverhead = 12

// Bounds of what waits for a commit. A commit frame must fit into a segment, and its changes are kept in RAM twice while it is made.
const (
	pendingKick = 2 << 20 // a commit is started in the background
	pendingWait = 6 << 20 // Update makes the commit itself before it goes on
	maxTx       = 8 << 20 // of one transaction; more is a programmer's error
)

var errTxTooLarge = errors.New("transaction of more than 8 MiB")

// View runs fn on a consistent state. fn must not call Update, Sync or Close, and must not block on anything that does.
func (s *Store) View(fn func(tx *Tx) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return fn(&Tx{s: s})
}

// Update runs fn as one transaction: when it returns nil all its changes are visible and will be in one commit, in the order of the
// Updates; on error none is. Durable after the next Sync (or within the commit interval). ErrFull if there is no room in the log; a
// transaction that frees (unlink, truncate, forget) calls tx.Shrinks first and may use the reserve kept for it. fn must not call the
// store's other methods.
func (s *Store) Update(fn func(tx *Tx) error) error {
	if err := s.makeRoom(); err != nil {
		return err
	}
	kick, err := s.update(fn)
	if kick {
		s.kickCommit()
	}
	return err
}

func (s *Store) update(fn func(tx *Tx) error) (kick bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tx := &s.tx
	tx.write, tx.shrinks = true, false
	defer func() { tx.write = false; tx.w.reset() }() // also when fn panics
	if err := s.Err(); err != nil {
		return false, err
	}
	if err := fn(tx); err != nil || len(tx.w.c) == 0 {
		return false, err
	}
	if err := s.admit(tx); err != nil {
		return false, err
	}
	if len(s.pending) == 0 {
		s.pendingSince = time.Now()
	}
	for _, c := range tx.w.c {
		s.active.set(c.key, c.value)
		s.pending = append(s.pending, segment.Change{Key: raw(c.key), Value: c.value, Delete: c.value == nil})
	}
	s.pendingBytes += tx.w.bytes
	s.waiting.Store(s.pendingBytes)
	s.completed++
	if s.active.bytes > s.opts.OverlayBytes && s.frozen == nil && !s.flushWanted {
		s.flushWanted, kick = true, true
	}
	return kick || s.pendingBytes > pendingKick, nil
}

// admit answers whether the log has room for what pends and this transaction.
func (s *Store) admit(tx *Tx) error {
	if tx.w.bytes > maxTx {
		return fmt.Errorf("%w: %d changes, %d bytes", errTxTooLarge, len(tx.w.c), tx.w.bytes)
	}
	if !s.log.tight() {
		return nil
	}
	if !s.log.fits(commitCost(s.pendingBytes+tx.w.bytes), tx.shrinks) {
		return ErrFull
	}
	return nil
}

// makeRoom holds a writer back while a commit or a flush of the index must catch up, so that neither RAM nor the size of a commit
// grows without bound. It waits for disks only, never for a node.
func (s *Store) makeRoom() error {
	s.mu.RLock()
	pending, crowded := s.pendingBytes > pendingWait, s.frozen != nil && s.active.bytes > 2*s.opts.OverlayBytes
	target := s.completed
	s.mu.RUnlock()
	if pending {
		if err := s.commitUpTo(target); err != nil {
			return err
		}
	}
	if crowded {
		return s.waitFlush()
	}
	return nil
}
