package fs

import (
	"bytes"
	"dfsmount/cache"
	"dfsmount/internal/disk/simdisk"
	"dfsmount/seal"
	"fmt"
	"syscall"
	"testing"
	"time"
)

// smallDisk is a filesystem on a disk of n bytes.
func smallDisk(t *testing.T, n int64) (*FS, *simdisk.Disk) {
	t.Helper()
	d := simdisk.New()
	d.SetCapacity(n)
	s, err := cache.Create(ctx, "", seal.TestKeys(), cache.Options{Disk: d, SegmentSize: 256 << 10, MaxSegmentSize: 512 << 10, SealAge: time.Millisecond})
	ok(t, err)
	f, err := New(s, Options{DirtyBytes: 2 << 20, DirtyAge: time.Millisecond})
	ok(t, err)
	t.Cleanup(func() {
		check(t, f)
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return f, d
}

// TestDiskFull: writes end with ENOSPC before they are accepted, everything accepted can be synced and read, and names can be removed.
func TestDiskFull(t *testing.T) {
	f, _ := smallDisk(t, 8<<20)
	var files []InodeID
	var sizes []int
	for i := 0; ; i++ {
		a, err := f.Create(Caller{}, Root, fmt.Sprint(i), 0644)
		if err == syscall.ENOSPC {
			break
		}
		ok(t, err)
		n, err := f.Write(a.Inode, random(uint64(i), 200<<10), 0, false)
		files, sizes = append(files, a.Inode), append(sizes, n)
		if err == syscall.ENOSPC {
			break
		}
		ok(t, err)
		if i > 100 {
			t.Fatal("20 MB on a disk of 8 MB")
		}
	}
	ok(t, f.SyncAll(ctx))
	if len(files) < 10 {
		t.Fatalf("%d files of 200 KiB on a disk of 8 MiB", len(files))
	}
	for i, id := range files {
		if got := content(t, f, id); !bytes.Equal(got, random(uint64(i), 200<<10)[:sizes[i]]) {
			t.Fatalf("file %d differs", i)
		}
	}
	s, err := f.Statfs()
	ok(t, err)
	if s.Avail > 300 {
		t.Errorf("%d blocks are to be had of a full disk", s.Avail)
	}
	for i, id := range files {
		ok(t, f.Unlink(Root, fmt.Sprint(i)))
		f.Forget(id, 1)
	}
	ok(t, f.SyncAll(ctx))
}

// TestFailingDisk: once the store failed, every fsync of a file with dirty data says so, each time, and the bytes stay readable.
func TestFailingDisk(t *testing.T) {
	d := simdisk.New()
	s, err := cache.Create(ctx, "", seal.TestKeys(), cache.Options{Disk: d})
	ok(t, err)
	f, err := New(s, Options{DirtyAge: time.Hour})
	ok(t, err)
	id := create(t, f, Root, "a")
	ok(t, f.SyncAll(ctx))
	write(t, f, id, []byte("hello"), 0)
	d.Fail(simdisk.Fault{Op: simdisk.WriteAt, Err: syscall.EIO})
	for range 3 {
		if err := f.Fsync(ctx, id, false); err == nil {
			t.Fatal("fsync was acknowledged on a disk that fails")
		} else if _, bare := err.(syscall.Errno); bare {
			t.Fatalf("a fault of the disk looks like an answer: %v", err)
		}
		if got := content(t, f, id); string(got) != "hello" {
			t.Fatalf("reads %q", got)
		}
	}
	if f.Close() == nil {
		t.Error("Close hides the failure")
	}
	if s.Close() == nil {
		t.Error("the store hides the failure")
	}
}
