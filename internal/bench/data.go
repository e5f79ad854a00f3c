package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// sizes is how much work there is.
type sizes struct {
	large                         int // bytes of the file read and written in one go
	small                         int // bytes of the file written in blocks
	reads, syncedWrites, parallel int // operations
	files, commits, treeFiles     int
}

var (
	fullSizes  = sizes{large: 512 << 20, small: 128 << 20, reads: 8192, syncedWrites: 1000, parallel: 4000, files: 2000, commits: 500, treeFiles: 1 << 30}
	quickSizes = sizes{large: 64 << 20, small: 16 << 20, reads: 1000, syncedWrites: 150, parallel: 400, files: 300, commits: 50, treeFiles: 1500}
)

const (
	block   = 4 << 10
	chunk   = 1 << 20
	threads = 8
)

// noise is what files are filled with: nothing compresses it, and every block of it is stamped with its place, so that a wrong one
// is noticed when it is read.
var noise = func() []byte {
	b := make([]byte, 8*chunk)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}()

func fill(dst []byte, off int64) {
	copy(dst, noise[off%int64(len(noise)-len(dst)+1)/block*block:])
	for i := 0; i < len(dst); i += block {
		binary.LittleEndian.PutUint64(dst[i:], uint64(off)+uint64(i))
	}
}

func check(b []byte, off int64) error {
	for i := 0; i < len(b); i += block {
		if got := binary.LittleEndian.Uint64(b[i:]); got != uint64(off)+uint64(i) {
			return fmt.Errorf("WRONG BYTES at %d: found those of %d", off+int64(i), got)
		}
	}
	return nil
}

func dataGroups(z sizes) []group {
	return []group{
		{name: "data", works: []work{
			{name: "sequential write, 1 MiB, fsync at the end", unit: "MB/s", do: writeFile("large", z.large, chunk)},
			{name: "sequential read, 1 MiB, cold", unit: "MB/s", cold: true, do: readFile("large", z.large)},
			{name: "random read, 4 KiB, cold", unit: "op/s", cold: true, do: readRandom("large", z.large, z.reads)},
		}},
		{name: "blocks", works: []work{
			{name: "sequential write, 4 KiB, fsync at the end", unit: "MB/s", do: writeFile("blocks", z.small, block)},
			{name: "random write, 4 KiB, fsync at the end", unit: "op/s", do: writeRandom("blocks", z.small, z.small/block/2, 1, false)},
			{name: "random write, 4 KiB, fsync each", unit: "op/s", do: writeRandom("blocks", z.small, z.syncedWrites, 1, true)},
			{name: "random write, 4 KiB, fsync each, 8 threads", unit: "op/s", do: writeRandom("blocks", z.small, z.parallel, threads, true)},
		}},
	}
}

func writeFile(name string, size, step int) func(e *env) (float64, error) {
	return func(e *env) (float64, error) {
		f, err := create(e.path(name))
		if err != nil {
			return 0, err
		}
		defer f.close()
		buf := make([]byte, step)
		for off := int64(0); off < int64(size); off += int64(step) {
			if e.ctx.Err() != nil {
				return 0, e.ctx.Err()
			}
			fill(buf, off)
			if err := f.write(buf, off); err != nil {
				return 0, err
			}
		}
		return float64(size) / 1e6, errors.Join(f.sync(), f.close())
	}
}

func readFile(name string, size int) func(e *env) (float64, error) {
	return func(e *env) (float64, error) {
		f, err := open(e.path(name), unix.O_RDONLY)
		if err != nil {
			return 0, err
		}
		defer f.close()
		buf := make([]byte, chunk)
		for off := int64(0); off < int64(size); off += chunk {
			if e.ctx.Err() != nil {
				return 0, e.ctx.Err()
			}
			if err := f.read(buf, off); err != nil {
				return 0, err
			}
			if err := check(buf, off); err != nil {
				return 0, err
			}
		}
		return float64(size) / 1e6, nil
	}
}

func readRandom(name string, size, n int) func(e *env) (float64, error) {
	return func(e *env) (float64, error) {
		f, err := open(e.path(name), unix.O_RDONLY)
		if err != nil {
			return 0, err
		}
		defer f.close()
		r, buf := rand.New(rand.NewPCG(uint64(e.round), 1)), make([]byte, block)
		for range n {
			off := r.Int64N(int64(size/block)) * block
			if e.ctx.Err() != nil {
				return 0, e.ctx.Err()
			}
			if err := f.read(buf, off); err != nil {
				return 0, err
			}
			if err := check(buf, off); err != nil {
				return 0, err
			}
		}
		return float64(n), nil
	}
}

// writeRandom writes n blocks in all, shared by as many threads as asked for, each with a descriptor of its own.
func writeRandom(name string, size, n, threads int, syncEach bool) func(e *env) (float64, error) {
	return func(e *env) (float64, error) {
		var g errgroup.Group
		for thread := range threads {
			g.Go(func() error {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				f, err := open(e.path(name), unix.O_RDWR)
				if err != nil {
					return err
				}
				defer f.close()
				r, buf := rand.New(rand.NewPCG(uint64(e.round), uint64(thread))), make([]byte, block)
				for range n / threads {
					off := r.Int64N(int64(size/block)) * block
					fill(buf, off)
					if err := errors.Join(e.ctx.Err(), f.write(buf, off)); err != nil {
						return err
					}
					if syncEach {
						if err := f.sync(); err != nil {
							return err
						}
					}
				}
				return errors.Join(f.sync(), f.close())
			})
		}
		return float64(n / threads * threads), g.Wait()
	}
}

// file is a descriptor used by plain system calls: what is measured is the filesystem, not package os.
type file struct {
	fd   int
	path string
}

func open(path string, flags int) (*file, error) {
	fd, err := retry(func() (int, error) { return unix.Open(path, flags|unix.O_CLOEXEC, 0o644) })
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return &file{fd, path}, nil
}

func create(path string) (*file, error) { return open(path, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL) }

func (f *file) write(b []byte, off int64) error {
	n, err := retry(func() (int, error) { return unix.Pwrite(f.fd, b, off) })
	if err != nil || n != len(b) {
		return fmt.Errorf("write %s at %d: %d of %d bytes: %w", f.path, off, n, len(b), orShort(err))
	}
	return nil
}

func (f *file) read(b []byte, off int64) error {
	n, err := retry(func() (int, error) { return unix.Pread(f.fd, b, off) })
	if err != nil || n != len(b) {
		return fmt.Errorf("read %s at %d: %d of %d bytes: %w", f.path, off, n, len(b), orShort(err))
	}
	return nil
}

func (f *file) sync() error {
	if _, err := retry(func() (int, error) { return 0, unix.Fsync(f.fd) }); err != nil {
		return fmt.Errorf("fsync %s: %w", f.path, err)
	}
	return nil
}

func (f *file) close() error {
	if f.fd < 0 {
		return nil
	}
	err := unix.Close(f.fd)
	f.fd = -1
	return err
}

var errShort = errors.New("short")

func orShort(err error) error {
	if err == nil {
		return errShort
	}
	return err
}

// retry repeats a call that a signal broke off.
func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != unix.EINTR {
			return n, err
		}
	}
}
