package fs

import (
	"dfsmount/cache"
	"dfsmount/internal/disk/simdisk"
	"dfsmount/seal"
	"syscall"
	"testing"
	"time"
)

// gone waits until an inode is reclaimed.
func gone(t *testing.T, f *FS, id InodeID) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; {
		_, err := f.GetAttr(id)
		if err == syscall.ENOENT {
			return
		}
		ok(t, err)
		if time.Now().After(end) {
			t.Fatal("not reclaimed")
		}
	}
}

// scatter maps n extents of one shared frame into a file, without writing as much.
func scatter(t *testing.T, f *FS, id InodeID, n int) {
	t.Helper()
	src := create(t, f, Root, "source")
	write(t, f, src, []byte("0123456789"), 0)
	ok(t, f.Fsync(ctx, src, false))
	loc, err := f.store.Append([]byte("0123456789"))
	ok(t, err)
	for from := 0; from < n; from += 10000 {
		ok(t, f.update(grows, func(tx *txn) error {
			r, err := tx.edit(id)
			if err != nil {
				return err
			}
			for i := from; i < min(from+10000, n); i++ {
				tx.put(id, r, extent{off: int64(i) * 8192, length: 10, loc: loc})
			}
			r.size = uint64(n) * 8192
			return nil
		}))
	}
}

// TestHugeOrphan: a file of many extents is reclaimed in steps, and a crash between them is made good by New.
func TestHugeOrphan(t *testing.T) {
	d := simdisk.New()
	s, err := cache.Create(ctx, "", seal.TestKeys(), cache.Options{Disk: d})
	ok(t, err)
	f, err := New(s, Options{})
	ok(t, err)
	id := create(t, f, Root, "huge")
	scatter(t, f, id, 5*maxSteps)
	ok(t, f.Unlink(Root, "huge"))
	ok(t, f.Close()) // while it is referenced: it stays
	check(t, f)

	f, err = New(s, Options{})
	ok(t, err)
	gone(t, f, id)
	check(t, f)
	ok(t, f.Close())
	ok(t, s.Close())
}

// TestHugeTruncate: the size changes at once, and what is behind it goes in steps, also after a crash between them.
func TestHugeTruncate(t *testing.T) {
	f := newFS(t, Options{})
	id := create(t, f, Root, "huge")
	scatter(t, f, id, 3*maxSteps)
	size := uint64(100)
	ok(t, second(f.SetAttr(id, SetAttr{Size: &size})))
	size = 1 << 40
	ok(t, second(f.SetAttr(id, SetAttr{Size: &size})))
	if at, err := f.Seek(id, 10, SeekData); err != syscall.ENXIO {
		t.Fatalf("old data is back at %d, %v", at, err)
	}
}

func second[T any](_ T, err error) error { return err }

// TestTrimAfterCrash: New finds a file whose tail was not yet given back, and it does not come back by growing.
func TestTrimAfterCrash(t *testing.T) {
	s := newStore(t)
	f, err := New(s, Options{})
	ok(t, err)
	id := create(t, f, Root, "huge")
	scatter(t, f, id, 2*maxSteps)
	ok(t, f.update(shrinks, func(tx *txn) error { // the first step of a truncation, and no other
		r, err := tx.edit(id)
		if err != nil {
			return err
		}
		if whole, err := tx.unmap(id, r, 100, MaxSize); err != nil || whole {
			t.Errorf("whole %v, %v", whole, err)
		}
		tx.Put(orphanKey(id), []byte{formatVersion})
		r.size = 100
		return nil
	}))
	ok(t, f.Close())
	f, err = New(s, Options{})
	ok(t, err)
	size := uint64(1 << 40)
	ok(t, second(f.SetAttr(id, SetAttr{Size: &size})))
	if at, err := f.Seek(id, 10, SeekData); err != syscall.ENXIO {
		t.Fatalf("old data is back at %d, %v", at, err)
	}
	ok(t, f.Close())
	check(t, f)
}

// TestTemporaryFilesCostNothing: what was written to a file that is gone before it was flushed never reaches the log.
func TestTemporaryFilesCostNothing(t *testing.T) {
	f := newFS(t, Options{DirtyAge: time.Hour})
	id := create(t, f, Root, "tmp")
	write(t, f, id, random(1, 50<<10), 0)
	ok(t, f.Unlink(Root, "tmp"))
	f.Forget(id, 1)
	gone(t, f, id)
	if f.budget.used != 0 {
		t.Errorf("%d bytes are still dirty", f.budget.used)
	}
}
