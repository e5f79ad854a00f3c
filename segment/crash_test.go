package segment_test

import (
	"bytes"
	"errors"
	"fmt"
	iofs "io/fs"
	"reflect"
	"syscall"
	"testing"

	"dfsmount/internal/disk"
	"dfsmount/internal/disk/simdisk"
	"dfsmount/segment"
)

// history is what a run of the workload wrote and what it was promised.
type history struct {
	commits []segment.Commit
	extents map[string]segment.Location // by the key of the change that refers to it
	begun   uint64                      // last commit whose append was begun
	acked   uint64                      // last commit that a Sync returned for
	sealed  bool                        // the rename was synced

	eager bool // many small commits, each synced: the writer writes zeros ahead
}

const (
	openName   = "7.open"
	sealedName = "7.seg"
)

// write runs the life of a segment on d until the end or the first error: per commit some extents that it refers to; a sync
// after every second one; at the end an extent that no commit refers to, and the seal.
func (h *history) write(d disk.FS) error {
	f, err := d.Open(openName, disk.Create)
	if err != nil {
		return err
	}
	count, extents, every := uint64(6), 3, uint64(2)
	if h.eager {
		count, extents, every = 14, 1, 1
	}
	if err := f.Allocate(0, 40<<10); err != nil {
		return err
	}
	if err := d.SyncDir("."); err != nil {
		return err
	}
	w, err := segment.NewWriter(f, keys, header)
	if err != nil {
		return err
	}
	for seq := header.FirstSeq; seq < header.FirstSeq+count; seq++ {
		if err := h.commit(w, seq, extents); err != nil {
			return err
		}
		if seq%every == 0 {
			if err := w.Sync(); err != nil {
				return err
			}
			h.acked = seq
		}
	}
	if _, err := w.Append(segment.KindPage, text(700)); err != nil {
		return err
	}
	if _, err := w.Seal(segment.Footer{}); err != nil {
		return err
	}
	h.acked = h.begun
	if err := d.Rename(openName, sealedName); err != nil {
		return err
	}
	err = d.SyncDir(".")
	h.sealed = err == nil
	return err
}

func (h *history) commit(w *segment.Writer, seq uint64, extents int) error {
	c := commit(seq, "counter", fmt.Sprint(seq))
	for i := range extents {
		key := fmt.Sprintf("extent %d/%d", seq, i)
		l, err := w.Append(segment.KindExtent, extentOf(key))
		if err != nil {
			return err
		}
		h.extents[key] = l
		c.Changes = append(c.Changes, segment.Change{Key: []byte(key), Value: []byte("at its place")})
	}
	h.begun = seq
	err := w.AppendCommit(c)
	h.commits = append(h.commits, *c) // a write that failed at the stop may be there
	return err
}

func extentOf(key string) []byte { return bytes.Repeat([]byte(key), 50) }

// checkCommits holds what was recovered against the history: a prefix with everything acknowledged, and every extent it
// refers to in its place.
func (h *history) checkCommits(commits []segment.Commit, read func(segment.Location) ([]byte, error)) error {
	last := header.FirstSeq - 1 + uint64(len(commits))
	if last < h.acked || last > h.begun {
		return fmt.Errorf("commits up to %d, but %d were acknowledged and %d begun", last, h.acked, h.begun)
	}
	for i, c := range commits {
		if !reflect.DeepEqual(c, h.commits[i]) {
			return fmt.Errorf("commit %d: %+v, want %+v", c.Seq, c, h.commits[i])
		}
		for _, ch := range c.Changes[1:] {
			got, err := read(h.extents[string(ch.Key)])
			if err != nil || !bytes.Equal(got, extentOf(string(ch.Key))) {
				return fmt.Errorf("%s of commit %d: %q, %w", ch.Key, c.Seq, got, err)
			}
		}
	}
	return nil
}

// checkSealed reads a sealed segment as a node's client would.
func (h *history) checkSealed(f disk.File) error {
	if _, err := segment.Verify(f); err != nil {
		return fmt.Errorf("S4: %w", err)
	}
	r, s, err := segment.OpenSealed(f, keys, header.Number, header.Epoch)
	if err != nil {
		return fmt.Errorf("S4: %w", err)
	}
	n := s.Footer.LastSeq + 1 - header.FirstSeq
	if n > uint64(len(h.commits)) {
		return fmt.Errorf("the footer speaks of commit %d, %d begun", s.Footer.LastSeq, h.begun)
	}
	return h.checkCommits(h.commits[:n], func(l segment.Location) ([]byte, error) {
		return r.ReadFrame(nil, segment.KindExtent, l)
	})
}

