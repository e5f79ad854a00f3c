package disk_test

import (
	"bytes"
	"errors"
	"io"
	iofs "io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"dfsmount/internal/disk"
	"dfsmount/internal/testenv"

	"golang.org/x/sys/unix"
)

func open(t *testing.T) (disk.FS, string) {
	t.Helper()
	dir := t.TempDir()
	d, err := disk.OS(dir)
	if err != nil {
		t.Fatal(err)
	}
	return d, dir
}

func create(t *testing.T, d disk.FS, path string) disk.File {
	t.Helper()
	f, err := d.Open(path, disk.Create)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestOSNames(t *testing.T) {
	d, dir := open(t)
	must(t, d.Mkdir("a"))
	must(t, d.Mkdir("a"))
	f := create(t, d, "a/one")
	if _, err := f.WriteAt([]byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	create(t, d, "a/two")
	if _, err := d.Open("a/one", disk.Create); !errors.Is(err, iofs.ErrExist) {
		t.Errorf("creating what exists: %v", err)
	}
	if _, err := d.Open("a/three", disk.Write); !errors.Is(err, iofs.ErrNotExist) {
		t.Errorf("opening what is missing: %v", err)
	}
	must(t, d.Rename("a/one", "a/two"))
	names, err := d.List("a")
	if err != nil || !slices.Equal(names, []string{"two"}) {
		t.Errorf("after rename: %q, %v", names, err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "a/two")); string(b) != "1" {
		t.Errorf("rename did not replace: %q, %v", b, err)
	}
	must(t, d.SyncDir("a"))
	must(t, d.SyncDir("."))
	if err := d.Remove("a"); !errors.Is(err, unix.EISDIR) {
		t.Errorf("removing a directory: %v", err)
	}
	must(t, d.Remove("a/two"))
	if err := d.Remove("a/two"); !errors.Is(err, iofs.ErrNotExist) {
		t.Errorf("removing what is missing: %v", err)
	}
	if err := d.Mkdir("a/two/three"); err == nil {
		t.Error("a directory was made in a directory that is missing")
	}
}

func TestOSMkdirOverFile(t *testing.T) {
	d, _ := open(t)
	create(t, d, "file")
	if err := d.Mkdir("file"); err == nil {
		t.Error("Mkdir took a file for a directory")
	}
}

func TestOSModes(t *testing.T) {
	d, dir := open(t)
	create(t, d, "f")
	must(t, d.Mkdir("d"))
	for name, want := range map[string]iofs.FileMode{"f": 0o600, "d": 0o700} {
		info, err := os.Stat(filepath.Join(dir, name))
		must(t, err)
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s: mode %o, want %o", name, got, want)
		}
	}
}

func TestOSStaysInside(t *testing.T) {
	d, dir := open(t)
	must(t, os.Symlink("/etc", filepath.Join(dir, "out")))
	for _, path := range []string{"../x", "/etc/passwd", "out/passwd"} {
		if _, err := d.Open(path, disk.Read); err == nil {
			t.Errorf("%s was opened", path)
		}
	}
}

func TestOSReadOnly(t *testing.T) {
	d, _ := open(t)
	create(t, d, "f")
	f, err := d.Open("f", disk.Read)
	must(t, err)
	defer f.Close()
	if _, err := f.WriteAt([]byte("x"), 0); err == nil {
		t.Error("a file opened for reading was written")
	}
	if _, err := d.Open("f", disk.Flag(9)); err == nil {
		t.Error("an unknown flag was accepted")
	}
}

func TestOSAllocateKeepsContent(t *testing.T) {
	d, _ := open(t)
	f := create(t, d, "f")
	_, err := f.WriteAt([]byte("kept"), 2)
	must(t, err)
	must(t, f.Allocate(0, 1<<20))
	must(t, f.Datasync())
	if size, err := f.Size(); size != 1<<20 || err != nil {
		t.Errorf("size %d, %v", size, err)
	}
	b := make([]byte, 8)
	_, err = f.ReadAt(b, 0)
	must(t, err)
	if !bytes.Equal(b, []byte("\x00\x00kept\x00\x00")) {
		t.Errorf("read %q", b)
	}
	must(t, f.Truncate(3))
	if n, err := f.ReadAt(b, 0); n != 3 || err != io.EOF {
		t.Errorf("after truncate: %d, %v", n, err)
	}
}

func TestOSFree(t *testing.T) {
	d, dir := open(t)
	free, total, err := d.Free()
	must(t, err)
	var st unix.Statfs_t
	must(t, unix.Statfs(dir, &st))
	if total != int64(st.Blocks)*st.Frsize || free <= 0 || free > total {
		t.Errorf("free %d of %d", free, total)
	}
}

// TestOSFull fills a small tmpfs, which supports fallocate, and asks for more in every way there is.
func TestOSFull(t *testing.T) {
	testenv.NeedRoot(t)
	dir := t.TempDir()
	if err := unix.Mount("dfsmount-test", dir, "tmpfs", 0, "size=1m"); err != nil {
		testenv.Skip(t, "mounting a tmpfs: "+err.Error())
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	d, err := disk.OS(dir)
	must(t, err)
	f := create(t, d, "f")
	var pe *iofs.PathError
	if err := f.Allocate(0, 2<<20); !errors.Is(err, disk.ErrFull) || !errors.Is(err, unix.ENOSPC) || !errors.As(err, &pe) {
		t.Errorf("Allocate on a full disk: %v", err)
	}
	must(t, f.Truncate(0))
	if _, err := f.WriteAt(make([]byte, 2<<20), 0); !errors.Is(err, disk.ErrFull) {
		t.Errorf("WriteAt on a full disk: %v", err)
	}
}
