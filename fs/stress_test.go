package fs

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestParallelOneFile runs writers, readers, truncations, holes and fsyncs on one file. Each writer owns its stripe, so that its bytes can be
// told: a read shows a whole version of a stripe's record, or zeros where something cut it.
func TestParallelOneFile(t *testing.T) {
	f := newFS(t, Options{DirtyBytes: 1 << 20, DirtyAge: time.Millisecond})
	id := create(t, f, Root, "a")
	const stripes, record, rounds = 4, 60 << 10, 60
	var g sync.WaitGroup
	for w := range stripes {
		g.Go(func() {
			for i := range rounds {
				p := bytes.Repeat([]byte{byte(1 + w*rounds + i)}, record)
				if _, err := f.Write(id, p, int64(w)*record, false); err != nil {
					t.Error(err)
				}
			}
		})
	}
	g.Go(func() {
		rng := rand.New(rand.NewPCG(1, 1))
		for range rounds {
			size := uint64(rng.IntN(stripes * record))
			if _, err := f.SetAttr(id, SetAttr{Size: &size}); err != nil {
				t.Error(err)
			}
			if err := f.Fallocate(id, fallocPunchHole|fallocKeepSize, rng.Int64N(stripes*record), 5000); err != nil {
				t.Error(err)
			}
		}
	})
	g.Go(func() {
		for range rounds {
			if err := f.Fsync(ctx, id, false); err != nil {
				t.Error(err)
			}
		}
	})
	for r := range 2 {
		g.Go(func() {
			p := make([]byte, stripes*record)
			for range rounds * (r + 1) {
				n, err := f.Read(ctx, id, p, 0)
				if err != nil {
					t.Error(err)
				}
				for w := range stripes {
					for _, b := range p[min(w*record, n):min((w+1)*record, n)] {
						if b != 0 && (int(b)-1)/rounds != w {
							t.Errorf("stripe %d has a byte of stripe %d", w, (int(b)-1)/rounds)
							return
						}
					}
				}
			}
		})
	}
	g.Wait()
	size := uint64(0)
	ok(t, second(f.SetAttr(id, SetAttr{Size: &size})))
	write(t, f, id, []byte("after"), 3)
	if got := content(t, f, id); string(got) != "\x00\x00\x00after" {
		t.Fatalf("reads %q", got)
	}
}

// TestParallelNamespace runs creations, removals, renames, lookups and listings in two directories.
func TestParallelNamespace(t *testing.T) {
	f := newFS(t, Options{})
	var dirs [2]InodeID
	for i := range dirs {
		dirs[i] = must[Attr](t)(f.Mkdir(Caller{}, Root, fmt.Sprint("d", i), 0755)).Inode
	}
	expected := func(err error) {
		switch err {
		case nil, syscall.ENOENT, syscall.EEXIST, syscall.ENOTDIR, syscall.EISDIR, syscall.ENOTEMPTY:
		default:
			t.Errorf("unexpected: %v", err)
		}
	}
	var g sync.WaitGroup
	for w := range 6 {
		g.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 4))
			for range 400 {
				a, b := dirs[rng.IntN(2)], dirs[rng.IntN(2)]
				x, y := fmt.Sprint(rng.IntN(8)), fmt.Sprint(rng.IntN(8))
				var made Attr
				var err error
				switch rng.IntN(8) {
				case 0:
					if made, err = f.Create(Caller{}, a, x, 0644); err == nil {
						_, err = f.Write(made.Inode, random(1, rng.IntN(5000)), 0, false)
					}
				case 1:
					made, err = f.Mkdir(Caller{}, a, x, 0755)
				case 2:
					err = f.Unlink(a, x)
				case 3:
					err = f.Rmdir(a, x)
				case 4:
					err = f.Rename(Caller{}, a, x, b, y, []uint32{0, RenameExchange, RenameNoReplace}[rng.IntN(3)])
				case 5:
					if made, err = f.Lookup(a, x); err == nil && made.Mode&syscall.S_IFMT == syscall.S_IFREG {
						p := make([]byte, 100)
						_, err = f.Read(ctx, made.Inode, p, 0)
					}
				case 6:
					err = f.ReadDirPlus(a, 0, func(d Dirent, at Attr) (take, more bool) { return false, true })
				case 7:
					if made, err = f.Lookup(a, x); err == nil && made.Mode&syscall.S_IFMT == syscall.S_IFREG {
						var second Attr
						if second, err = f.Link(made.Inode, b, y); err == nil {
							f.Forget(second.Inode, 1)
						}
					}
				}
				expected(err)
				if made.Inode != 0 {
					f.Forget(made.Inode, 1)
				}
			}
		})
	}
	g.Wait()
	ok(t, f.SyncAll(ctx))
	for _, id := range dirs {
		f.Forget(id, 1)
	}
	for i := range f.table.shards {
		s := &f.table.shards[i]
		s.mu.Lock()
		for id, in := range s.m {
			if in.refs > 0 {
				t.Errorf("inode %d still has %d references", id, in.refs)
			}
		}
		s.mu.Unlock()
	}
}
