package cache

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"dfsmount/segment"
)

// model runs random transactions on a store and remembers the state after each, so that any prefix can be recognised. Every
// transaction writes its number under key "N"; values under "X" are locations of extents whose bytes follow from the
// number of the transaction that made them.
type model struct {
	rng    *rand.Rand
	states []map[string]string // after transaction i
	acked  int                 // transactions a Sync acknowledged
	keys   int
}

func newModel(seed uint64) *model {
	return &model{rng: rand.New(rand.NewPCG(seed, 7)), states: []map[string]string{{}}, keys: 200}
}

func (m *model) last() map[string]string { return m.states[len(m.states)-1] }

func (m *model) key() string { return fmt.Sprintf("K%06d", m.rng.IntN(m.keys)*37) }

// step is one random transaction, sometimes with an extent.
func (m *model) step(s *Store) error {
	n := len(m.states)
	next := maps.Clone(m.last())
	next["N"] = string(binary.BigEndian.AppendUint64(nil, uint64(n)))
	for range 1 + m.rng.IntN(6) {
		if k := m.key(); m.rng.IntN(3) == 0 {
			delete(next, k)
		} else {
			next[k] = fmt.Sprintf("%d/%s", n, bytes.Repeat([]byte("v"), m.rng.IntN(100)))
		}
	}
	if m.rng.IntN(4) == 0 {
		data := extentBytes(n, 1+m.rng.IntN(9000))
		l, err := s.Append(data)
		if err != nil {
			return err
		}
		next[fmt.Sprintf("X%03d", m.rng.IntN(40))] = fmt.Sprintf("%d %d %d %d", n, l.Segment, l.Offset, l.Length)
	}
	return m.commit(s, next)
}

func (m *model) commit(s *Store, next map[string]string) error {
	err := s.Update(func(tx *Tx) error {
		for k := range m.last() {
			if _, still := next[k]; !still {
				tx.Delete([]byte(k))
			}
		}
		for k, v := range next {
			if m.last()[k] != v {
				tx.Put([]byte(k), []byte(v))
			}
		}
		return nil
	})
	if err == nil {
		m.states = append(m.states, next)
	}
	return err
}

func (m *model) sync(s *Store) error {
	err := s.Sync(context.Background())
	if err == nil {
		m.acked = len(m.states) - 1
	}
	return err
}

func extentBytes(n, size int) []byte {
	b := make([]byte, size)
	r := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), 1})
	r.Read(b)
	return b
}

// contents reads the state, without the keys of this package, through Scan and checks it against Get and Floor.
func contents(t *testing.T, s *Store) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := s.View(func(tx *Tx) error {
		var last []byte
		err := tx.Scan([]byte{2}, nil, func(k, v []byte) bool {
			if last != nil && bytes.Compare(last, k) >= 0 {
				t.Errorf("Scan: %q after %q", k, last)
			}
			last = bytes.Clone(k)
			got[string(k)] = string(v)
			return true
		})
		for k, v := range got {
			if g, err := tx.Get([]byte(k)); err != nil || string(g) != v {
				t.Errorf("Get(%q) = %q, %v; Scan says %q", k, g, err, v)
			}
			if fk, fv, err := tx.Floor([]byte{2}, []byte(k)); err != nil || string(fk) != k || string(fv) != v {
				t.Errorf("Floor(%q) = %q, %q, %v", k, fk, fv, err)
			}
		}
		return err
	})
	if err != nil {
		t.Fatalf("read state: %v", err)
	}
	return got
}

// adopt checks that the store holds the state after some transaction, not before the last acknowledged one, that
// the extents it refers to can be read, and makes that state the model's last.
func (m *model) adopt(t *testing.T, s *Store) {
	t.Helper()
	got := contents(t, s)
	n := 0
	if v, ok := got["N"]; ok {
		n = int(binary.BigEndian.Uint64([]byte(v)))
	}
	if n < m.acked || n >= len(m.states) {
		t.Fatalf("the state is after transaction %d; %d were acknowledged, %d made", n, m.acked, len(m.states)-1)
	}
	if !maps.Equal(got, m.states[n]) {
		t.Fatalf("the state after transaction %d is not what it was\n got %v\nwant %v", n, dump(got), dump(m.states[n]))
	}
	m.states = m.states[:n+1]
	m.acked = n
	m.readExtents(t, s)
}

func (m *model) readExtents(t *testing.T, s *Store) {
	t.Helper()
	for k, v := range m.last() {
		if k[0] != 'X' {
			continue
		}
		var n int
		var l segment.Location
		if _, err := fmt.Sscanf(v, "%d %d %d %d", &n, &l.Segment, &l.Offset, &l.Length); err != nil {
			t.Fatal(err)
		}
		want := extentBytes(n, int(l.Length))
		off := m.rng.IntN(len(want))
		got := make([]byte, len(want)-off)
		if err := s.Read(context.Background(), l, off, got); err != nil {
			t.Fatalf("read extent of transaction %d: %v", n, err)
		}
		if !bytes.Equal(got, want[off:]) {
			t.Fatalf("extent of transaction %d reads wrong", n)
		}
	}
}

// check runs the store's own check.
func (m *model) check(t *testing.T, s *Store) {
	t.Helper()
	problems, err := s.Check(ctx, CheckOptions{})
	if err != nil {
		t.Fatalf("check: %v", err)
	}
	for _, p := range problems {
		t.Errorf("check: %s: %s", p.Rule, p.Text)
	}
}

func dump(m map[string]string) (s string) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		s += fmt.Sprintf("%s=%.20q ", k, m[k])
	}
	return s
}
