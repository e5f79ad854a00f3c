package fs

import (
	"dfsmount/cache"
	"dfsmount/seal"
	"fmt"
	"testing"
)

// benchFS is a filesystem in a directory of the machine.
func benchFS(b *testing.B) *FS {
	b.Helper()
	s, err := cache.Create(ctx, b.TempDir(), seal.TestKeys(), cache.Options{})
	ok(b, err)
	f, err := New(s, Options{})
	ok(b, err)
	b.Cleanup(func() {
		ok(b, f.Close())
		ok(b, s.Close())
	})
	return f
}

func BenchmarkCreate(b *testing.B) {
	f := benchFS(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		a, err := f.Create(Caller{}, Root, fmt.Sprintf("file-%08d", i), 0644)
		ok(b, err)
		f.Forget(a.Inode, 1)
	}
}

func BenchmarkCreateWrite1KFsync(b *testing.B) {
	f := benchFS(b)
	p := random(1, 1024)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		a, err := f.Create(Caller{}, Root, fmt.Sprintf("file-%08d", i), 0644)
		ok(b, err)
		write(b, f, a.Inode, p, 0)
		ok(b, f.Fsync(ctx, a.Inode, false))
		f.Forget(a.Inode, 1)
	}
}

func BenchmarkCreateUnlink(b *testing.B) {
	f := benchFS(b)
	b.ReportAllocs()
	for b.Loop() {
		a, err := f.Create(Caller{}, Root, "file", 0644)
		ok(b, err)
		ok(b, f.Unlink(Root, "file"))
		f.Forget(a.Inode, 1)
	}
}

func BenchmarkGetAttr(b *testing.B) {
	f := benchFS(b)
	id := create(b, f, Root, "a")
	b.ReportAllocs()
	for b.Loop() {
		_, err := f.GetAttr(id)
		ok(b, err)
	}
}

// bigDir is a directory of n files.
func bigDir(b *testing.B, f *FS, n int) InodeID {
	b.Helper()
	dir := must[Attr](b)(f.Mkdir(Caller{}, Root, "d", 0755)).Inode
	for i := range n {
		f.Forget(create(b, f, dir, fmt.Sprintf("file-%08d", i)), 1)
	}
	return dir
}

func BenchmarkLookup(b *testing.B) {
	f := benchFS(b)
	dir := bigDir(b, f, 10000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		a, err := f.Lookup(dir, fmt.Sprintf("file-%08d", i*7919%10000))
		ok(b, err)
		f.Forget(a.Inode, 1)
	}
}

func BenchmarkReadDirPlus10k(b *testing.B) {
	f := benchFS(b)
	dir := bigDir(b, f, 10000)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		ok(b, f.ReadDirPlus(dir, 0, func(d Dirent, a Attr) (take, more bool) {
			n++
			return false, true
		}))
		if n != 10002 {
			b.Fatal(n)
		}
	}
}

func benchWrite(b *testing.B, size int) {
	f := benchFS(b)
	id := create(b, f, Root, "a")
	p := random(1, size)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	off := int64(0)
	for b.Loop() {
		write(b, f, id, p, off)
		if off += int64(size); off >= 1<<30 {
			off = 0
		}
	}
}

func BenchmarkWrite4K(b *testing.B) { benchWrite(b, 4<<10) }
func BenchmarkWrite1M(b *testing.B) { benchWrite(b, 1<<20) }

func benchRead(b *testing.B, size int) {
	f := benchFS(b)
	id := create(b, f, Root, "a")
	for off := range int64(256) {
		write(b, f, id, random(uint64(off), 1<<20), off<<20)
	}
	ok(b, f.Fsync(ctx, id, false))
	p := make([]byte, size)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	off := int64(0)
	for b.Loop() {
		_, err := f.Read(ctx, id, p, off)
		ok(b, err)
		if off += int64(size); off >= 256<<20 {
			off = 0
		}
	}
}

func BenchmarkRead4K(b *testing.B) { benchRead(b, 4<<10) }
func BenchmarkRead1M(b *testing.B) { benchRead(b, 1<<20) }

func BenchmarkOverwrite4KFsync(b *testing.B) {
	f := benchFS(b)
	id := create(b, f, Root, "a")
	write(b, f, id, random(1, 16<<20), 0)
	ok(b, f.Fsync(ctx, id, false))
	p := random(2, 4096)
	b.ReportAllocs()
	for i := int64(0); b.Loop(); i++ {
		write(b, f, id, p, i*7919%4096*4096)
		ok(b, f.Fsync(ctx, id, true))
	}
}
