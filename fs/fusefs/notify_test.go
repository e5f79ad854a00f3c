package fusefs

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// TestMappedPagesAreNoHole: data that only the kernel has, because a program wrote it into mapped memory, must be found by SEEK_DATA,
// or copying programs would leave it out.
func TestMappedPagesAreNoHole(t *testing.T) {
	for _, options := range [][]string{nil, {"writethrough"}} {
		loops(t, func(t *testing.T, loop string) {
			m := startVolume(t, append(options, "loop="+loop)...)
			const size, at = 4 << 20, 3 << 20
			path := filepath.Join(m.Dir, "mapped")
			f, err := os.Create(path)
			must(t, err)
			must(t, f.Truncate(size))
			memory, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
			must(t, err)
			copy(memory[at:], "mapped")
			off, err := unix.Seek(int(f.Fd()), 0, unix.SEEK_DATA)
			if err != nil || off > at {
				t.Errorf("first data at %d, %v; there is some at %d", off, err, at)
			}
			copy(memory[at+100:], "again")
			out, err := exec.Command("cp", "--sparse=auto", path, path+".copy").CombinedOutput()
			if err != nil {
				t.Fatalf("cp: %v: %s", err, out)
			}
			got, err := os.ReadFile(path + ".copy")
			if err != nil || !bytes.Equal(got, memory) {
				t.Errorf("the copy differs from what is mapped (%d bytes, %v)", len(got), err)
			}
			must(t, unix.Munmap(memory))
			f.Close()
			m.Unmount()
		})
	}
}

// TestBlocksOfAnOpenFile: du(1) tells the truth of a file that is being written, at once after an fsync.
func TestBlocksOfAnOpenFile(t *testing.T) {
	loops(t, func(t *testing.T, loop string) {
		m := startVolume(t, "loop="+loop)
		f, err := os.Create(filepath.Join(m.Dir, "file"))
		must(t, err)
		defer f.Close()
		for i := 1; i <= 3; i++ {
			_, err := f.Write(make([]byte, 1<<20))
			must(t, err)
			must(t, f.Sync())
			var st unix.Stat_t
			must(t, unix.Fstat(int(f.Fd()), &st))
			if want := int64(i) << 11; st.Blocks < want || st.Blocks > want+200 {
				t.Errorf("%d blocks after %d MiB and fsync, want %d", st.Blocks, i, want)
			}
		}
	})
}

func TestStaleTellsOnceAndInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		told := map[uint64]int{}
		s := newStale(func(ino uint64) {
			mu.Lock()
			defer mu.Unlock()
			told[ino]++
		})
		count := func(ino uint64) int {
			mu.Lock()
			defer mu.Unlock()
			return told[ino]
		}
		for range 10 {
			s.add(7)
		}
		s.add(8)
		s.drop(8)
		s.drop(9)
		if count(7) != 0 || count(8) != 1 || count(9) != 0 {
			t.Errorf("told at once of 7, 8, 9: %d, %d, %d times; want 8 only", count(7), count(8), count(9))
		}
		time.Sleep(staleAge)
		synctest.Wait()
		if count(7) != 1 || count(8) != 1 {
			t.Errorf("told after %v of 7 and 8: %d and %d times, want each once", staleAge, count(7), count(8))
		}
		s.add(7)
		time.Sleep(staleAge)
		synctest.Wait()
		if count(7) != 2 {
			t.Errorf("written again, told %d times, want 2", count(7))
		}
	})
}
