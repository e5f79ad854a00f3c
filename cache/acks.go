package cache

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"

	"dfsmount/segment"
)

// acks are the acknowledgements of nodes: which sealed segments survive that node losing power. They are local facts: not in the log, and
// unknown after the index had to be rebuilt, until the replicator asks the nodes again.
type acks struct {
	mu     sync.Mutex // held while the index is written: acknowledgements are not on any application's path
	byNode map[[8]byte]IntervalSet
}

// errNotSealed refuses what would claim safety for bytes that may still change.
var errNotSealed = errors.New("the segment is not sealed")

func ackKey(node [8]byte) []byte { return append([]byte("a"), node[:]...) }

// Acks returns what a node has acknowledged; the caller owns the set.
func (s *Store) Acks(node [8]byte) IntervalSet {
	s.acks.mu.Lock()
	defer s.acks.mu.Unlock()
	return slices.Clone(s.acks.byNode[node])
}

// RecordAcks adds segments to what a node acknowledged. Durable when it returns nil; on error nothing is recorded.
func (s *Store) RecordAcks(node [8]byte, ids ...segment.ID) error {
	newest := s.Newest()
	for _, id := range ids {
		if id == 0 || id > newest {
			return fmt.Errorf("record acknowledgement of segment %d: %w", id, errNotSealed)
		}
	}
	return s.changeAcks(node, ids, (*IntervalSet).Add)
}

// DropAcks takes segments out of what a node acknowledged: it was found to lack them. Durable when it returns nil.
func (s *Store) DropAcks(node [8]byte, ids ...segment.ID) error {
	return s.changeAcks(node, ids, (*IntervalSet).Remove)
}

func (s *Store) changeAcks(node [8]byte, ids []segment.ID, change func(*IntervalSet, segment.ID)) error {
	s.acks.mu.Lock()
	defer s.acks.mu.Unlock()
	set := slices.Clone(s.acks.byNode[node])
	for _, id := range ids {
		change(&set, id)
	}
	key := ackKey(node)
	err := s.cat.ix.update(func(w indexWriter) error { return s.cat.putLocal(w, key, set.append(nil)) })
	if err != nil {
		return fmt.Errorf("record acknowledgements: %w", err)
	}
	s.acks.byNode[node] = set
	return nil
}

// RemoveNode forgets what a node acknowledged. Durable when it returns nil.
func (s *Store) RemoveNode(node [8]byte) error {
	s.acks.mu.Lock()
	defer s.acks.mu.Unlock()
	err := s.cat.ix.update(func(w indexWriter) error { return w.delete(bucketLocal, ackKey(node)) })
	if err != nil {
		return fmt.Errorf("remove acknowledgements of a node: %w", err)
	}
	delete(s.acks.byNode, node)
	return nil
}

// loadAcks reads all sets.
func (s *Store) loadAcks() error {
	s.acks.byNode = map[[8]byte]IntervalSet{}
	return s.cat.ix.scan(bucketLocal, func(k, v []byte) error {
		if len(k) != 9 || !bytes.HasPrefix(k, []byte("a")) {
			return nil
		}
		plain, err := s.cat.open(bucketLocal, k, v)
		if err != nil {
			return fmt.Errorf("read acknowledgements: %w: %w", errIndex, err)
		}
		set, err := parseIntervals(plain)
		s.acks.byNode[[8]byte(k[1:])] = set
		return err
	})
}
