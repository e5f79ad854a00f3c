package fs

import (
	"bytes"
	"context"
	"dfsmount/cache"
	"dfsmount/internal/disk/simdisk"
	"dfsmount/seal"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"
)

var ctx = context.Background()

// newFS is a filesystem in RAM that is checked and closed at the end of the test.
func newFS(t testing.TB, o Options) *FS {
	t.Helper()
	s := newStore(t)
	f, err := New(s, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		check(t, f)
	})
	return f
}

// newStore is an empty store on a simulated disk.
func newStore(t testing.TB) *cache.Store {
	t.Helper()
	s, err := cache.Create(ctx, "", seal.TestKeys(), cache.Options{Disk: simdisk.New()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return s
}

func check(t testing.TB, f *FS) {
	t.Helper()
	p, err := f.Check(ctx)
	if err != nil || len(p) > 0 {
		t.Errorf("check: %v\n%s", err, problemsText(p))
	}
}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func create(t testing.TB, f *FS, parent InodeID, name string) InodeID {
	t.Helper()
	return must[Attr](t)(f.Create(Caller{}, parent, name, 0644)).Inode
}

func write(t testing.TB, f *FS, id InodeID, p []byte, off int64) {
	t.Helper()
	n, err := f.Write(id, p, off, false)
	if err != nil || n != len(p) {
		t.Fatalf("write %d bytes at %d: %d, %v", len(p), off, n, err)
	}
}

func content(t testing.TB, f *FS, id InodeID) []byte {
	t.Helper()
	a := must[Attr](t)(f.GetAttr(id))
	b := make([]byte, a.Size+10)
	n := must[int](t)(f.Read(ctx, id, b, 0))
	if n != int(a.Size) {
		t.Fatalf("read %d of %d bytes", n, a.Size)
	}
	return b[:n]
}

func random(seed uint64, n int) []byte {
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	b := make([]byte, n)
	_, _ = r.Read(b)
	return b
}

func TestWriteReadFlush(t *testing.T) {
	for _, n := range []int{1, 1000, 4096, slot - 1, slot, slot + 1, 3*slot + 77, 20 * slot} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			f := newFS(t, Options{})
			id := create(t, f, Root, "a")
			want := random(uint64(n), n)
			write(t, f, id, want, 0)
			if !bytes.Equal(content(t, f, id), want) {
				t.Fatal("dirty content differs")
			}
			ok(t, f.Fsync(ctx, id, false))
			if !bytes.Equal(content(t, f, id), want) {
				t.Fatal("flushed content differs")
			}
			if in := f.table.find(id); in.data != nil {
				t.Fatal("still dirty")
			}
		})
	}
}

func TestManySmallWritersWithinTheBound(t *testing.T) {
	f := newFS(t, Options{DirtyBytes: 1 << 20, DirtyAge: time.Hour})
	var g sync.WaitGroup
	for w := range 8 {
		g.Go(func() {
			for i := range 200 {
				a, err := f.Create(Caller{}, Root, fmt.Sprint(w, "-", i), 0600)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := f.Write(a.Inode, random(uint64(i), 5000*(1+i%20)), 0, false); err != nil {
					t.Error(err)
				}
				f.Forget(a.Inode, 1)
			}
		})
	}
	g.Wait()
	ok(t, f.SyncAll(ctx))
	if f.budget.highest > 1<<20 || f.budget.used != 0 || f.budget.flying.Load() != 0 {
		t.Fatal(f.budget.highest, f.budget.used, f.budget.flying.Load())
	}
	for w := range 8 {
		for i := range 200 {
			a := must[Attr](t)(f.Lookup(Root, fmt.Sprint(w, "-", i)))
			if !bytes.Equal(content(t, f, a.Inode), random(uint64(i), 5000*(1+i%20))) {
				t.Fatal("content differs")
			}
			f.Forget(a.Inode, 1)
		}
	}
}

func TestUnlinkedFileLivesUntilForgotten(t *testing.T) {
	f := newFS(t, Options{})
	id := create(t, f, Root, "a")
	write(t, f, id, []byte("hello"), 0)
	ok(t, f.Unlink(Root, "a"))
	if string(content(t, f, id)) != "hello" {
		t.Fatal("content lost")
	}
	f.Forget(id, 1)
	for {
		_, err := f.GetAttr(id)
		if err == syscall.ENOENT {
			break
		}
		ok(t, err)
	}
}
