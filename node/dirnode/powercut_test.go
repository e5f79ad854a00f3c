package dirnode

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"dfsmount/internal/testenv"
	"dfsmount/node"
	"dfsmount/node/nodetest"
)

// TestD2PowerCut puts objects on a filesystem of its own, in a file, and copies the file while it does. A copy is the disk as a power cut
// would leave it: what the kernel has not written out is not in it. Every Put that had returned before the copy began must be there
// once a copy is mounted, and what is there must be whole. (It fails without the fdatasync, and without the fsync of directories;
// that every directory is synced does not show, for ext4 commits all of them with one.)
func TestD2PowerCut(t *testing.T) {
	dir := t.TempDir()
	disk, mnt := filepath.Join(dir, "disk"), filepath.Join(dir, "mnt")
	makeDisk(t, disk)
	mount(t, disk, mnt)
	h, err := open(filepath.Join(mnt, "node"), Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	acked, cuts := putAndCut(t, h.Volume(nodetest.VolumeID), disk)
	for i, cut := range cuts {
		at := filepath.Join(dir, fmt.Sprint("cut", i))
		mount(t, cut.image, at)
		after, err := Open(filepath.Join(at, "node"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		wantWhole(t, after.Volume(nodetest.VolumeID), acked[:cut.acked])
	}
}

// cut is one copy of the disk and the number of Puts that had returned before it was begun.
type cut struct {
	image string
	acked int
}

// putAndCut puts from two writers and copies the disk right after some of the Puts.
func putAndCut(t *testing.T, n node.Node, disk string) (acked []string, cuts []cut) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for worker := range 2 {
		wg.Go(func() {
			for i := range 12 {
				name := fmt.Sprintf("w%d/%d/%d", worker, i/2, i)
				if err := put(n, name, crashData(name)); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				acked = append(acked, name)
				if worker == 0 && i%3 == 0 {
					image := fmt.Sprintf("%s.cut%d", disk, i)
					run(t, "cp", "--sparse=always", disk, image)
					cuts = append(cuts, cut{image, len(acked)})
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return acked, cuts
}

// makeDisk makes an ext4 filesystem in a file. Its journal is larger than what the test writes: a copy takes time, and is a state the disk
// could have had only as long as nothing goes from the journal to its place meanwhile.
func makeDisk(t *testing.T, path string) {
	t.Helper()
	testenv.NeedRoot(t)
	if _, err := exec.LookPath("mkfs.ext4"); err != nil {
		testenv.Skip(t, "making a disk image: there is no mkfs.ext4 (package e2fsprogs)")
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(128<<20), f.Close()); err != nil {
		t.Fatal(err)
	}
	run(t, "mkfs.ext4", "-q", "-F", "-J", "size=32", path)
}

// mount mounts a disk image until the test ends.
func mount(t *testing.T, image, at string) {
	t.Helper()
	if err := os.Mkdir(at, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-o", "loop", image, at).CombinedOutput(); err != nil {
		testenv.Skip(t, fmt.Sprintf("mount a disk image: %v: %s", err, out))
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(at, 0); err != nil {
			t.Errorf("unmount %s: %v", at, errors.Join(err, syscall.Unmount(at, syscall.MNT_DETACH)))
		}
	})
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Errorf("%s: %v: %s", name, err, out)
	}
}
