package fusefs

import (
	"context"
	"log/slog"
	"math"
	"math/rand/v2"
	"syscall"
	"testing"

	"dfsmount/fs"

	"github.com/hanwen/go-fuse/v2/fuse"
)

func TestLostAgainstBytes(t *testing.T) {
	var l lost
	var want [200]bool
	any := func(s span) bool {
		for _, b := range want[s.off:s.end] {
			if b {
				return true
			}
		}
		return false
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		off := r.Int64N(190)
		s := span{off, off + 1 + r.Int64N(10)}
		lose := r.IntN(2) == 0
		for i := s.off; i < s.end; i++ {
			want[i] = lose
		}
		if lose {
			l.add(7, s)
		} else {
			l.regain(7, s)
		}
		off = r.Int64N(190)
		probe := span{off, off + 1 + r.Int64N(10)}
		if got := l.in(7, probe); got != any(probe) {
			t.Fatalf("%v lost: %v, want %v", probe, got, !got)
		}
	}
	l.add(7, span{0, 1})
	l.forget(7)
	if l.in(7, span{0, 200}) || l.any.Load() {
		t.Error("a forgotten inode still has lost bytes")
	}
}

func TestLostIsBounded(t *testing.T) {
	var l lost
	for i := int64(0); i < 10*maxSpans; i++ {
		l.add(1, span{2 * i, 2*i + 1})
	}
	if n := len(l.spans[1]); n > maxSpans {
		t.Errorf("%d spans are kept, want at most %d", n, maxSpans)
	}
	for i := int64(0); i < 10*maxSpans; i++ {
		if !l.in(1, span{2 * i, 2*i + 1}) {
			t.Fatalf("span %d is not lost any more", i)
		}
	}
}

// fullBackend has no room until it is told so. It reads zeros, as a filesystem does where nothing was written.
type fullBackend struct {
	backend
	room bool
}

func (b *fullBackend) Write(_ fs.InodeID, data []byte, _ int64, _ bool) (int, error) {
	if !b.room {
		return 0, syscall.ENOSPC
	}
	return len(data), nil
}

func (b *fullBackend) Read(_ context.Context, _ fs.InodeID, dst []byte, _ int64) (int, error) {
	return len(dst), nil
}

func (b *fullBackend) SetAttr(fs.InodeID, fs.SetAttr) (fs.Attr, error) { return fs.Attr{}, nil }
func (b *fullBackend) Forget(fs.InodeID, uint64)                       {}

// What the kernel's cache took and a full disk refused is an error to read, never zeros (contract C6).
func TestReadOfBytesThatNeverArrived(t *testing.T) {
	b := &fullBackend{}
	a := newAdapter(b, Options{Log: slog.New(slog.DiscardHandler)})
	write := func(off uint64, flags uint32) fuse.Status {
		in := &fuse.WriteIn{Offset: off, WriteFlags: flags}
		in.NodeId = 5
		_, status := a.Write(nil, in, make([]byte, 4096))
		return status
	}
	read := func(off uint64) fuse.Status {
		in := &fuse.ReadIn{Offset: off}
		in.NodeId = 5
		_, status := a.Read(nil, in, make([]byte, 4096))
		return status
	}
	if s := write(8192, 0); s != fuse.Status(syscall.ENOSPC) || read(8192) != fuse.OK {
		t.Fatalf("an application that was told %v at write(2) lost nothing", s)
	}
	for range 2 {
		if s := write(8192, fuse.WRITE_CACHE); s != fuse.Status(syscall.ENOSPC) {
			t.Fatalf("write to a full disk: %v", s)
		}
		if read(0) != fuse.OK || read(8192) != fuse.EIO || read(4096+1) != fuse.EIO {
			t.Fatal("lost bytes are not an error to read, or others are")
		}
		b.room = true
		if write(8192, fuse.WRITE_CACHE) != fuse.OK || read(8192) != fuse.OK {
			t.Fatal("bytes that were written again cannot be read")
		}
		b.room = false
	}
	write(8192, fuse.WRITE_CACHE)
	cut := &fuse.SetAttrIn{}
	cut.NodeId, cut.Valid, cut.Size = 5, fuse.FATTR_SIZE, 100
	a.SetAttr(nil, cut, &fuse.AttrOut{})
	if read(8192) != fuse.OK {
		t.Error("bytes that were cut off cannot be read as a hole")
	}
	write(8192, fuse.WRITE_CACHE)
	a.Forget(5, 1)
	if a.lost.in(5, span{0, math.MaxInt64}) {
		t.Error("a forgotten inode still has lost bytes")
	}
}
