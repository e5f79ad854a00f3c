package treesum

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func build(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(root, "d/e"), 0o755))
	must(os.WriteFile(filepath.Join(root, "d/f"), []byte("text"), 0o644))
	must(os.WriteFile(filepath.Join(root, "g"), nil, 0o600))
	must(os.Symlink("g", filepath.Join(root, "l")))
	for _, p := range []string{"d/f", "g", "d/e", "d"} {
		must(os.Chtimes(filepath.Join(root, p), time.Unix(1, 2), time.Unix(3, 4)))
	}
	return root
}

func of(t *testing.T, root string) Tree {
	t.Helper()
	tree, err := Of(context.Background(), root)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestSame(t *testing.T) {
	a, b := of(t, build(t)), of(t, build(t))
	if d := Diff(a, b, 10); len(d) != 0 || a.Hash() != b.Hash() {
		t.Fatalf("two equal trees differ: %v", d)
	}
	if a.Files != 2 || a.Dirs != 2 || a.Links != 1 || a.Bytes != 4 {
		t.Fatalf("counted %+v", a)
	}
}

func TestEveryDifferenceIsSeen(t *testing.T) {
	for name, change := range map[string]func(root string) error{
		"content": func(r string) error {
			if err := os.WriteFile(filepath.Join(r, "d/f"), []byte("tezt"), 0o644); err != nil {
				return err
			}
			return os.Chtimes(filepath.Join(r, "d/f"), time.Unix(1, 2), time.Unix(3, 4))
		},
		"mode":    func(r string) error { return os.Chmod(filepath.Join(r, "g"), 0o640) },
		"mtime":   func(r string) error { return os.Chtimes(filepath.Join(r, "g"), time.Unix(1, 2), time.Unix(3, 5)) },
		"missing": func(r string) error { return os.Remove(filepath.Join(r, "g")) },
		"extra":   func(r string) error { return os.WriteFile(filepath.Join(r, "new"), nil, 0o600) },
		"target": func(r string) error {
			if err := os.Remove(filepath.Join(r, "l")); err != nil {
				return err
			}
			return os.Symlink("d", filepath.Join(r, "l"))
		},
	} {
		root := build(t)
		if err := change(root); err != nil {
			t.Fatal(err)
		}
		a, b := of(t, build(t)), of(t, root)
		if len(Diff(a, b, 10)) == 0 || a.Hash() == b.Hash() {
			t.Errorf("%s: not seen", name)
		}
	}
}
