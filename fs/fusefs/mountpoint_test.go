package fusefs

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dfsmount/internal/testenv"

	"golang.org/x/sys/unix"
)

func TestMountPointRefusals(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "none"): "does not exist",
		file:                       "is not a directory",
		dir:                        "is not empty",
		"/proc":                    "is a mount point already",
	} {
		_, err := mountPoint(path, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("mount on %s: %v, want an error with %q", path, err, want)
		}
	}
}

func TestSecondMountIsRefused(t *testing.T) {
	m := startRAM(t, "")
	_, err := testenv.TryMount(t, m.Dir, "ram", m.Dir)
	if err == nil || !strings.Contains(err.Error(), "mounted already (from ") {
		t.Errorf("second mount on a live one: %v", err)
	}
}

func TestDeadMountIsReplaced(t *testing.T) {
	loops(t, func(t *testing.T, loop string) {
		m := startRAM(t, loop)
		must(t, os.WriteFile(filepath.Join(m.Dir, "known"), nil, 0o600))
		if _, err := os.ReadDir(m.Dir); err != nil { // the kernel keeps the list, and answers from it when nobody serves any more
			t.Fatal(err)
		}
		m.Kill()
		if _, err := os.Lstat(filepath.Join(m.Dir, "not asked for yet")); !errors.Is(err, unix.ENOTCONN) {
			t.Fatalf("a dead mount answers %v, want ENOTCONN", err)
		}
		if entries, err := os.ReadDir(m.Dir); err == nil && len(entries) == 0 {
			t.Error("a dead mount looks empty")
		}
		found, err := FindMount(filepath.Join(m.Dir, "below"))
		if err != nil || found.Dir != m.Dir {
			t.Errorf("the dead mount is found as %+v, %v", found, err)
		}
		again := testenv.StartMount(t, m.Dir, "ram", m.Dir, "loop="+loop)
		if err := os.WriteFile(filepath.Join(m.Dir, "file"), []byte("x"), 0o600); err != nil {
			t.Errorf("write after mounting over a dead mount: %v", err)
		}
		again.Unmount()
		if entries, err := os.ReadDir(m.Dir); err != nil || len(entries) != 0 {
			t.Errorf("after unmounting, %s shows %v, %v: something is mounted below", m.Dir, entries, err)
		}
	})
}

func TestMountInfoOfAMount(t *testing.T) {
	m := startRAM(t, "")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(m.Dir, link); err != nil {
		t.Fatal(err)
	}
	found, err := FindMount(filepath.Join(link, "any", "where"))
	if err != nil {
		t.Fatal(err)
	}
	if found.Dir != m.Dir || found.Source != childOptions(nil).FSName || found.Type != Type || found.ReadOnly {
		t.Errorf("found %+v", found)
	}
	all, err := Mounts()
	if err != nil || !slices.Contains(all, found) {
		t.Errorf("the mounts are %+v, %v; want %+v among them", all, err, found)
	}
	ahead, err := os.ReadFile("/sys/class/bdi/" + found.Device + "/read_ahead_kb")
	if err != nil || os.Geteuid() == 0 && strings.TrimSpace(string(ahead)) != "1024" {
		t.Errorf("read_ahead_kb of %s is %q, %v; want 1024", found.Device, ahead, err)
	}
	if w := m.Ask("warnings"); w != "" {
		t.Errorf("warnings: %s", w)
	}
}

func TestUnmountBusy(t *testing.T) {
	m := startRAM(t, "")
	f, err := os.Open(m.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := Unmount(m.Dir, false); !errors.Is(err, ErrBusy) {
		t.Errorf("unmount with an open directory: %v, want ErrBusy", err)
	}
	f.Close()
	m.Unmount()
}

func TestTimeoutWarnings(t *testing.T) {
	dir := t.TempDir()
	if w := timeouts(dir); len(w) != 0 {
		t.Errorf("without the settings: %q", w)
	}
	os.WriteFile(filepath.Join(dir, "default_request_timeout"), []byte("0\n"), 0o600)
	os.WriteFile(filepath.Join(dir, "max_request_timeout"), []byte("30\n"), 0o600)
	if w := timeouts(dir); len(w) != 1 || !strings.Contains(w[0], "max_request_timeout is 30 s") {
		t.Errorf("with a limit of 30 s: %q", w)
	}
}
