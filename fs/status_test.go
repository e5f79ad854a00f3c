package fs

import (
	"testing"
	"time"
)

func TestDirtyCountsWhatIsNotInTheLog(t *testing.T) {
	f := newFS(t, Options{DirtyAge: time.Hour})
	if n, since := f.Dirty(); n != 0 || !since.IsZero() {
		t.Fatalf("a clean filesystem has %d dirty bytes since %v", n, since)
	}
	begun := time.Now()
	a := must[Attr](t)(f.Create(Caller{}, Root, "a", 0o600))
	b := must[Attr](t)(f.Create(Caller{}, Root, "b", 0o600))
	must[int](t)(f.Write(a.Inode, make([]byte, 1000), 0, false))
	must[int](t)(f.Write(b.Inode, make([]byte, 500), 1<<20, false))
	if n, since := f.Dirty(); n != 1500 || since.Before(begun) || since.After(time.Now()) {
		t.Fatalf("%d dirty bytes since %v; want 1500 since %v", n, since, begun)
	}
	if err := f.Fsync(ctx, a.Inode, false); err != nil {
		t.Fatal(err)
	}
	if n, _ := f.Dirty(); n != 500 {
		t.Fatalf("%d dirty bytes after fsync of one file, want 500", n)
	}
	if err := f.SyncAll(ctx); err != nil {
		t.Fatal(err)
	}
	if n, since := f.Dirty(); n != 0 || !since.IsZero() {
		t.Fatalf("%d dirty bytes since %v after sync", n, since)
	}
}

// With the kernel's write cache a truncate that brings no times changes none: the kernel would show others than we keep (met as a file whose
// mtime was another after a remount).
func TestTruncateLeavesTimesToTheKernel(t *testing.T) {
	for _, owned := range []bool{false, true} {
		f := newFS(t, Options{NoMtimeWrite: owned})
		a := must[Attr](t)(f.Create(Caller{}, Root, "a", 0o600))
		old := time.Unix(1000, 0)
		must[Attr](t)(f.SetAttr(a.Inode, SetAttr{Mtime: &old, Ctime: &old}))
		size := uint64(0)
		got := must[Attr](t)(f.SetAttr(a.Inode, SetAttr{Size: &size}))
		if kept := got.Mtime.Equal(old) && got.Ctime.Equal(old); kept != owned {
			t.Errorf("kernel owns times: %v; mtime %v, ctime %v", owned, got.Mtime, got.Ctime)
		}
		next := time.Unix(2000, 0)
		size = 5000
		got = must[Attr](t)(f.SetAttr(a.Inode, SetAttr{Size: &size, Mtime: &next, Ctime: &next}))
		if !got.Mtime.Equal(next) || !got.Ctime.Equal(next) {
			t.Errorf("kernel owns times: %v; mtime %v, ctime %v, want those sent", owned, got.Mtime, got.Ctime)
		}
	}
}
