package fs

import (
	"dfsmount/cache"
	"fmt"
	"sync"
	"syscall"
	"testing"
)

func usage(t *testing.T, f *FS, want int64) {
	t.Helper()
	if _, used := f.Quota(); used != want {
		t.Errorf("files take %d bytes, want %d", used, want)
	}
}

// TestQuota: what is written counts when it is accepted, what is over it is refused, whole or from where it does not fit, and deleting gives room.
func TestQuota(t *testing.T) {
	f := newFS(t, Options{Quota: 1 << 20})
	a, b := create(t, f, Root, "a"), create(t, f, Root, "b")
	ok(t, second(f.Write(a, random(1, 600<<10), 0, false)))
	usage(t, f, 600<<10)
	ok(t, f.SyncAll(ctx))
	usage(t, f, 600<<10)
	if n, err := f.Write(b, random(2, 600<<10), 0, false); n != 0 || err != syscall.EDQUOT {
		t.Errorf("write over the quota: %d, %v", n, err)
	}
	ok(t, second(f.Write(b, random(2, 424<<10), 0, false)))
	if _, err := f.Write(b, []byte("x"), 424<<10, false); err != syscall.EDQUOT {
		t.Errorf("one byte over the quota: %v", err)
	}
	s := must[Statfs](t)(f.Statfs())
	if s.Blocks != 256 || s.Free != 0 || s.Avail != 0 || s.FilesFree == 0 {
		t.Errorf("full: %+v", s)
	}
	ok(t, f.SyncAll(ctx))
	create(t, f, Root, "a name takes nothing")
	ok(t, f.Unlink(Root, "a"))
	f.Forget(a, 1)
	ok(t, second(f.Write(b, random(3, 600<<10), 424<<10, false)))
	ok(t, second(f.SetAttr(b, SetAttr{Size: new(uint64)})))
	usage(t, f, 0)
}

// TestQuotaOverwrites: with the quota full, what is there can be written over, again and again, before and after it is in the log, and nothing else.
func TestQuotaOverwrites(t *testing.T) {
	f := newFS(t, Options{Quota: 256 << 10})
	id := create(t, f, Root, "a")
	ok(t, second(f.Write(id, random(1, 256<<10), 0, false)))
	for i := range 20 {
		ok(t, second(f.Write(id, random(uint64(i), 64<<10), int64(i%4)<<16, false)))
	}
	if _, err := f.Write(id, random(1, 64<<10), 200<<10, false); err != syscall.EDQUOT {
		t.Errorf("a write that begins over what is there and ends behind: %v", err)
	}
	ok(t, f.Fallocate(id, 0, 0, 256<<10))
	if err := f.Fallocate(id, 0, 1, 256<<10); err != syscall.EDQUOT {
		t.Errorf("allocate a byte: %v", err)
	}
	to := create(t, f, Root, "b")
	if _, err := f.CopyRange(id, 0, to, 0, 64<<10); err != syscall.EDQUOT {
		t.Errorf("copy: %v", err)
	}
	ok(t, second(f.CopyRange(id, 0, id, 64<<10, 64<<10)))
	ok(t, f.Fallocate(id, fallocPunchHole|fallocKeepSize, 0, 64<<10))
	ok(t, second(f.CopyRange(id, 64<<10, to, 0, 64<<10)))
	usage(t, f, 256<<10)
}

// TestQuotaChanges: a quota below what there is refuses writes and nothing else; without one everything goes.
func TestQuotaChanges(t *testing.T) {
	f := newFS(t, Options{})
	id := create(t, f, Root, "a")
	ok(t, second(f.Write(id, random(1, 300<<10), 0, false)))
	f.SetQuota(100 << 10)
	if _, err := f.Write(id, []byte("x"), 300<<10, false); err != syscall.EDQUOT {
		t.Errorf("write: %v", err)
	}
	ok(t, f.SyncAll(ctx))
	ok(t, second(f.Write(id, []byte("over what is there"), 0, false)))
	ok(t, f.Rename(Caller{}, Root, "a", Root, "b", 0))
	size := uint64(50 << 10)
	ok(t, second(f.SetAttr(id, SetAttr{Size: &size})))
	ok(t, second(f.Write(id, random(1, 50<<10), 50<<10, false)))
	if _, err := f.Write(id, []byte("x"), 100<<10, false); err != syscall.EDQUOT {
		t.Errorf("write: %v", err)
	}
	f.SetQuota(0)
	ok(t, second(f.Write(id, []byte("x"), 100<<10, false)))
}

// TestQuotaUnderLoad: many writers never take more than there is, and the counts are right in the end.
func TestQuotaUnderLoad(t *testing.T) {
	const limit = 2 << 20
	f := newFS(t, Options{Quota: limit})
	var g sync.WaitGroup
	for w := range 4 {
		g.Go(func() {
			for i := range 60 {
				name := fmt.Sprint(w, "-", i%7)
				a, err := f.Create(Caller{}, Root, name, 0600)
				if err == syscall.EEXIST {
					_ = f.Unlink(Root, name)
					continue
				}
				if _, err := f.Write(a.Inode, random(uint64(i), 100<<10), int64(i), false); err != nil && err != syscall.EDQUOT {
					t.Errorf("write: %v", err)
				}
				if _, used := f.Quota(); used > limit+4*100<<10 { // claims that will be refused are in it
					t.Errorf("files take %d bytes", used)
				}
				f.Forget(a.Inode, 1)
			}
		})
	}
	g.Wait()
	ok(t, f.SyncAll(ctx))
	f.reclaimQueued()
	if _, used := f.Quota(); used > limit || f.quota.pending.Load() != 0 {
		t.Errorf("files take %d bytes, %d of them pending", used, f.quota.pending.Load())
	}
	var c counters
	ok(t, f.view(func(tx *cache.Tx) (err error) { c, err = getCounters(tx); return err }))
	usage(t, f, int64(c.bytes))
}
