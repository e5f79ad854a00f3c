package cache

import (
	"context"
	"errors"
	"testing"
	"time"

	"dfsmount/internal/disk/simdisk"
	"dfsmount/seal"
)

// tiny makes everything happen often: segments of some frames, flushes of some transactions.
func tiny(d *simdisk.Disk) Options {
	return Options{
		Disk: d, SegmentSize: 48 << 10, MaxSegmentSize: 96 << 10, SealAge: 2 * time.Millisecond, CommitInterval: 3 * time.Millisecond,
		OverlayBytes: 24 << 10, PageCacheBytes: 16 << 10, ExtentBytes: 64 << 10, OpenSegments: 3, CheckpointMin: 16 << 10,
	}
}

var ctx = context.Background()

// work runs up to n transactions, syncing now and then, until the disk stops.
func (m *model) work(s *Store, n int) error {
	for range n {
		if err := m.step(s); err != nil {
			return err
		}
		switch m.rng.IntN(8) {
		case 0, 1, 2:
			if err := m.sync(s); err != nil {
				return err
			}
		case 3:
			if _, err := s.SealNow(ctx); err != nil {
				return err
			}
			m.acked = len(m.states) - 1
		case 4:
			if err := s.flush(); err != nil {
				return err
			}
		case 5:
			if m.rng.IntN(4) == 0 {
				if err := s.Checkpoint(ctx); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// TestCrashAtEveryWrite stops the disk at operation k, for every k until a run ends unharmed: also while recovering from the crash
// before. Whatever was acknowledged is there, and nothing but whole transactions, in order. This holds L2 (an index ahead of the log would
// show transactions that are gone), L3 and L7 (a frame acknowledged too early, or appended behind a torn one, would be missing).
func TestCrashAtEveryWrite(t *testing.T) {
	keys := seal.TestKeys()
	step := 1
	if testing.Short() || raceEnabled {
		step = 7
	}
	for k := 1; ; k += step {
		if done := crashAt(t, keys, k, uint64(k)); done {
			t.Logf("a run ends unharmed at %d operations", k)
			return
		}
	}
}

func crashAt(t *testing.T, keys *seal.Keys, k int, seed uint64) (unharmed bool) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("stopped at operation %d, seed %d", k, seed)
		}
	}()
	d := simdisk.New()
	d.StopAt(k)
	m := newModel(seed)
	s, err := Create(ctx, "", keys, tiny(d))
	if err == nil {
		if err = m.work(s, 60); err != nil {
			s.abandon()
		} else if err = s.Close(); err == nil {
			m.acked = len(m.states) - 1
		}
	}
	unharmed = err == nil && !d.Stopped()
	for round := range uint64(3) {
		d = d.Crash(seed + round)
		if seed%4 == 3 && round == 0 {
			d.Remove(memIndexFile) // rebuilding it is stopped in the middle, too; there may be none
		}
		if round < 2 {
			d.StopAt(1 + int(seed*7+round*13)%40)
		}
		s, err := Open(ctx, "", keys, tiny(d))
		if err != nil {
			if round == 2 && m.acked == 0 && errors.Is(err, ErrNoStore) {
				return false
			}
			if !d.Stopped() && !errors.Is(err, ErrNoStore) {
				t.Fatalf("open after crash %d: %v", round, err)
			}
			continue
		}
		if !d.Stopped() {
			m.adopt(t, s)
			m.work(s, 5)
		}
		if round < 2 {
			s.abandon()
			continue
		}
		m.adoptClosed(t, s, d, keys)
	}
	return unharmed
}

// adoptClosed closes the store in order, opens it again, and expects all of it; then once more without its index.
func (m *model) adoptClosed(t *testing.T, s *Store, d *simdisk.Disk, keys *seal.Keys) {
	t.Helper()
	if err := s.Checkpoint(ctx); err != nil { // made of frames from before the crashes, too
		t.Fatalf("checkpoint: %v", err)
	}
	for _, lose := range []bool{false, true} {
		if err := s.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
		m.acked = len(m.states) - 1
		d = d.Crash(0)
		if lose {
			if err := d.Remove(memIndexFile); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		if s, err = Open(ctx, "", keys, tiny(d)); err != nil {
			t.Fatalf("open after an orderly end, index lost: %v: %v", lose, err)
		}
		m.adopt(t, s)
		m.check(t, s)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
