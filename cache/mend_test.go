package cache

import (
	"errors"
	"fmt"
	"maps"
	"testing"

	"dfsmount/internal/disk"
	"dfsmount/internal/disk/simdisk"
	"dfsmount/seal"
)

// stuckDisk never finishes sealing a segment: the cut that ends it waits until the test is over.
type stuckDisk struct {
	*simdisk.Disk
	free chan struct{}
}

type stuckFile struct {
	disk.File
	free chan struct{}
}

func (d stuckDisk) Open(path string, how disk.Flag) (disk.File, error) {
	f, err := d.Disk.Open(path, how)
	if err != nil {
		return nil, err
	}
	return stuckFile{f, d.free}, nil
}

func (f stuckFile) Truncate(size int64) error {
	<-f.free
	return f.File.Truncate(size)
}

// TestTailOfSeveral crashes with several segments closed and none sealed, so that commits in each build on frames at the end of the one
// before. What was acknowledged is there, with its extents; the tail is sealed, or cut where something is torn.
func TestTailOfSeveral(t *testing.T) {
	longest, crashes := 0, 400
	if testing.Short() || raceEnabled {
		crashes = 60
	}
	for seed := range uint64(crashes) {
		longest = max(longest, tailOfSeveral(t, seed))
	}
	if longest < 4 {
		t.Errorf("at most %d segments were open", longest)
	}
}

// stopMending crashes once more, in the middle of recovery.
func stopMending(t *testing.T, d *simdisk.Disk, keys *seal.Keys, seed uint64) *simdisk.Disk {
	t.Helper()
	d.StopAt(1 + int(seed*7919%50))
	if s, err := Open(ctx, "", keys, slow(d)); err == nil {
		s.abandon()
	} else if !d.Stopped() {
		t.Fatalf("seed %d: %v", seed, err)
	}
	return d.Crash(seed + 1)
}

func tailOfSeveral(t *testing.T, seed uint64) (open int) {
	t.Helper()
	keys, d := seal.TestKeys(), simdisk.New()
	stuck := stuckDisk{d, make(chan struct{})}
	o := slow(d)
	o.Disk, o.SegmentSize, o.MaxSegmentSize = stuck, 24<<10, 24<<10
	s, err := Create(ctx, "", keys, o)
	if err != nil {
		t.Fatal(err)
	}
	m := newModel(seed)
	for open < 2+int(seed%4) {
		if err := m.step(s); err != nil {
			t.Fatal(err)
		}
		if m.rng.IntN(3) == 0 {
			if err := m.sync(s); err != nil {
				t.Fatal(err)
			}
		}
		s.log.mu.RLock()
		open = len(s.log.closing) + 1
		s.log.mu.RUnlock()
	}
	after := d.Crash(seed)
	close(stuck.free)
	s.abandon()
	after = stopMending(t, after, keys, seed)
	if s, err = Open(ctx, "", keys, slow(after)); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	m.adopt(t, s)
	m.check(t, s)
	m.adoptClosed(t, s, after, keys)
	return open
}

// TestLateCommit: a commit in segment 2 refers to an extent at the end of segment 1, and neither is acknowledged when the power goes. Whatever
// of it the disk kept, and wherever recovery is cut short, the commit counts only if the extent is whole.
func TestLateCommit(t *testing.T) {
	for seed := range uint64(24) {
		for k := range 16 {
			lateCommit(t, seed, k)
		}
	}
}

func lateCommit(t *testing.T, seed uint64, k int) {
	t.Helper()
	keys, d := seal.TestKeys(), simdisk.New()
	stuck := stuckDisk{d, make(chan struct{})}
	s, err := Create(ctx, "", keys, withDisk(slow(d), d))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	o := slow(d)
	o.Disk = stuck
	if s, err = Open(ctx, "", keys, o); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(putOne(s, "A", "1"), s.Sync(ctx)); err != nil {
		t.Fatal(err)
	}
	data := extentBytes(1, 9000)
	l, err := s.Append(data)
	if err != nil {
		t.Fatal(err)
	}
	// Whoever syncs the first segment, the sealer or the commit, fails.
	d.Fail(simdisk.Fault{Op: simdisk.Datasync, Path: openName(l.Segment), Times: 1, Err: errIO})
	s.log.closeIfAged(0) // the commit to come is in the next segment
	if err := errors.Join(putOne(s, "B", "2"), s.Sync(ctx)); !errors.Is(err, errIO) {
		t.Fatalf("Sync returned %v", err)
	}
	after := d.Crash(seed)
	close(stuck.free)
	s.abandon()
	if k > 0 {
		after.StopAt(k)
		if s, err := Open(ctx, "", keys, slow(after)); err == nil {
			s.abandon()
		}
		after = after.Crash(seed + 1)
	}
	if s, err = Open(ctx, "", keys, slow(after)); err != nil {
		t.Fatalf("seed %d, stopped at %d: %v", seed, k, err)
	}
	got := contents(t, s)
	if got["A"] != "1" {
		t.Errorf("seed %d, stopped at %d: what was acknowledged is gone", seed, k)
	}
	if got["B"] != "" {
		if err := readBack(s, l, data); err != nil {
			t.Errorf("seed %d, stopped at %d: the commit is there, its extent is not: %v", seed, k, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestCheckpointIsDurable crashes as soon as Checkpoint returned: what the index says of frames in the log must hold then, since the next
// checkpoint builds on it, and a rebuild on that.
func TestCheckpointIsDurable(t *testing.T) {
	keys, d := seal.TestKeys(), simdisk.New()
	o := slow(d)
	o.OverlayBytes = 1 << 20
	s, err := Create(ctx, "", keys, o)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	err = s.Update(func(tx *Tx) error {
		for i := range 3000 {
			k, v := fmt.Sprintf("K%05d", i), fmt.Sprintf("value %d", i)
			tx.Put([]byte(k), []byte(v))
			want[k] = v
		}
		return nil
	})
	if err := errors.Join(err, s.Checkpoint(ctx)); err != nil {
		t.Fatal(err)
	}
	for _, step := range []string{"after the crash", "after its index was lost"} {
		d = d.Crash(0)
		s.abandon()
		if step != "after the crash" {
			if err := d.Remove(memIndexFile); err != nil {
				t.Fatal(err)
			}
		}
		if s, err = Open(ctx, "", keys, withDisk(o, d)); err != nil {
			t.Fatalf("open %s: %v", step, err)
		}
		if got := contents(t, s); !maps.Equal(got, want) {
			t.Errorf("%s there are %d entries, want %d, or others", step, len(got), len(want))
		}
		if err := s.Checkpoint(ctx); err != nil {
			t.Fatal(err)
		}
		want["N"] = step
		if err := putOne(s, "N", step); err != nil {
			t.Fatal(err)
		}
		if _, err := s.SealNow(ctx); err != nil {
			t.Fatal(err)
		}
		problems, err := s.Check(ctx, CheckOptions{Data: true})
		if err != nil || len(problems) > 0 {
			t.Errorf("check %s: %v, %v", step, problems, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
