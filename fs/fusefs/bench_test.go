package fusefs

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"dfsmount/internal/testenv"
)

// variants are what the benchmarks compare. The backend answers at once, so that the figures are those of the way there and back.
var variants = []struct {
	name    string
	options []string
}{
	{"library", []string{"loop=library"}},
	{"own", []string{"loop=own"}},
	{"own-nopoll", []string{"loop=own", "nopoll"}},
}

func benchmark(b *testing.B, run func(b *testing.B, dir string)) {
	testenv.NeedFUSE(b)
	for _, v := range variants {
		b.Run(v.name, func(b *testing.B) {
			dir := b.TempDir()
			m := testenv.StartMount(b, dir, "ram", append([]string{dir}, v.options...)...)
			run(b, m.Dir)
		})
	}
}

func name(dir string, i int) string { return filepath.Join(dir, fmt.Sprintf("f%08d", i)) }

func create(b *testing.B, path string) {
	fd, err := unix.Open(path, unix.O_CREAT|unix.O_WRONLY, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	unix.Close(fd)
}

func BenchmarkCreate(b *testing.B) {
	benchmark(b, func(b *testing.B, dir string) {
		for i := range b.N {
			create(b, name(dir, i))
		}
	})
}

func BenchmarkCreateWriteFsync(b *testing.B) {
	benchmark(b, func(b *testing.B, dir string) {
		data := make([]byte, 1024)
		for i := range b.N {
			fd, err := unix.Open(name(dir, i), unix.O_CREAT|unix.O_WRONLY, 0o600)
			if err != nil {
				b.Fatal(err)
			}
			unix.Write(fd, data)
			if err := unix.Fsync(fd); err != nil {
				b.Fatal(err)
			}
			unix.Close(fd)
		}
	})
}

// BenchmarkStat asks for names that are not there: each is one LOOKUP.
func BenchmarkStat(b *testing.B) {
	benchmark(b, func(b *testing.B, dir string) {
		var st unix.Stat_t
		for i := range b.N {
			if err := unix.Stat(name(dir, i), &st); err != unix.ENOENT {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkRename(b *testing.B) {
	benchmark(b, func(b *testing.B, dir string) {
		create(b, name(dir, 0))
		b.ResetTimer()
		for i := range b.N {
			if err := os.Rename(name(dir, i), name(dir, i+1)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkReadRandom reads 4 KiB at random offsets past the page cache, eight at a time.
func BenchmarkReadRandom(b *testing.B) { benchmarkRead(b, 4096, 8) }

// BenchmarkReadOne reads 4 KiB at random offsets past the page cache, one after the other.
func BenchmarkReadOne(b *testing.B) { benchmarkRead(b, 4096, 1) }

// BenchmarkReadLarge reads 1 MiB at a time, two at once, past the page cache.
func BenchmarkReadLarge(b *testing.B) { benchmarkRead(b, 1<<20, 2) }

func benchmarkRead(b *testing.B, length, parallel int) {
	benchmark(b, func(b *testing.B, dir string) {
		const size = 64 << 20
		path := name(dir, 0)
		if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(length))
		b.ResetTimer()
		var wg sync.WaitGroup
		for reader := range parallel {
			wg.Go(func() {
				if err := readDirect(path, reader+1, b.N/parallel+1, length, size); err != nil {
					b.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

func readDirect(path string, seed, count, length, size int) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECT, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	buf := make([]byte, length+4096)
	buf = buf[4096-uintptr(unsafe.Pointer(&buf[0]))%4096:][:length]
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	for range count {
		off := random.Int64N(int64(size/length)) * int64(length)
		if n, err := unix.Pread(fd, buf, off); n != length {
			return fmt.Errorf("read %d of %d bytes: %w", n, length, err)
		}
	}
	return nil
}