// recoverAndSeal is what the local store does after a crash.
func (h *history) recoverAndSeal(d disk.FS) error {
	f, err := d.Open(sealedName, disk.Read)
	if err == nil {
		return h.checkSealed(f)
	}
	if h.sealed {
		return fmt.Errorf("sealed and synced, and gone: %w", err)
	}
	f, err = d.Open(openName, disk.Write)
	if errors.Is(err, iofs.ErrNotExist) && h.acked == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	rec, err := segment.Recover(f, keys, header.Number)
	if errors.Is(err, segment.ErrEmpty) && h.acked == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	if rec.Sealed == nil {
		if err := sealRecovered(f, rec); err != nil {
			return err
		}
	}
	r, err := segment.OpenHeader(f, keys, header.Number, header.Epoch)
	if err != nil {
		return err
	}
	err = h.checkCommits(rec.Commits, func(l segment.Location) ([]byte, error) {
		return r.ReadFrame(nil, segment.KindExtent, l)
	})
	if err != nil {
		return fmt.Errorf("S6: %w", err)
	}
	if err := h.checkSealed(f); err != nil {
		return err
	}
	h.acked = max(h.acked, header.FirstSeq-1+uint64(len(rec.Commits))) // from here on it must not go back
	return nil
}

func sealRecovered(f disk.File, rec segment.Recovered) error {
	w, err := segment.Resume(f, keys, rec)
	if err == nil {
		_, err = w.Seal(segment.Footer{})
	}
	return err
}

func newHistory() *history {
	return &history{begun: header.FirstSeq - 1, extents: map[string]segment.Location{}}
}

// TestCrashAtEveryWrite stops the disk at its first operation, the second … until a run ends unharmed, lets several crashes
// follow, and recovers; and crashes again at every operation of the recovery.
func TestCrashAtEveryWrite(t *testing.T) {
	t.Run("streams", func(t *testing.T) { crashAtEveryWrite(t, false) })
	t.Run("small syncs", func(t *testing.T) { crashAtEveryWrite(t, true) })
}

func crashAtEveryWrite(t *testing.T, eager bool) {
	for k := 1; ; k++ {
		unharmed := 0
		for _, seed := range crashSeeds(k) {
			d, h := simdisk.New(), newHistory()
			h.eager = eager
			d.StopAt(k)
			err := h.write(d)
			if err == nil {
				unharmed++ // and crashes once it is over
			} else if !errors.Is(err, simdisk.ErrStopped) {
				t.Fatal(err)
			}
			recoverWithCrashes(t, d, h, seed, fmt.Sprintf("stop at %d, seed %d", k, seed))
		}
		if unharmed > 0 {
			if k < 20 {
				t.Fatalf("the run had only %d operations", k)
			}
			return
		}
	}
}

// TestDieThenCrash: the process dies at each of its writes, and then the machine while the next process recovers from what is in the
// page cache only. What one recovery read must not be gone for the next.
func TestDieThenCrash(t *testing.T) {
	for k := 0; ; k++ {
		for _, seed := range crashSeeds(k)[2:4] {
			for j, stopped := 1, true; stopped; j++ {
				d, h, ok := die(t, k)
				if !ok {
					return
				}
				what := fmt.Sprintf("died at write %d, seed %d, stop at %d", k, seed, j)
				d.StopAt(j)
				err := h.recoverAndSeal(d)
				if stopped = err != nil; stopped && !errors.Is(err, simdisk.ErrStopped) {
					t.Fatalf("%s: %v", what, err)
				}
				if err := h.recoverAndSeal(d.Crash(seed + uint64(j))); err != nil {
					t.Fatalf("S5, %s: %v", what, err)
				}
			}
		}
	}
}

// die runs the workload until the write number k and leaves everything in the page cache; ok is false if there are fewer.
func die(t *testing.T, k int) (d *simdisk.Disk, h *history, ok bool) {
	t.Helper()
	d, h = simdisk.New(), newHistory()
	d.Fail(simdisk.Fault{Op: simdisk.WriteAt, Skip: k, Err: syscall.EIO})
	err := h.write(d)
	if len(d.Unmet()) > 0 {
		return d, h, false
	}
	if !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	d.Heal()
	return d, h, true
}

