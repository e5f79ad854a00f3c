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
