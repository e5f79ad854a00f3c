package cache

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"dfsmount/internal/disk"
	"dfsmount/internal/disk/simdisk"
	"dfsmount/seal"
)

var errIO = errors.New("input/output error")

// slow is tiny without anything happening by itself.
func slow(d *simdisk.Disk) Options {
	o := tiny(d)
	o.SealAge, o.CommitInterval, o.SegmentSize, o.MaxSegmentSize = time.Hour, time.Hour, 256<<10, 256<<10
	return o
}

func putOne(s *Store, key, value string) error {
	return s.Update(func(tx *Tx) error { tx.Put([]byte(key), []byte(value)); return nil })
}

// TestFailedSyncIsFinal: after an fdatasync that failed, no Sync and no Update succeeds any more, reads go on, and the next Open
// finds what had been acknowledged, though the disk says that all is well again.
func TestFailedSyncIsFinal(t *testing.T) {
	for seed := range uint64(4) {
		testFailedSync(t, seed)
	}
}

func testFailedSync(t *testing.T, seed uint64) {
	keys, d := seal.TestKeys(), simdisk.New()
	s, err := Create(ctx, "", keys, slow(d))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(putOne(s, "A", "1"), s.Sync(ctx), putOne(s, "A", "2")); err != nil {
		t.Fatal(err)
	}
	d.Fail(simdisk.Fault{Op: simdisk.Datasync, Path: "segments/*", Times: 1, Err: errIO})
	if err := s.Sync(ctx); !errors.Is(err, errIO) || !errors.Is(err, ErrFailed) {
		t.Fatalf("Sync returned %v", err)
	}
	for range 2 {
		if err := s.Sync(ctx); !errors.Is(err, errIO) {
			t.Errorf("a later Sync returned %v", err)
		}
		if err := putOne(s, "B", "3"); !errors.Is(err, errIO) {
			t.Errorf("a later Update returned %v", err)
		}
		if _, err := s.Append([]byte("x")); !errors.Is(err, errIO) {
			t.Errorf("a later Append returned %v", err)
		}
	}
	if got := contents(t, s); got["A"] != "2" || len(got) != 1 {
		t.Errorf("reads see %v", got)
	}
	if err := s.Close(); !errors.Is(err, errIO) {
		t.Errorf("Close returned %v", err)
	}
	if s, err = Open(ctx, "", keys, slow(d.Crash(seed))); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, s); got["A"] != "1" && got["A"] != "2" || len(got) != 1 {
		t.Errorf("after the crash the state is %v", got)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestFailedExtentIsFinal: an extent that could not be written leaves a hole in its segment, behind which recovery finds nothing: so
// the store must not acknowledge anything behind it.
func TestFailedExtentIsFinal(t *testing.T) {
	d := simdisk.New()
	s, err := Create(ctx, "", seal.TestKeys(), slow(d))
	if err != nil {
		t.Fatal(err)
	}
	d.Fail(simdisk.Fault{Op: simdisk.WriteAt, Path: "segments/*", Times: 1, Err: errIO})
	if _, err := s.Append([]byte("x")); !errors.Is(err, errIO) {
		t.Fatalf("Append returned %v", err)
	}
	if err := putOne(s, "A", "1"); !errors.Is(err, errIO) {
		t.Errorf("Update returned %v", err)
	}
	if err := s.Close(); !errors.Is(err, errIO) {
		t.Errorf("Close returned %v", err)
	}
}

// TestIndexFull: while the index cannot be written the store works on in RAM, and catches up when it can.
func TestIndexFull(t *testing.T) {
	d := simdisk.New()
	s := open(t, d)
	m := newModel(3)
	d.Fail(simdisk.Fault{Op: simdisk.WriteAt, Path: memIndexFile, Err: disk.ErrFull})
	for range 50 {
		if err := errors.Join(m.step(s), m.sync(s)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.flush(); !errors.Is(err, disk.ErrFull) {
		t.Errorf("flush returned %v", err)
	}
	if s.IndexErr() == nil {
		t.Error("the failure is not shown")
	}
	m.adopt(t, s)
	d.Heal()
	if err := s.flush(); err != nil {
		t.Errorf("flush after the disk has room again: %v", err)
	}
	if s.IndexErr() != nil {
		t.Error("the failure is still shown")
	}
	m.adopt(t, s)
	m.check(t, s)
}

// TestDiskFull fills a small disk until nothing more is taken, then deletes everything: each deletion is durable, nothing
// acknowledged was lost, and when room comes back writing goes on.
func TestDiskFull(t *testing.T) {
	keys, d := seal.TestKeys(), simdisk.New()
	const size = 4 << 20
	d.SetCapacity(size)
	o := tiny(d)
	o.CommitInterval = time.Hour
	s, err := Create(ctx, "", keys, o)
	if err != nil {
		t.Fatal(err)
	}
	m := newModel(4)
	n := fill(t, m, s)
	t.Logf("%d transactions fit", n)
	if n < 100 {
		t.Errorf("only %d transactions fit on a disk of %d bytes", n, size)
	}
	if err := s.Reserve(64 << 10); !errors.Is(err, ErrFull) {
		t.Errorf("Reserve on a full disk: %v", err)
	}
	m.adopt(t, s)
	for len(m.last()) > 1 { // one by one, each synced
		if err := errors.Join(m.shrink(s), m.sync(s)); err != nil {
			t.Fatalf("delete on a full disk, %d left: %v", len(m.last()), err)
		}
	}
	s.abandon()
	full := d.Crash(0)
	full.SetCapacity(size)
	if s, err = Open(ctx, "", keys, withDisk(o, full)); err != nil {
		t.Fatalf("open on a full disk: %v", err)
	}
	m.adopt(t, s)
	full.SetCapacity(4 * size)
	s.log.prep.prepare()
	if err := errors.Join(m.work(s, 50), s.Close()); err != nil {
		t.Errorf("writing after room came back: %v", err)
	}
}

func withDisk(o Options, d *simdisk.Disk) Options { o.Disk = d; return o }

// fill adds transactions, each synced, until the store is full.
func fill(t *testing.T, m *model, s *Store) int {
	t.Helper()
	for n := 0; n < 100_000; n++ {
		err := m.step(s)
		if err == nil {
			err = m.sync(s)
		}
		if errors.Is(err, ErrFull) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("the disk does not get full")
	return 0
}

// shrink deletes one key in a transaction that says so.
func (m *model) shrink(s *Store) error {
	next := map[string]string{}
	var victim string
	for k, v := range m.last() {
		if next[k] = v; k != "N" && victim == "" {
			victim = k
		}
	}
	delete(next, victim)
	n := string(numberValue(len(m.states)))
	next["N"] = n
	err := s.Update(func(tx *Tx) error {
		tx.Shrinks()
		tx.Delete([]byte(victim))
		tx.Put([]byte("N"), []byte(n))
		return nil
	})
	if err == nil {
		m.states = append(m.states, next)
	}
	return err
}

// TestRealDiskFull does the same on a filesystem of the kernel with bbolt, if this process may mount one.
func TestRealDiskFull(t *testing.T) {
	dir := smallFilesystem(t, 24<<20)
	keys := seal.TestKeys()
	o := Options{SegmentSize: 1 << 20, OverlayBytes: 256 << 10}
	s, err := Create(ctx, dir, keys, o)
	if err != nil {
		t.Fatal(err)
	}
	var kept int
	for ; ; kept++ {
		if err := s.Reserve(64 << 10); errors.Is(err, ErrFull) {
			break
		}
		l, err := s.Append(extentBytes(kept, 64<<10))
		s.Release(64 << 10)
		if err == nil {
			err = s.Update(func(tx *Tx) error {
				tx.Put(append([]byte("E"), numberValue(kept)...), appendLocation(nil, l))
				return nil
			})
		}
		if err == nil {
			err = s.Sync(ctx)
		}
		if err != nil {
			t.Fatalf("extent %d, which Reserve had room for: %v", kept, err)
		}
	}
	if kept < 100 {
		t.Errorf("only %d extents of 64 KiB fit on 24 MiB", kept)
	}
	junk := filepath.Join(dir, "junk") // someone else takes the rest
	if err := os.WriteFile(junk, make([]byte, 24<<20), 0o600); err == nil {
		t.Error("the filesystem was not full")
	}
	for i := range kept {
		err := s.Update(func(tx *Tx) error { tx.Shrinks(); tx.Delete(append([]byte("E"), numberValue(i)...)); return nil })
		if err == nil && i%16 == 0 {
			err = s.Sync(ctx)
		}
		if err != nil {
			t.Fatalf("delete extent %d of %d on a full disk: %v", i, kept, err)
		}
	}
	if err := s.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	s.abandon()
	if s, err = Open(ctx, dir, keys, o); err != nil {
		t.Fatalf("open on a full disk: %v", err)
	}
	if got := contents(t, s); len(got) != 0 {
		t.Errorf("%d entries are left", len(got))
	}
	if err := os.Remove(junk); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close after room came back: %v", err)
	}
}