// crashSeeds loses all, keeps all, and throws dice of its own for every k: an early write would else meet one fate
// in every run.
func crashSeeds(k int) []uint64 {
	seeds := []uint64{0, 1}
	for i := range uint64(4) {
		seeds = append(seeds, 100*uint64(k)+i)
	}
	return seeds
}

func recoverWithCrashes(t *testing.T, d *simdisk.Disk, h *history, seed uint64, what string) {
	t.Helper()
	recoverAgain(t, d.Crash(seed), h, seed, what)
}

func recoverAgain(t *testing.T, d *simdisk.Disk, h *history, seed uint64, what string) {
	t.Helper()
	for j := 1; ; j++ {
		d.StopAt(j)
		err := h.recoverAndSeal(d)
		if err == nil {
			break
		}
		if !errors.Is(err, simdisk.ErrStopped) {
			t.Fatalf("%s, recovery %d: %v", what, j, err)
		}
		d = d.Crash(seed + uint64(j))
	}
	d.StopAt(0)
	if err := h.recoverAndSeal(d.Crash(0)); err != nil {
		t.Fatalf("%s, after recovery: %v", what, err)
	}
}

// TestFailedSync: S5. The page cache shows commits that a failed sync dropped; recovery in the same life of the machine must
// put them on the disk before anyone relies on them.
func TestFailedSync(t *testing.T) {
	for seed := range uint64(10) {
		d, h := simdisk.New(), newHistory()
		d.Fail(simdisk.Fault{Op: simdisk.Datasync, Path: openName, Skip: 2, Times: 1, Err: syscall.EIO})
		if err := h.write(d); !errors.Is(err, syscall.EIO) {
			t.Fatalf("a failed sync was not reported: %v", err)
		}
		if len(d.Unmet()) > 0 {
			t.Fatal("the fault never came")
		}
		if err := h.recoverAndSeal(d); err != nil {
			t.Fatal(err)
		}
		if h.acked < header.FirstSeq+2 {
			t.Fatalf("recovered up to %d only", h.acked)
		}
		if err := h.recoverAndSeal(d.Crash(seed)); err != nil {
			t.Fatalf("S5, seed %d: %v", seed, err)
		}
	}
}

func TestPoisonedWriter(t *testing.T) {
	for _, op := range []simdisk.Op{simdisk.Datasync, simdisk.WriteAt} {
		d := simdisk.New()
		w, err := segment.NewWriter(create(t, d, openName), keys, header)
		must(t, err)
		d.Fail(simdisk.Fault{Op: op, Times: 1, Err: syscall.EIO})
		_, err = w.Append(segment.KindExtent, text(10))
		if err == nil {
			err = w.Sync()
		}
		if !errors.Is(err, syscall.EIO) {
			t.Fatalf("%s: %v", op, err)
		}
		first := err
		_, err = w.Append(segment.KindExtent, text(10))
		_, sealErr := w.Seal(segment.Footer{})
		for what, err := range map[string]error{
			"append": err, "commit": w.AppendCommit(commit(40, "a", "b")), "sync": w.Sync(), "seal": sealErr,
		} {
			if !errors.Is(err, syscall.EIO) || err.Error() != first.Error() {
				t.Errorf("%s failed, then %s: %v", op, what, err)
			}
		}
	}
}

// TestFullDisk: a segment whose footer finds no room can be sealed later.
func TestFullDisk(t *testing.T) {
	d := simdisk.New()
	f, err := d.Open(openName, disk.Create)
	must(t, err)
	w, err := segment.NewWriter(f, keys, header)
	must(t, err)
	must(t, w.AppendCommit(commit(40, "a", "1")))
	d.SetCapacity(w.Size())
	if _, err := w.Seal(segment.Footer{}); !errors.Is(err, disk.ErrFull) {
		t.Fatalf("sealing on a full disk: %v", err)
	}
	d.SetCapacity(simdisk.Unlimited)
	rec, err := segment.Recover(f, keys, 7)
	must(t, err)
	must(t, sealRecovered(f, rec))
	_, s, err := segment.OpenSealed(f, keys, 7, 3)
	if err != nil || s.Footer.LastSeq != 40 {
		t.Errorf("last commit %d, %v", s.Footer.LastSeq, err)
	}
}
