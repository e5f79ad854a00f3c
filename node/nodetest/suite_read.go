package nodetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"dfsmount/node"
)

func testGetRange(t *testing.T, n node.Node) {
	data := Bytes("a", 100_000)
	size := int64(len(data))
	MustPut(t, n, "a", data)
	for _, c := range []struct{ offset, length, from, to int64 }{
		{0, -1, 0, size},
		{0, size, 0, size},
		{0, size + 1, 0, size},
		{0, 0, 0, 0},
		{0, 1, 0, 1},
		{5, 0, 5, 5},
		{5, 1, 5, 6},
		{5, -1, 5, size},
		{65_536, 100, 65_536, 65_636},
		{size - 1, 1, size - 1, size},
		{size - 1, 2, size - 1, size},
		{size - 1, -1, size - 1, size},
		{size, 0, size, size},
		{size, 1, size, size},
		{size, -1, size, size},
		{size + 1, -1, size, size},
		{1 << 40, 1 << 40, size, size},
		{1, 1<<63 - 1, 1, size},
		{1<<63 - 1, 1<<63 - 1, size, size},
	} {
		got, err := Read(n, "a", c.offset, c.length)
		if err != nil || !bytes.Equal(got, data[c.from:c.to]) {
			t.Errorf("get %d+%d: %d bytes, %v; want bytes %d to %d", c.offset, c.length, len(got), err, c.from, c.to)
		}
	}
	_, err := Read(n, "a", -1, 1)
	want(t, "get from -1 on", err, node.ErrPermanent)
}

func testGetMissing(t *testing.T, n node.Node) {
	MustPut(t, n, "segment/1", []byte("x"))
	for _, name := range []string{"segment/2", "segment", "other/1", "segment/1/2"} {
		wantMissing(t, n, name)
	}
	for _, r := range [][2]int64{{0, 0}, {5, 0}, {5, 5}, {5, -1}} {
		_, err := Read(n, "segment/2", r[0], r[1])
		want(t, fmt.Sprintf("get %v", r), err, node.ErrNotExist)
	}
}

// wantMissing is wantNothing for a name that is a prefix of others.
func wantMissing(t *testing.T, n node.Node, name string) {
	t.Helper()
	_, err := Read(n, name, 0, -1)
	want(t, "get "+name, err, node.ErrNotExist)
	_, err = n.Stat(context.Background(), name)
	want(t, "stat "+name, err, node.ErrNotExist)
}

