package cache

import (
	"bytes"
	"errors"
	"testing"

	"dfsmount/internal/disk/simdisk"
	"dfsmount/seal"
)

// TestDirectory is the life of a store in a real directory, with bbolt: made, used, closed, opened, and its index deleted.
func TestDirectory(t *testing.T) {
	dir, keys := t.TempDir(), seal.TestKeys()
	s, err := Create(ctx, dir, keys, Options{SegmentSize: 1 << 20, OverlayBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	m := newModel(1)
	for range 3 {
		if err := m.work(s, 50); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		m.acked = len(m.states) - 1
		if s, err = Open(ctx, dir, keys, Options{SegmentSize: 1 << 20, OverlayBytes: 64 << 10}); err != nil {
			t.Fatal(err)
		}
		m.adopt(t, s)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestUpdateIsAllOrNothing: an error of fn leaves no trace, and a transaction sees its own changes.
func TestUpdateIsAllOrNothing(t *testing.T) {
	s := open(t, simdisk.New())
	no := errors.New("no")
	put := func(k, v string, end error) error {
		return s.Update(func(tx *Tx) error {
			tx.Put([]byte(k), []byte(v))
			if got, err := tx.Get([]byte(k)); err != nil || string(got) != v {
				t.Errorf("a transaction does not see its own change: %q, %v", got, err)
			}
			return end
		})
	}
	if err := put("A1", "x", nil); err != nil {
		t.Fatal(err)
	}
	if err := put("A2", "y", no); !errors.Is(err, no) {
		t.Fatalf("Update returned %v", err)
	}
	got := contents(t, s)
	if len(got) != 1 || got["A1"] != "x" {
		t.Errorf("state is %v", got)
	}
}

// TestScanWhileChanging: fn may delete the entry it is called with and put one before it.
func TestScanWhileChanging(t *testing.T) {
	s := open(t, simdisk.New())
	fill := func(tx *Tx) error {
		for i := range 100 {
			tx.Put([]byte{'A', byte(i)}, []byte{1})
		}
		return nil
	}
	if err := s.Update(fill); err != nil {
		t.Fatal(err)
	}
	n := 0
	err := s.Update(func(tx *Tx) error {
		return tx.Scan([]byte("A"), []byte("B"), func(k, v []byte) bool {
			n++
			tx.Delete(bytes.Clone(k))
			if k[1] > 0 {
				tx.Put([]byte{'A', k[1] - 1}, []byte{2})
			}
			return true
		})
	})
	if err != nil || n != 100 {
		t.Fatalf("%d entries, %v", n, err)
	}
	if got := contents(t, s); len(got) != 99 {
		t.Errorf("%d entries are left, want 99", len(got))
	}
}

// open makes a store on d that the test's end closes and opens again.
func open(t *testing.T, d *simdisk.Disk) *Store {
	t.Helper()
	s, err := Create(ctx, "", seal.TestKeys(), tiny(d))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, ErrClosed) {
			t.Errorf("close: %v", err)
		}
	})
	return s
}
