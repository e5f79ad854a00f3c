// Package cache is the local encrypted store of a volume: overlay, index and log.
//
// PLACEHOLDER: this file is the agreed interface, kept in RAM without durability, until the store replaces it.
package cache

import (
	"context"
	"dfsmount/segment"
	"errors"
	"sync"

	"github.com/tidwall/btree"
)

// ErrFull: the local disk has no room for what was asked; nothing was accepted.
var ErrFull = errors.New("no room on the local disk")

// MaxExtent is the most plaintext one extent holds.
const MaxExtent = 256 << 10

// Store is the local store of one volume. Safe for concurrent use.
type Store struct {
	mu    sync.RWMutex
	state btree.Map[string, []byte]
	data  map[segment.Location][]byte
	next  uint32
}

// NewPlaceholder returns a store in RAM.
func NewPlaceholder() *Store { return &Store{data: map[segment.Location][]byte{}} }

// View runs fn on a consistent state. fn must not block on anything that waits for an Update.
func (s *Store) View(fn func(tx *Tx) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return fn(&Tx{s: s, state: &s.state})
}

// Update runs fn as one transaction: when it returns nil all its changes are visible and will be in one commit, in the order of
// the Updates; on error none is. Durable after the next Sync (or within the commit interval). ErrFull if there is no room in the log;
// a transaction that frees (unlink, truncate, forget) calls tx.Shrinks first and may use the reserve kept for it.
func (s *Store) Update(fn func(tx *Tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.state.Copy()
	if err := fn(&Tx{s: s, state: c}); err != nil {
		return err
	}
	s.state = *c
	return nil
}

// Tx is a transaction. Keys start with the letter of their table. Slices handed out are valid until the transaction ends
// and must not be changed; slices handed in are kept: do not change them afterwards.
type Tx struct {
	s     *Store
	state *btree.Map[string, []byte]
}

// Get returns the value of key, nil if it has none (a value is never empty).
func (tx *Tx) Get(key []byte) ([]byte, error) {
	v, _ := tx.state.Get(string(key))
	return v, nil
}

// Put sets the value of key (not empty).
func (tx *Tx) Put(key, value []byte) { tx.state.Set(string(key), value) }

// Delete removes key; removing what is not there is fine.
func (tx *Tx) Delete(key []byte) { tx.state.Delete(string(key)) }

// Scan calls fn for each entry with from <= key < to in ascending order until it returns false. fn may Put and Delete
// keys at or before the one it was called with.
func (tx *Tx) Scan(from, to []byte, fn func(key, value []byte) bool) error {
	c := tx.state.Copy()
	c.Ascend(string(from), func(k string, v []byte) bool {
		return (to == nil || k < string(to)) && fn([]byte(k), v)
	})
	return nil
}

// Floor returns the last entry with from <= key <= at; nil if there is none.
func (tx *Tx) Floor(from, at []byte) (key, value []byte, err error) {
	tx.state.Descend(string(at), func(k string, v []byte) bool {
		if k >= string(from) {
			key, value = []byte(k), v
		}
		return false
	})
	return key, value, nil
}

// Shrinks declares that this transaction frees more than it takes.
func (tx *Tx) Shrinks() {}

// Reserve claims room for n bytes of file data that will be appended later; ErrFull if the disk could not take them. Release gives a claim
// back, in part or whole: after the Append of those bytes, or when they are not needed any more.
func (s *Store) Reserve(n int) error { return nil }
func (s *Store) Release(n int)       {}

// Append seals data (1 … MaxExtent bytes) as one extent and writes it to the log; parallel callers seal in parallel. It is durable
// with the first Sync after an Update that refers to it.
func (s *Store) Append(data []byte) (segment.Location, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	l := segment.Location{Segment: 1, Offset: s.next, Length: uint32(len(data))}
	s.data[l] = append([]byte(nil), data...)
	return l, nil
}

// Read fills dst with the extent's plaintext from off on; from RAM, disk or (evicted, cloned) from nodes.
func (s *Store) Read(ctx context.Context, l segment.Location, off int, dst []byte) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	copy(dst, s.data[l][off:])
	return nil
}

// Sync returns when every Update that returned before it was called is durable on the local disk. It ignores ctx's end once begun:
// durability work is never cancelled. An error is final for the store: see Store.Err.
func (s *Store) Sync(ctx context.Context) error { return nil }

// Space tells what the disk can still take of file data, and how much the log holds, in bytes.
func (s *Store) Space() (free, total, used int64) { return 1 << 40, 1 << 40, 0 }

// NameHash is the keyed hash of a name: see seal.Keys.NameHash.
func (s *Store) NameHash(parent uint64, name string) uint64 {
	h := parent*0x9E3779B97F4A7C15 + 14695981039346656037
	for i := 0; i < len(name); i++ {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	return h
}

// Close makes everything durable, seals the open segment, brings the index up to date and gives up the lock.
func (s *Store) Close() error { return nil }