func testGetCancel(t *testing.T, n node.Node) {
	MustPut(t, n, "a", Bytes("a", 20<<20))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r, err := n.Get(ctx, "a", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.CopyN(io.Discard, r, 1000); err != nil {
		t.Fatal(err)
	}
	cancel()
	_, err = io.Copy(io.Discard, r)
	want(t, "read", err, context.Canceled)
}

func testGetDeleted(t *testing.T, n node.Node) {
	data := Bytes("a", 1<<20)
	MustPut(t, n, "a", data)
	r, err := n.Get(context.Background(), "a", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := n.Delete(context.Background(), "a"); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err == nil && !bytes.Equal(got, data) {
		t.Errorf("read %d other bytes and no error", len(got))
	}
}

func testStat(t *testing.T, n node.Node) {
	wantNothing(t, n, "a/b")
	data := Bytes("a", 12_345)
	MustPut(t, n, "a/b", data)
	wantObject(t, n, "a/b", data)
	if sum := (node.Sum{}); sum == node.Sum(sha256.Sum256(data)) {
		t.Fatal("the sum of the data is zero")
	}
}

// listed is a tree in which byte order of names and order of directories differ: '-' < '/' < '0'.
var listed = []string{
	"a", "b-1", "b-1-", "b/1", "b/1-", "b/10", "b/2", "b0", "c/x-y/1", "c/x/1", "c/x/y/1", "c/x/y/2", "c/x0/1", "d", "segment/0000000000000001-00000000",
}

func testList(t *testing.T, n node.Node) {
	if names, err := Names(n, "", ""); err != nil || names != nil {
		t.Fatalf("list of an empty node: %v, %v", names, err)
	}
	order := []int{7, 3, 11, 0, 14, 9, 5, 1, 13, 2, 12, 4, 10, 6, 8}
	for _, i := range order {
		MustPut(t, n, listed[i], Bytes(listed[i], 100+i))
	}
	if !slices.IsSorted(listed) {
		t.Fatal("the table is not in byte order")
	}
	prefixes := []string{"", "b", "b-", "b/", "b/1", "c", "c/", "c/x", "c/x/", "c/x/y", "c/x/y/2", "d", "d/", "e", "/", "..", "../", "B", "b//", "segment/"}
	afters := append([]string{"", "0", "b/", "b/99", "c/x/", "c/x/z", "c/y", "zzz", "../", "~"}, listed...)
	for _, prefix := range prefixes {
		for _, after := range afters {
			wantList(t, n, prefix, after)
		}
	}
}

func wantList(t *testing.T, n node.Node, prefix, after string) {
	t.Helper()
	var want []string
	for _, name := range listed {
		if strings.HasPrefix(name, prefix) && name > after {
			want = append(want, name)
		}
	}
	var got []string
	err := n.List(context.Background(), prefix, after, func(i node.Info) error {
		if size := int64(100 + slices.Index(listed, i.Name)); i.Size != size {
			t.Errorf("list tells of %d bytes in %s, want %d", i.Size, i.Name, size)
		}
		if sum := sha256.Sum256(Bytes(i.Name, int(i.Size))); i.Sum != (node.Sum{}) && i.Sum != sum {
			t.Errorf("list tells the sum %s of %s, want %x or zero", i.Sum, i.Name, sum)
		}
		got = append(got, i.Name)
		return nil
	})
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("list %q after %q: %q, %v; want %q", prefix, after, got, err, want)
	}
}

func testListError(t *testing.T, n node.Node) {
	for _, name := range []string{"a/1", "a/2", "a/3"} {
		MustPut(t, n, name, nil)
	}
	enough, calls := errors.New("enough"), 0
	err := n.List(context.Background(), "", "", func(node.Info) error {
		calls++
		return enough
	})
	want(t, "list", err, enough)
	if calls != 1 {
		t.Errorf("called %d times, want 1", calls)
	}
}

func testListReentrant(t *testing.T, n node.Node) {
	for _, name := range []string{"a/1", "a/2", "a/3"} {
		MustPut(t, n, name, []byte(name))
	}
	err := n.List(context.Background(), "", "", func(i node.Info) error {
		return n.Delete(context.Background(), i.Name)
	})
	if err != nil {
		t.Fatal(err)
	}
	if names, err := Names(n, "", ""); err != nil || len(names) > 0 {
		t.Errorf("list: %q, %v; want none", names, err)
	}
}

func testListConcurrent(t *testing.T, n node.Node) {
	var stay []string
	for i := range 20 {
		stay = append(stay, fmt.Sprintf("a/%02d-stay", i))
		MustPut(t, n, stay[i], []byte("x"))
	}
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- churn(n, stop) }()
	for range 10 {
		names, err := Names(n, "a/", "")
		if err != nil || !slices.IsSorted(names) {
			t.Errorf("list: %q, %v", names, err)
		}
		for _, name := range stay {
			if !slices.Contains(names, name) {
				t.Errorf("list did not tell of %s", name)
			}
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// churn puts and deletes objects until stop is closed.
func churn(n node.Node, stop chan struct{}) error {
	for i := 0; ; i++ {
		select {
		case <-stop:
			return nil
		default:
		}
		name := fmt.Sprintf("a/%02d-goes", i%20)
		if err := put(n, name, []byte("x")); err != nil {
			return err
		}
		if err := n.Delete(context.Background(), name); err != nil {
			return err
		}
	}
}

func testDelete(t *testing.T, n node.Node) {
	MustPut(t, n, "a/b", []byte("x"))
	MustPut(t, n, "a/c", []byte("y"))
	for _, name := range []string{"a/b", "a/b", "never", "never/was", "a", "a/c/d"} {
		if err := n.Delete(context.Background(), name); err != nil {
			t.Errorf("delete %s: %v", name, err)
		}
	}
	wantNothing(t, n, "a/b")
	wantObject(t, n, "a/c", []byte("y"))
}

func testDeleteFrees(t *testing.T, n node.Node) {
	MustPut(t, n, "a/b", []byte("old"))
	if err := n.Delete(context.Background(), "a/b"); err != nil {
		t.Fatal(err)
	}
	MustPut(t, n, "a/b", []byte("new"))
	wantObject(t, n, "a/b", []byte("new"))
}

func testNames(t *testing.T, n node.Node) {
	long := strings.Repeat("n", node.MaxPartLength+1)
	for _, name := range []string{"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "./a", "A", "a.b", "a b", "a\x00b", "a\nb", "ä", "a%2fb", "a\\b", "a/b/c/d/e", long} {
		want(t, fmt.Sprintf("put %q", name), put(n, name, []byte("x")), node.ErrPermanent)
		_, err := Read(n, name, 0, -1)
		want(t, fmt.Sprintf("get %q", name), err, node.ErrPermanent)
		_, err = n.Stat(context.Background(), name)
		want(t, fmt.Sprintf("stat %q", name), err, node.ErrPermanent)
		want(t, fmt.Sprintf("delete %q", name), n.Delete(context.Background(), name), node.ErrPermanent)
	}
	if names, err := Names(n, "", ""); err != nil || len(names) > 0 {
		t.Errorf("list: %q, %v; want none", names, err)
	}
	err := n.Put(context.Background(), "a", bytes.NewReader(nil), -1, sha256.Sum256(nil))
	want(t, "put of -1 bytes", err, node.ErrPermanent)
}

func testNamesExact(t *testing.T, n node.Node) {
	MustPut(t, n, "ab/c", []byte("x"))
	for _, name := range []string{"a", "ab", "ab/", "abc", "ab/c/", "ab/cd", "ab-c", "b/c"} {
		if node.ValidName(name) {
			wantMissing(t, n, name)
		}
	}
}

func testCancelled(t *testing.T, n node.Node) {
	MustPut(t, n, "a", []byte("x"))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	want(t, "put", n.Put(ctx, "b", bytes.NewReader([]byte("x")), 1, sha256.Sum256([]byte("x"))), context.Canceled)
	_, err := n.Get(ctx, "a", 0, -1)
	want(t, "get", err, context.Canceled)
	_, err = n.Stat(ctx, "a")
	want(t, "stat", err, context.Canceled)
	want(t, "list", n.List(ctx, "", "", func(node.Info) error { return nil }), context.Canceled)
	want(t, "delete", n.Delete(ctx, "a"), context.Canceled)
	wantObject(t, n, "a", []byte("x"))
	wantNothing(t, n, "b")
}

func testEmpty(t *testing.T, n node.Node) {
	MustPut(t, n, "a/empty", nil)
	MustPut(t, n, "a/empty", nil)
	wantObject(t, n, "a/empty", []byte{})
	for _, r := range [][2]int64{{0, 0}, {0, 1}, {1, 0}, {1, -1}} {
		if got, err := Read(n, "a/empty", r[0], r[1]); err != nil || len(got) > 0 {
			t.Errorf("get %v: %d bytes, %v", r, len(got), err)
		}
	}
	want(t, "put of other bytes", put(n, "a/empty", []byte("x")), node.ErrExists)
}

func testBig(t *testing.T, n node.Node) {
	data := Bytes("big", 20<<20+1)
	MustPut(t, n, "segment/big", data)
	wantObject(t, n, "segment/big", data)
	got, err := Read(n, "segment/big", 16<<20-5, 1<<20)
	if err != nil || !bytes.Equal(got, data[16<<20-5:17<<20-5]) {
		t.Errorf("get of a MiB in the middle: %d bytes, %v", len(got), err)
	}
}

func testVolumesApart(t *testing.T, h node.Host) {
	a, b := h.Volume(VolumeID), h.Volume(otherVolumeID)
	MustPut(t, a, "x/y", []byte("of a"))
	wantNothing(t, b, "x/y")
	MustPut(t, b, "x/y", []byte("of b"))
	wantObject(t, a, "x/y", []byte("of a"))
	wantObject(t, b, "x/y", []byte("of b"))
	if err := b.Delete(context.Background(), "x/y"); err != nil {
		t.Fatal(err)
	}
	wantObject(t, a, "x/y", []byte("of a"))
	wantNothing(t, b, "x/y")
}

func testVolumes(t *testing.T, h node.Host) {
	wantVolumes(t, h)
	a, b := h.Volume(VolumeID), h.Volume(otherVolumeID)
	wantNothing(t, a, "x/y")
	wantVolumes(t, h)
	MustPut(t, b, "x/y/z", nil)
	MustPut(t, a, "x/y", nil)
	wantVolumes(t, h, VolumeID, otherVolumeID)
	if err := b.Delete(context.Background(), "x/y/z"); err != nil {
		t.Fatal(err)
	}
	wantVolumes(t, h, VolumeID)
}

func wantVolumes(t *testing.T, h node.Host, want ...string) {
	t.Helper()
	if got, err := h.Volumes(context.Background()); err != nil || !slices.Equal(got, want) {
		t.Errorf("volumes: %q, %v; want %q", got, err, want)
	}
}

func testVolumeIDs(t *testing.T, h node.Host) {
	MustPut(t, h.Volume(VolumeID), "a", []byte("x"))
	for _, id := range []string{"", ".", "..", "../" + VolumeID, VolumeID + "/", VolumeID[1:], strings.ToUpper(VolumeID), VolumeID[:31] + "g", VolumeID + "/../" + VolumeID, ".node"} {
		n := h.Volume(id)
		want(t, fmt.Sprintf("put in %q", id), put(n, "b", []byte("x")), node.ErrPermanent)
		_, err := Read(n, "a", 0, -1)
		want(t, fmt.Sprintf("get in %q", id), err, node.ErrPermanent)
		_, err = n.Stat(context.Background(), "a")
		want(t, fmt.Sprintf("stat in %q", id), err, node.ErrPermanent)
		_, err = Names(n, "", "")
		want(t, fmt.Sprintf("list in %q", id), err, node.ErrPermanent)
		want(t, fmt.Sprintf("delete in %q", id), n.Delete(context.Background(), "a"), node.ErrPermanent)
	}
	wantVolumes(t, h, VolumeID)
}
