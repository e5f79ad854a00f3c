package cache

import (
	"encoding/binary"
	"fmt"
	"sync"

	"dfsmount/segment"
)

// Keys of the state that belong to this package start with this byte; package doc.go has the table of all.
const keyOwn = 0x01

// epochKey is where the state says at which segment an epoch begins: 0x01 'e' and the epoch; the value is the segment's number, both
// 8 bytes, big endian.
func epochKey(epoch uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{keyOwn, 'e'}, epoch)
}

// epochs tells the epoch of every segment number, as the state says: so it is authentic, and a node cannot claim another.
type epochs struct {
	mu     sync.RWMutex
	starts []epochStart // ascending
}

type epochStart struct {
	epoch uint64
	from  segment.ID
}

// of returns the epoch segment n was written in.
func (e *epochs) of(n segment.ID) uint64 {
	e.mu.RLock()
	defer e.mu.RUnlock()
	for i := len(e.starts) - 1; i >= 0; i-- {
		if e.starts[i].from <= n {
			return e.starts[i].epoch
		}
	}
	return 0
}

// loadEpochs reads the table from the state.
func (s *Store) loadEpochs() error {
	var starts []epochStart
	err := s.View(func(tx *Tx) error {
		return tx.Scan([]byte{keyOwn, 'e'}, []byte{keyOwn, 'e' + 1}, func(k, v []byte) bool {
			if len(k) == 10 && len(v) == 8 {
				starts = append(starts, epochStart{binary.BigEndian.Uint64(k[2:]), segment.ID(binary.BigEndian.Uint64(v))})
			}
			return true
		})
	})
	if err != nil {
		return fmt.Errorf("read table of epochs: %w", err)
	}
	s.epochs.mu.Lock()
	defer s.epochs.mu.Unlock()
	s.epochs.starts = starts
	return nil
}

// beginEpoch records that epoch begins at segment n, durably, and uses it from there on.
func (s *Store) beginEpoch(epoch uint64, n segment.ID) error {
	err := s.update1(func(tx *Tx) { tx.Put(epochKey(epoch), binary.BigEndian.AppendUint64(nil, uint64(n))) })
	if err != nil {
		return fmt.Errorf("begin epoch %d: %w", epoch, err)
	}
	return s.loadEpochs()
}

// update1 is one durable transaction that cannot fail itself. It waits for no flush of the index: a checkpoint uses it, which
// is what keeps the flush waiting.
func (s *Store) update1(fn func(tx *Tx)) error {
	if _, err := s.update(func(tx *Tx) error { fn(tx); return nil }); err != nil {
		return err
	}
	s.mu.RLock()
	target := s.completed
	s.mu.RUnlock()
	return s.commitUpTo(target)
}
