package dirnode

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dfsmount/node"
	"dfsmount/node/nodetest"
)

func newHost(t *testing.T) *host {
	t.Helper()
	h, err := open(t.TempDir(), Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestConformance(t *testing.T) {
	nodetest.TestHost(t, func(t *testing.T) node.Host { return newHost(t) })
}

// unlinkable is how FAT answers link(2).
func unlinkable(int, string, int, string) error { return syscall.EPERM }

func TestConformanceWithoutLinks(t *testing.T) {
	nodetest.TestHost(t, func(t *testing.T) node.Host {
		h := newHost(t)
		h.publishers = []publisher{unlinkable, renameNoReplace}
		return h
	})
}

func TestPutWithoutAnyPublisher(t *testing.T) {
	h := newHost(t)
	h.publishers = []publisher{unlinkable, func(int, string, int, string) error { return syscall.EINVAL }}
	err := put(h.Volume(nodetest.VolumeID), "a", []byte("x"))
	if !errors.Is(err, node.ErrPermanent) || !errors.Is(err, syscall.EINVAL) {
		t.Errorf("put: %v, want ErrPermanent", err)
	}
	wantTemps(t, h, 0)
}

func TestErrorsOfTheDisk(t *testing.T) {
	for errno, want := range map[syscall.Errno]error{
		syscall.ENOSPC: node.ErrFull, syscall.EDQUOT: node.ErrFull, syscall.EROFS: node.ErrPermanent, syscall.EACCES: node.ErrPermanent,
	} {
		h := newHost(t)
		h.publishers = []publisher{func(int, string, int, string) error { return errno }}
		err := put(h.Volume(nodetest.VolumeID), "a", []byte("x"))
		if !errors.Is(err, want) || !errors.Is(err, errno) {
			t.Errorf("%v: put: %v, want %v", errno, err, want)
		}
		wantTemps(t, h, 0)
	}
	h := newHost(t)
	h.publishers = []publisher{func(int, string, int, string) error { return syscall.EIO }}
	if err := put(h.Volume(nodetest.VolumeID), "a", nil); err == nil || errors.Is(err, node.ErrPermanent) || errors.Is(err, node.ErrFull) {
		t.Errorf("EIO: put: %v, want a transient error", err)
	}
}

// TestPutWhereNameIsDeletedMeanwhile: taken when we come to publish, free when we look.
func TestPutWhereNameIsDeletedMeanwhile(t *testing.T) {
	h, calls := newHost(t), 0
	h.publishers = []publisher{func(fd int, from string, to int, name string) error {
		if calls++; calls == 1 {
			return syscall.EEXIST
		}
		return link(fd, from, to, name)
	}}
	n := h.Volume(nodetest.VolumeID)
	nodetest.MustPut(t, n, "a", []byte("x"))
	if got, err := nodetest.Read(n, "a", 0, -1); err != nil || string(got) != "x" || calls != 2 {
		t.Errorf("get: %q, %v after %d calls", got, err, calls)
	}
}

func TestOpenWithoutCreateMakesNothing(t *testing.T) {
	for _, path := range []string{t.TempDir(), filepath.Join(t.TempDir(), "missing")} {
		h, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		wantAway(t, h, filepath.Base(path))
		if entries, _ := os.ReadDir(path); len(entries) > 0 {
			t.Errorf("%s has %v", path, entries)
		}
	}
}

// wantAway fails unless every operation fails with a transient error that names the path.
func wantAway(t *testing.T, h node.Host, says string) {
	t.Helper()
	n, ctx := h.Volume(nodetest.VolumeID), context.Background()
	_, errVolumes := h.Volumes(ctx)
	_, errGet := n.Get(ctx, "a", 0, -1)
	_, errStat := n.Stat(ctx, "a")
	_, errList := nodetest.Names(n, "", "")
	for what, err := range map[string]error{
		"volumes": errVolumes, "put": put(n, "a", []byte("x")), "get": errGet, "stat": errStat, "list": errList, "delete": n.Delete(ctx, "a"),
	} {
		if err == nil || errors.Is(err, node.ErrPermanent) || errors.Is(err, node.ErrNotExist) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want a transient error that says %q", what, err, says)
		}
	}
}

// TestD4DiskPulled: a mount point without its disk stays empty, and the node is back with its disk.
func TestD4DiskPulled(t *testing.T) {
	dir := t.TempDir()
	mountPoint, disk := filepath.Join(dir, "mnt"), filepath.Join(dir, "disk")
	h, err := Open(mountPoint, Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	n := h.Volume(nodetest.VolumeID)
	nodetest.MustPut(t, n, "a", []byte("x"))
	if err := errors.Join(os.Rename(mountPoint, disk), os.Mkdir(mountPoint, 0o700)); err != nil {
		t.Fatal(err)
	}
	wantAway(t, h, "is its disk mounted?")
	if entries, _ := os.ReadDir(mountPoint); len(entries) > 0 {
		t.Errorf("made %v in the mount point", entries)
	}
	if err := errors.Join(os.Remove(mountPoint), os.Rename(disk, mountPoint)); err != nil {
		t.Fatal(err)
	}
	if got, err := nodetest.Read(n, "a", 0, -1); err != nil || string(got) != "x" {
		t.Errorf("get: %q, %v", got, err)
	}
}

func TestOpenChecksID(t *testing.T) {
	h := newHost(t)
	id, err := ID(h.path)
	if err != nil || !node.ValidVolume(id) {
		t.Fatalf("id: %q, %v", id, err)
	}
	same, err := Open(h.path, Options{ID: id})
	if err != nil {
		t.Fatal(err)
	}
	nodetest.MustPut(t, same.Volume(nodetest.VolumeID), "a", nil)
	other, err := Open(h.path, Options{ID: nodetest.VolumeID})
	if err != nil {
		t.Fatal(err)
	}
	wantAway(t, other, "another disk in its place?")
}

func TestOpenCreate(t *testing.T) {
	h := newHost(t)
	id, err := ID(h.path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(h.path, Options{Create: true}); err != nil {
		t.Errorf("create again: %v", err)
	}
	if again, err := ID(h.path); err != nil || again != id {
		t.Errorf("id is %s after a second create, was %s, %v", again, id, err)
	}
	used := t.TempDir()
	writeFile(t, filepath.Join(used, "thesis.tex"), "x")
	for path, says := range map[string]string{
		"":                                       "empty",
		used:                                     "thesis.tex",
		filepath.Join(used, "thesis.tex"):        "not a directory",
		filepath.Join(used, "missing", "parent"): "no such file",
	} {
		if _, err := Open(path, Options{Create: true}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("create %q: %v, want an error that says %q", path, err, says)
		}
	}
}

func TestMarkerUnknown(t *testing.T) {
	for _, text := range []string{"", "dfsmount-node 1\n", "dfsmount-node 2\nid " + nodetest.VolumeID + "\n", "dfsmount-node 1\nid " + nodetest.VolumeID, "dfsmount-node 1\nid " + nodetest.VolumeID + "\nmore\n"} {
		h := newHost(t)
		writeFile(t, filepath.Join(h.path, markerName), text)
		if err := put(h.Volume(nodetest.VolumeID), "a", nil); !errors.Is(err, node.ErrPermanent) {
			t.Errorf("%q: put: %v, want ErrPermanent", text, err)
		}
		if _, err := Open(h.path, Options{Create: true}); !errors.Is(err, node.ErrPermanent) {
			t.Errorf("%q: create: %v, want ErrPermanent", text, err)
		}
	}
}

// TestTornObject: what a disk lost is noticed by Stat, and a Put does not take it for stored.
func TestTornObject(t *testing.T) {
	data := nodetest.Bytes("a", 100_000)
	flipped := bytes.Clone(data)
	flipped[50_000] ^= 1
	for what, stored := range map[string][]byte{"short": data[:99_999], "empty": {}, "flipped": flipped} {
		h := newHost(t)
		n := h.Volume(nodetest.VolumeID)
		nodetest.MustPut(t, n, "s/a", data)
		writeFile(t, filepath.Join(h.path, nodetest.VolumeID, "s/a"), string(stored))
		info, err := n.Stat(context.Background(), "s/a")
		if err != nil || info.Sum != sha256.Sum256(stored) || info.Size != int64(len(stored)) {
			t.Errorf("%s: stat: %v, %v; want what is stored now", what, info, err)
		}
		if err := put(n, "s/a", data); !errors.Is(err, node.ErrExists) {
			t.Errorf("%s: put: %v, want ErrExists", what, err)
		}
		if err := n.Delete(context.Background(), "s/a"); err != nil {
			t.Fatal(err)
		}
		nodetest.MustPut(t, n, "s/a", data)
	}
}

// TestD3Symlinks: nobody but an administrator can make them, and still they lead nowhere.
func TestD3Symlinks(t *testing.T) {
	h := newHost(t)
	n, ctx := h.Volume(nodetest.VolumeID), context.Background()
	nodetest.MustPut(t, n, "s/a", []byte("x"))
	outside := t.TempDir()
	writeFile(t, filepath.Join(outside, "secret"), "secret")
	other := strings.Repeat("b", 32)
	nodetest.MustPut(t, h.Volume(other), "s/secret", []byte("secret"))
	vol := filepath.Join(h.path, nodetest.VolumeID)
	for link, target := range map[string]string{
		"out": outside, "up": "../" + other + "/s", "file": filepath.Join(outside, "secret"), "marker": "../" + markerName,
		"inside": "s/a",
	} {
		if err := os.Symlink(target, filepath.Join(vol, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(other, filepath.Join(h.path, strings.Repeat("c", 32))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"out/secret", "up/secret", "file", "marker", "inside"} {
		if got, err := nodetest.Read(n, name, 0, -1); err == nil {
			t.Errorf("get %s: %q", name, got)
		}
		if info, err := n.Stat(ctx, name); err == nil {
			t.Errorf("stat %s: %v", name, info)
		}
	}
	for _, name := range []string{"out/new", "up/new"} {
		if err := put(n, name, []byte("x")); err == nil {
			t.Errorf("put %s went through a symlink", name)
		}
		if err := n.Delete(ctx, name); err == nil {
			t.Errorf("delete %s went through a symlink", name)
		}
	}
	if err := put(h.Volume(strings.Repeat("c", 32)), "a", nil); !errors.Is(err, node.ErrPermanent) {
		t.Errorf("put in a volume that is a symlink: %v", err)
	}
	if names, err := nodetest.Names(n, "", ""); err != nil || len(names) != 1 {
		t.Errorf("list: %q, %v; want s/a alone", names, err)
	}
	if ids, err := h.Volumes(ctx); err != nil || len(ids) != 2 {
		t.Errorf("volumes: %q, %v; want two", ids, err)
	}
	for _, dir := range []string{outside, filepath.Join(h.path, other, "s")} {
		if entries, _ := os.ReadDir(dir); len(entries) != 1 {
			t.Errorf("%s has %v", dir, entries)
		}
	}
}

func TestNotRegular(t *testing.T) {
	h := newHost(t)
	n := h.Volume(nodetest.VolumeID)
	nodetest.MustPut(t, n, "a", nil)
	if err := syscall.Mkfifo(filepath.Join(h.path, nodetest.VolumeID, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := nodetest.Read(n, "fifo", 0, -1); !errors.Is(err, node.ErrPermanent) {
		t.Errorf("get: %v", err)
	}
	if err := put(n, "fifo", nil); !errors.Is(err, node.ErrPermanent) {
		t.Errorf("put: %v", err)
	}
}

// TestPrefixNames: what the contract leaves to callers is refused, not mixed up.
func TestPrefixNames(t *testing.T) {
	n := newHost(t).Volume(nodetest.VolumeID)
	nodetest.MustPut(t, n, "a/b", []byte("x"))
	for _, name := range []string{"a", "a/b/c", "a/b/c/d"} {
		if err := put(n, name, []byte("y")); !errors.Is(err, node.ErrPermanent) {
			t.Errorf("put %s: %v, want ErrPermanent", name, err)
		}
	}
	if got, err := nodetest.Read(n, "a/b", 0, -1); err != nil || string(got) != "x" {
		t.Errorf("get: %q, %v", got, err)
	}
}

func TestSweep(t *testing.T) {
	h := newHost(t)
	dir := filepath.Join(h.path, tempDir)
	for name, age := range map[string]time.Duration{"old": tempAge + time.Minute, "fresh": tempAge - time.Minute, "future": -time.Hour} {
		writeFile(t, filepath.Join(dir, name), "x")
		when := time.Now().Add(-age)
		if err := os.Chtimes(filepath.Join(dir, name), when, when); err != nil {
			t.Fatal(err)
		}
	}
	h.swept.Store(0)
	n := h.Volume(nodetest.VolumeID)
	nodetest.MustPut(t, n, "a", nil)
	wantTemps(t, h, 2)
	if _, err := os.Lstat(filepath.Join(dir, "old")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the old one: %v", err)
	}
}

// TestSweptAlive: a writer that lost its temporary file to a sweep fails, and the next Put works.
func TestSweptAlive(t *testing.T) {
	h := newHost(t)
	n := h.Volume(nodetest.VolumeID)
	data := []byte("x")
	body := readerFunc(func(p []byte) (int, error) {
		temps, err := filepath.Glob(filepath.Join(h.path, tempDir, "*"))
		if err != nil || len(temps) != 1 {
			t.Fatalf("%v, %v", temps, err)
		}
		return copy(p, data), os.Remove(temps[0])
	})
	err := n.Put(context.Background(), "a", body, 1, sha256.Sum256(data))
	if err == nil || errors.Is(err, node.ErrNotExist) || errors.Is(err, node.ErrPermanent) {
		t.Errorf("put: %v, want a transient error", err)
	}
	nodetest.MustPut(t, n, "a", data)
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestTempsGo(t *testing.T) {
	h := newHost(t)
	n := h.Volume(nodetest.VolumeID)
	nodetest.MustPut(t, n, "a", []byte("x"))
	_ = put(n, "a", []byte("y"))
	_ = n.Put(context.Background(), "b", bytes.NewReader(nil), 1, node.Sum{})
	_ = n.Put(context.Background(), "b", bytes.NewReader([]byte("x")), 1, node.Sum{})
	wantTemps(t, h, 0)
}

func wantTemps(t *testing.T, h *host, want int) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(h.path, tempDir))
	if err != nil || len(entries) != want {
		t.Errorf("temporary files: %v, %v; want %d", entries, err, want)
	}
}

func writeFile(t *testing.T, path, data string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

func put(n node.Node, name string, data []byte) error {
	return n.Put(context.Background(), name, bytes.NewReader(data), int64(len(data)), sha256.Sum256(data))
}
