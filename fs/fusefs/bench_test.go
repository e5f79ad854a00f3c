package fusefs

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

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

// BenchmarkReadRandom reads 4 KiB at random offsets past the page cache.
func BenchmarkReadRandom(b *testing.B) {
	benchmark(b, func(b *testing.B, dir string) {
		const size = 16 << 20
		path := name(dir, 0)
		if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
			b.Fatal(err)
		}
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECT, 0)
		if err != nil {
			b.Fatal(err)
		}
		defer unix.Close(fd)
		buf := make([]byte, 8192)
		at := uint64(1)
		b.ResetTimer()
		for range b.N {
			at = at*6364136223846793005 + 1442695040888963407
			if _, err := unix.Pread(fd, buf[:4096], int64(at>>40)%(size/4096)*4096); err != nil {
				b.Fatal(err)
			}
		}
	})
}
