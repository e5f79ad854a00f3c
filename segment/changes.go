package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

const (
	// MaxKey is the most bytes a key of the state has.
	MaxKey = 4096
	// maxBody bounds the body of a commit or footer, and apart from that the sum of its keys, which are written shortened.
	maxBody = 256 << 20
)

// Change is one change of the state: Value replaces what Key had; Delete removes it.
type Change struct {
	Key    []byte
	Value  []byte
	Delete bool
}

// appendChanges writes changes one after the other, each key as what it shares with the one before, and the rest.
func appendChanges(b []byte, changes []Change) ([]byte, error) {
	b = binary.AppendUvarint(b, uint64(len(changes)))
	var prev []byte
	for _, c := range changes {
		if len(c.Key) == 0 || len(c.Key) > MaxKey {
			return nil, fmt.Errorf("a key has %d bytes, want 1 to %d", len(c.Key), MaxKey)
		}
		shared := sharedPrefix(prev, c.Key)
		b = binary.AppendUvarint(b, uint64(shared))
		b = binary.AppendUvarint(b, uint64(len(c.Key)-shared))
		b = append(b, c.Key[shared:]...)
		if c.Delete {
			b = append(b, 0)
		} else {
			b = binary.AppendUvarint(b, uint64(len(c.Value))+1)
			b = append(b, c.Value...)
		}
		prev = c.Key
	}
	return b, nil
}

// changeBound is the most bytes a change takes in appendChanges.
func changeBound(key, value int) int64 { return int64(key) + int64(value) + 2 + 2 + 5 }

func changesBound(changes []Change) (n int64) {
	for _, c := range changes {
		n += changeBound(len(c.Key), len(c.Value))
	}
	return n
}

func sharedPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// changes reads what appendChanges wrote. Values are part of the body; keys are memory of their own.
func (d *decoder) changes() []Change {
	const least = 3 // bytes a change takes
	n := d.upTo(uint64(len(d.rest)/least), "number of changes")
	if d.err != nil {
		return nil
	}
	var keys arena
	changes := make([]Change, 0, n)
	var prev []byte
	for range n {
		c := d.change(prev, &keys)
		if d.err != nil {
			return nil
		}
		changes = append(changes, c)
		prev = c.Key
	}
	return changes
}

func (d *decoder) change(prev []byte, keys *arena) Change {
	shared := d.upTo(uint64(len(prev)), "shared part of a key")
	suffix := d.take(d.upTo(MaxKey-shared, "length of a key"))
	key := keys.join(prev[:min(shared, uint64(len(prev)))], suffix)
	switch {
	case len(key) == 0:
		d.fail(errors.New("a key is empty"))
	case keys.total > maxBody:
		d.fail(fmt.Errorf("keys have over %d bytes", maxBody))
	case sharedPrefix(prev, key) != int(shared):
		d.fail(errors.New("a key is not written the shortest way"))
	}
	length := d.upTo(maxBody, "length of a value")
	if length == 0 {
		return Change{Key: key, Delete: true}
	}
	return Change{Key: key, Value: d.take(length - 1)}
}

// arena makes many small slices out of few large ones.
type arena struct {
	free  []byte
	total int
}

func (a *arena) join(x, y []byte) []byte {
	n := len(x) + len(y)
	if cap(a.free)-len(a.free) < n {
		a.free = make([]byte, 0, max(n, min(64<<10, max(512, a.total))))
	}
	start := len(a.free)
	a.free = append(append(a.free, x...), y...)
	a.total += n
	return a.free[start:len(a.free):len(a.free)]
}

// merger keeps the last change of every key, for the footer.
type merger struct {
	last  map[string]Change
	bound int64 // of the bytes all of it takes in appendChanges
}

// add takes changes over, with their slices.
func (m *merger) add(changes []Change) {
	if m.last == nil {
		m.last = make(map[string]Change)
	}
	for _, c := range changes {
		if old, ok := m.last[string(c.Key)]; ok {
			m.bound -= changeBound(len(old.Key), len(old.Value))
		}
		if c.Delete {
			c.Value = nil
		}
		m.bound += changeBound(len(c.Key), len(c.Value))
		m.last[string(c.Key)] = c
	}
}

func (m *merger) sorted() []Change {
	changes := make([]Change, 0, len(m.last))
	for _, c := range m.last {
		changes = append(changes, c)
	}
	slices.SortFunc(changes, func(a, b Change) int { return bytes.Compare(a.Key, b.Key) })
	return changes
}
