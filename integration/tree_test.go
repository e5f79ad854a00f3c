package integration

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"dfsmount/integration/harness"
	"dfsmount/internal/treesum"

	"golang.org/x/sys/unix"
)

// growTree makes a small tree with one of everything: sizes around the limits of blocks and extents, names of all kinds, links,
// attributes, odd times and modes.
func growTree(t *testing.T, dir string) {
	t.Helper()
	try := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	try(os.MkdirAll(filepath.Join(dir, "sub", "deep", "er"), 0o755))
	for i, size := range []int{0, 1, 4095, 4096, 4097, 64 << 10, 256<<10 - 1, 256 << 10, 256<<10 + 1, 3<<20 + 17} {
		try(os.WriteFile(filepath.Join(dir, fmt.Sprintf("size-%d", size)), record(uint64(i), 0, size)[:size], os.FileMode(0o600+i)))
	}
	for i := range 200 {
		try(os.WriteFile(filepath.Join(dir, "sub", fmt.Sprintf("file %03d", i)), record(1000, uint64(i), 100+37*i), 0o644))
	}
	for _, name := range []string{"ünïcödé", " leading", "new\nline", string([]byte{0xff, 0xfe}), "x" + string(make([]byte, 0)) + ".tmp", longName} {
		try(os.WriteFile(filepath.Join(dir, "sub", "deep", name), []byte(name), 0o640))
	}
	try(os.Symlink("../size-4096", filepath.Join(dir, "sub", "link")))
	try(os.Symlink("no/where", filepath.Join(dir, "dangling")))
	try(os.Link(filepath.Join(dir, "size-4097"), filepath.Join(dir, "sub", "deep", "er", "hard")))
	try(unix.Setxattr(filepath.Join(dir, "size-1"), "user.color", []byte("blue\x00green"), 0))
	try(unix.Setxattr(filepath.Join(dir, "sub"), "user.empty", nil, 0))
	sparse, err := os.Create(filepath.Join(dir, "sparse"))
	try(err)
	_, err = sparse.WriteAt([]byte("at the end of a hole"), 5<<20)
	try(err)
	try(sparse.Close())
	try(os.Chtimes(filepath.Join(dir, "size-0"), time.Unix(-86400, 123456789), time.Unix(-86400, 123456789)))
	try(os.Chtimes(filepath.Join(dir, "size-1"), time.Unix(1<<33, 999999999), time.Unix(1<<33, 999999999)))
}

var longName = func() string {
	b := make([]byte, 255)
	for i := range b {
		b[i] = 'a' + byte(i%26)
	}
	return string(b)
}()

// snapshot is all that can be seen of a tree: what package treesum compares, and attributes and numbers of links.
type snapshot struct {
	tree  treesum.Tree
	extra map[string]string
}

func snap(t *testing.T, dir string) snapshot {
	t.Helper()
	s := snapshot{tree: tree(t, dir), extra: map[string]string{}}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		attrs, err := harness.Xattrs(path)
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		links := uint64(st.Nlink)
		s.extra[rel] = fmt.Sprintf("links %d, owner %d:%d, attributes %q", links, st.Uid, st.Gid, sortedPairs(attrs))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sortedPairs(m map[string]string) (pairs []string) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		pairs = append(pairs, k+"="+m[k])
	}
	return pairs
}

// same fails with what differs between want and what is in dir now.
func (want snapshot) same(t *testing.T, dir string) {
	t.Helper()
	got := snap(t, dir)
	for _, d := range treesum.Diff(want.tree, got.tree, 10) {
		t.Error(d)
	}
	for _, rel := range slices.Sorted(maps.Keys(want.extra)) {
		if got.extra[rel] != want.extra[rel] {
			t.Errorf("%s has %s, want %s", rel, got.extra[rel], want.extra[rel])
		}
	}
	if want.tree.Files < 200 {
		t.Errorf("compared %d files only", want.tree.Files)
	}
}
