package exercise

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"dfsmount/integration/harness"
)

// A comparison that cannot fail would prove nothing: what is wrong with a file is noticed, in each way to look at it.
func TestDataNoticesWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	for what, harm := range map[string]func(fd int) error{
		"a wrong byte": func(fd int) error { _, err := unix.Pwrite(fd, []byte{0}, 5000); return err },
		"too short":    func(fd int) error { return unix.Ftruncate(fd, 9999) },
		"too long":     func(fd int) error { return unix.Ftruncate(fd, 10001) },
	} {
		p := &pair{mount: filepath.Join(dir, what+" m"), plain: filepath.Join(dir, what+" p")}
		var err1, err2 error
		p.m, err1 = unix.Open(p.mount, unix.O_RDWR|unix.O_CREAT, 0o600)
		p.p, err2 = unix.Open(p.plain, unix.O_RDWR|unix.O_CREAT, 0o600)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		defer p.close()
		looks := map[string]func() error{
			"compare": p.compare,
			"read":    func() error { return p.read(4000, 20000, false) },
			"mapped":  func() error { return first(p.readMapped(4000, 5999), p.learnSize()) },
			"write":   func() error { return first(p.write([]byte{1}, 0), p.compare()) },
		}
		if err := p.write(bytes.Repeat([]byte{7}, 10000), 0); err != nil {
			t.Fatal(err)
		}
		for name, look := range looks {
			if err := look(); err != nil {
				t.Errorf("%s of two equal files: %v", name, err)
			}
		}
		if err := harm(p.m); err != nil {
			t.Fatal(err)
		}
		for name, look := range looks {
			if look() == nil {
				t.Errorf("%s: %s does not notice", what, name)
			}
		}
	}
}

// The work on names done to two plain directories has the same result, and every difference between them is noticed.
func TestTreeNoticesWhatIsWrong(t *testing.T) {
	e := &episode{t: t, name: "plain", seed: 4711}
	e.openLog()
	dir := t.TempDir()
	w := &treeWork{episode: e, plain: filepath.Join(dir, "a")}
	other := filepath.Join(dir, "b")
	if err := os.Mkdir(other, 0o755); err != nil {
		t.Fatal(err)
	}
	w.mount = &harness.Mount{Dir: other}
	w.prepare()
	if err := w.work(treeTask{Seed: 4711, Steps: 1500, Plain: w.plain, Mount: other, ACLs: w.acls}); err != nil {
		t.Fatalf("two plain directories: %v", err)
	}
	in := func(name string) string { return filepath.Join(other, ownDir(0), name) }
	for _, root := range []string{w.plain, other} {
		if err := os.WriteFile(filepath.Join(root, ownDir(0), "file"), []byte("content"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	before := w.trees(t, true)
	for _, h := range []struct {
		what       string
		harm, undo func() error
	}{
		{"a mode", func() error { return os.Chmod(in("file"), 0o600) }, func() error { return os.Chmod(in("file"), 0o644) }},
		{"a name too many", func() error { return os.Mkdir(in("x"), 0o755) }, func() error { return os.Remove(in("x")) }},
		{"a link too many", func() error { return os.Link(in("file"), in("y")) }, func() error { return os.Remove(in("y")) }},
		{"another name", func() error { return os.Rename(in("file"), in("z")) }, func() error { return os.Rename(in("z"), in("file")) }},
		{"a byte", func() error { return os.WriteFile(in("file"), []byte("contend"), 0o644) }, func() error { return os.WriteFile(in("file"), []byte("content"), 0o644) }},
		{"an attribute", func() error { return unix.Setxattr(in("file"), "user.x", nil, 0) }, func() error { return unix.Removexattr(in("file"), "user.x") }},
		{"a time", func() error { return os.Chtimes(in("file"), longAgo, longAgo.AddDate(-1, 0, 0)) }, func() error { return os.Chtimes(in("file"), longAgo, longAgo) }},
	} {
		if err := h.harm(); err != nil {
			t.Fatalf("%s: %v", h.what, err)
		}
		w.trees(t, false)
		if err := h.undo(); err != nil {
			t.Fatalf("%s: %v", h.what, err)
		}
		w.trees(t, true)
	}
	if lines := bytes.Count(before, []byte("\n")); lines < 20 {
		t.Errorf("the trees have %d names only", lines)
	}
}

// trees compares both trees by their listings, which have to be alike or not.
func (w *treeWork) trees(t *testing.T, alike bool) []byte {
	t.Helper()
	a, err1 := listing(w.plain)
	b, err2 := listing(w.mount.Dir)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if bytes.Equal(a, b) != alike {
		t.Errorf("alike: %v, want %v; what differs:\n%s", !alike, alike, unlike(a, b, 10))
	}
	return a
}
