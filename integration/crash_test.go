package integration

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"dfsmount/integration/harness"
	"dfsmount/internal/testenv"
	"dfsmount/internal/treesum"
)

// crashRounds is how often a mount is killed; make crash asks for more.
func crashRounds(t *testing.T) int {
	const usual = 20
	s := os.Getenv("DFSMOUNT_CRASH_ROUNDS")
	if s == "" {
		return usual
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		t.Fatalf("DFSMOUNT_CRASH_ROUNDS is %q", s)
	}
	return n
}

// SIGKILL under load, again and again on the same volume. After each mount everything that was acknowledged before the kill is there, nothing is
// torn, and the metadata is a prefix of what was done (contract C1). The writers know what was acknowledged: they outlive the mount.
//
// SIGKILL loses nothing from the kernel's page cache, so this tests the order and the recovery, not the syncs; the disk that forgets is simdisk.
func TestCrashUnderLoad(t *testing.T) {
	testenv.NeedFUSE(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	w := harness.New(t)
	n := w.Node("n1")
	v := w.Init("v", 1, n.URL)
	load := newLoad(v.Dir+".mnt", seed)
	rounds := crashRounds(t)
	for round := range rounds {
		m := v.Mount()
		load.verify(t)
		if t.Failed() {
			t.Fatalf("round %d of %d: the log of the mount:\n%s", round+1, rounds, m.Log())
		}
		load.run(t, func() {
			<-time.After(time.Duration(50+r.IntN(400)) * time.Millisecond) // the kill may come at any moment: that is the test
			m.Kill()
		})
		switch round % 5 {
		case 1:
			killRecovery(v, r)
		case 2:
			removeIndex(t, v)
		case 4:
			m.Detach()
			v.Check()
		}
	}
	m := v.Mount()
	load.verify(t)
	t.Logf("%d rounds: %s", rounds, load.summary())
	m.Sync()
	want := tree(t, m.Dir)
	m.Unmount()
	v.Check("--data")
	sameFromNode(t, w, n, want)
}

// killRecovery kills a mount while it comes up: recovery must bear that as anything else.
func killRecovery(v *harness.Volume, r *rand.Rand) {
	m := v.StartMount()
	<-time.After(time.Duration(r.IntN(1500)) * time.Millisecond)
	m.Kill()
}

// removeIndex takes away what can be made again from the log.
func removeIndex(t *testing.T, v *harness.Volume) {
	if err := os.Remove(filepath.Join(v.Dir, "index.db")); err != nil {
		t.Fatal(err)
	}
}

func tree(t *testing.T, dir string) treesum.Tree {
	t.Helper()
	s, err := treesum.Of(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sameFromNode has the volume once more from a node alone, and compares.
func sameFromNode(t *testing.T, w *harness.World, n *harness.Node, want treesum.Tree) {
	t.Helper()
	m := w.Clone("clone", n.URL).Mount()
	for _, d := range treesum.Diff(want, tree(t, m.Dir), 10) {
		t.Errorf("recovered from the node: %s", d)
	}
	m.Unmount()
}

// What nobody asked to be durable is so within the commit interval: 5 s. That holds for a file that stays open as well, which the kernel
// would keep to itself for half a minute.
func TestCrashAfterCommitInterval(t *testing.T) {
	testenv.NeedFUSE(t)
	w := harness.New(t)
	n := w.Node("n1")
	v := w.Init("v", 1, n.URL)
	m := v.Mount()
	const content = "written and never synced"
	if err := os.WriteFile(filepath.Join(m.Dir, "closed"), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	open, err := os.Create(filepath.Join(m.Dir, "open"))
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if _, err := open.WriteString(content); err != nil {
		t.Fatal(err)
	}
	<-time.After(6 * time.Second) // the promise is about time: 5 s, and one for a busy machine
	m.Kill()
	m = v.Mount()
	for _, name := range []string{"closed", "open"} {
		if b, err := os.ReadFile(filepath.Join(m.Dir, name)); err != nil || string(b) != content {
			t.Errorf("%s, 6 s and a crash later: %q, %v", name, b, err)
		}
	}
}

// A dead mount answers ENOTCONN, or from what the kernel has in its cache. It never looks like an empty directory, which a mirror job would
// take for "all deleted"; and the next mount takes its place, whatever the cache holds.
func TestCrashedMountNeverLooksEmpty(t *testing.T) {
	testenv.NeedFUSE(t)
	w := harness.New(t)
	n := w.Node("n1")
	v := w.Init("v", 1, n.URL)
	m := v.Mount()
	writeFile(t, filepath.Join(m.Dir, "f"), []byte("x"))
	if err := syncPath(filepath.Join(m.Dir, "f")); err != nil {
		t.Fatal(err)
	}
	dead := make(chan struct{})
	var lists sync.WaitGroup
	lists.Go(func() {
		for last := false; !last; {
			select {
			case <-dead:
				last = true
			default:
			}
			entries, err := os.ReadDir(m.Dir)
			if err == nil && len(entries) == 0 {
				t.Error("a directory with a file in it was listed as empty")
			}
		}
	})
	<-time.After(100 * time.Millisecond)
	m.Kill()
	close(dead)
	lists.Wait()
	var st syscall.Statfs_t
	if err := syscall.Statfs(m.Dir, &st); !errors.Is(err, syscall.ENOTCONN) {
		t.Errorf("statfs of a dead mount: %v, want ENOTCONN", err)
	}
	if err := os.WriteFile(filepath.Join(m.Dir, "g"), nil, 0o644); !errors.Is(err, syscall.ENOTCONN) {
		t.Errorf("create in a dead mount: %v, want ENOTCONN", err)
	}
	m = v.Mount()
	if b, err := os.ReadFile(filepath.Join(m.Dir, "f")); err != nil || string(b) != "x" {
		t.Errorf("mounted again: %q, %v", b, err)
	}
}

// What a plain umount acknowledged by ending is there, synced or not.
func TestUmountIsDurable(t *testing.T) {
	testenv.NeedFUSE(t)
	w := harness.New(t)
	n := w.Node("n1")
	v := w.Init("v", 1, n.URL)
	for _, how := range []string{"dfsmount umount", "SIGTERM"} {
		m := v.Mount()
		path := filepath.Join(m.Dir, how)
		if err := os.WriteFile(path, []byte(how), 0o644); err != nil {
			t.Fatal(err)
		}
		if how == "SIGTERM" {
			m.Terminate()
		} else {
			m.Unmount()
		}
		m = v.Mount()
		if b, err := os.ReadFile(path); err != nil || string(b) != how {
			t.Errorf("after %s: %q, %v", how, b, err)
		}
		m.Unmount()
	}
}
