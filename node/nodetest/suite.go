package nodetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"dfsmount/node"
)

// VolumeID is the volume the suite uses on a host.
const VolumeID = "00112233445566778899aabbccddeeff"

const otherVolumeID = "ffeeddccbbaa99887766554433221100"

// Test holds the nodes that open makes to the contract of node.Node. open is called once a subtest and must return an empty node.
func Test(t *testing.T, open func(t *testing.T) node.Node) {
	for _, c := range []struct {
		name string
		fn   func(t *testing.T, n node.Node)
	}{
		{"put stores the bytes", testPut},
		{"put of the same bytes again is no error", testPutAgain},
		{"put of other bytes is refused and the old ones stay", testPutOther},
		{"put with a wrong sum stores nothing", testPutWrongSum},
		{"put of a body that ends early stores nothing", testPutShort},
		{"put of a body that fails stores nothing", testPutFailing},
		{"put reads no more than size bytes", testPutLong},
		{"put of an existing object need not read the body to the end", testPutAgainFailingBody},
		{"put does not keep the body", testPutKeepsNothing},
		{"put after a failed put", testPutAfterFailure},
		{"put of different bytes at once has one winner", testPutRace},
		{"put of the same bytes at once has only winners", testPutRaceSame},
		{"put ends when its context does", testPutCancel},
		{"get returns ranges", testGetRange},
		{"get of nothing", testGetMissing},
		{"get ends when its context does", testGetCancel},
		{"get outlives a delete or fails", testGetDeleted},
		{"stat tells size and sum", testStat},
		{"list is in byte order", testList},
		{"list passes on an error of its callback", testListError},
		{"list lets its callback call the node", testListReentrant},
		{"list tells what stays while others come and go", testListConcurrent},
		{"delete removes and does so again", testDelete},
		{"delete frees the name", testDeleteFrees},
		{"names that are none are refused", testNames},
		{"names are exact", testNamesExact},
		{"a context that has ended ends every call", testCancelled},
		{"an empty object", testEmpty},
		{"a big object", testBig},
	} {
		t.Run(c.name, func(t *testing.T) { c.fn(t, open(t)) })
	}
}

// TestHost holds hosts to the contract of node.Host, and their volumes to that of node.Node. open must return an empty host; the
// suite closes it.
func TestHost(t *testing.T, open func(t *testing.T) node.Host) {
	opened := func(t *testing.T) node.Host {
		h := open(t)
		t.Cleanup(func() {
			if err := h.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
		return h
	}
	Test(t, func(t *testing.T) node.Node { return opened(t).Volume(VolumeID) })
	t.Run("volumes are apart", func(t *testing.T) { testVolumesApart(t, opened(t)) })
	t.Run("volumes are told when they have objects", func(t *testing.T) { testVolumes(t, opened(t)) })
	t.Run("volume ids that are none are refused", func(t *testing.T) { testVolumeIDs(t, opened(t)) })
}

// Bytes makes n bytes that look random and follow from seed.
func Bytes(seed string, n int) []byte {
	key := sha256.Sum256([]byte(seed))
	data := make([]byte, n)
	_, _ = rand.NewChaCha8(key).Read(data) // never fails
	return data
}

// MustPut stores data or ends the test.
func MustPut(t testing.TB, n node.Node, name string, data []byte) {
	t.Helper()
	if err := put(n, name, data); err != nil {
		t.Fatal(err)
	}
}

func put(n node.Node, name string, data []byte) error {
	return n.Put(context.Background(), name, bytes.NewReader(data), int64(len(data)), sha256.Sum256(data))
}

// Read returns a range of an object, as Get does, whole.
func Read(n node.Node, name string, offset, length int64) ([]byte, error) {
	r, err := n.Get(context.Background(), name, offset, length)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	return data, errors.Join(err, r.Close())
}

// Names lists what List tells.
func Names(n node.Node, prefix, after string) ([]string, error) {
	var names []string
	err := n.List(context.Background(), prefix, after, func(i node.Info) error {
		names = append(names, i.Name)
		return nil
	})
	return names, err
}

// wantObject fails unless the object holds data, by Get, Stat and List.
func wantObject(t *testing.T, n node.Node, name string, data []byte) {
	t.Helper()
	got, err := Read(n, name, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, data) {
		t.Errorf("%s holds %d other bytes than the %d put", name, len(got), len(data))
	}
	info, err := n.Stat(context.Background(), name)
	if want := (node.Info{Name: name, Size: int64(len(data)), Sum: sha256.Sum256(data)}); err != nil || info != want {
		t.Errorf("stat %s: %v, %v; want %v", name, info, err, want)
	}
	if names, err := Names(n, name, ""); err != nil || !slices.Contains(names, name) {
		t.Errorf("list %s: %v, %v", name, names, err)
	}
}

// wantNothing fails unless there is no such object, by Get, Stat and List.
func wantNothing(t *testing.T, n node.Node, name string) {
	t.Helper()
	if _, err := Read(n, name, 0, -1); !errors.Is(err, node.ErrNotExist) {
		t.Errorf("get %s: %v, want ErrNotExist", name, err)
	}
	if _, err := n.Stat(context.Background(), name); !errors.Is(err, node.ErrNotExist) {
		t.Errorf("stat %s: %v, want ErrNotExist", name, err)
	}
	if names, err := Names(n, name, ""); err != nil || len(names) > 0 {
		t.Errorf("list %s: %v, %v; want none", name, names, err)
	}
}

func want(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func testPut(t *testing.T, n node.Node) {
	for _, name := range []string{"a", "segment/0000000000000001-00000000", "w/x/y/z", strings.Repeat("n", node.MaxPartLength)} {
		MustPut(t, n, name, Bytes(name, 1000))
	}
	for _, name := range []string{"a", "segment/0000000000000001-00000000", "w/x/y/z", strings.Repeat("n", node.MaxPartLength)} {
		wantObject(t, n, name, Bytes(name, 1000))
	}
}

func testPutAgain(t *testing.T, n node.Node) {
	data := Bytes("a", 70_000)
	for range 3 {
		MustPut(t, n, "a/b", data)
	}
	wantObject(t, n, "a/b", data)
}

func testPutOther(t *testing.T, n node.Node) {
	old := Bytes("old", 70_000)
	MustPut(t, n, "a/b", old)
	for _, other := range [][]byte{Bytes("new", len(old)), old[:len(old)-1], append(slices.Clone(old), 0), {}} {
		want(t, "put of other bytes", put(n, "a/b", other), node.ErrExists)
		wantObject(t, n, "a/b", old)
	}
}

func testPutWrongSum(t *testing.T, n node.Node) {
	data := Bytes("a", 70_000)
	sum := node.Sum(sha256.Sum256(data))
	sum[31] ^= 1
	err := n.Put(context.Background(), "a", bytes.NewReader(data), int64(len(data)), sum)
	want(t, "put with a wrong sum", err, node.ErrChecksum)
	data[69_999] ^= 1
	err = n.Put(context.Background(), "b", bytes.NewReader(data), int64(len(data)), sha256.Sum256(Bytes("a", 70_000)))
	want(t, "put of flipped bytes", err, node.ErrChecksum)
	wantNothing(t, n, "a")
	wantNothing(t, n, "b")
}

func testPutShort(t *testing.T, n node.Node) {
	data := Bytes("a", 200_000)
	for _, keep := range []int{0, 1, 100_000, len(data) - 1} {
		err := n.Put(context.Background(), "a", bytes.NewReader(data[:keep]), int64(len(data)), sha256.Sum256(data))
		want(t, fmt.Sprintf("put cut at %d", keep), err, io.ErrUnexpectedEOF)
		wantNothing(t, n, "a")
	}
}

func testPutFailing(t *testing.T, n node.Node) {
	data, broken := Bytes("a", 200_000), errors.New("disk of the sender broke")
	for _, keep := range []int{0, 1, 100_000, len(data) - 1} {
		body := io.MultiReader(bytes.NewReader(data[:keep]), failingReader{broken})
		err := n.Put(context.Background(), "a", body, int64(len(data)), sha256.Sum256(data))
		want(t, fmt.Sprintf("put failing at %d", keep), err, broken)
		wantNothing(t, n, "a")
	}
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

func testPutLong(t *testing.T, n node.Node) {
	data := Bytes("a", 1000)
	body := bytes.NewReader(append(slices.Clone(data), "tail"...))
	if err := n.Put(context.Background(), "a", body, int64(len(data)), sha256.Sum256(data)); err != nil {
		t.Fatal(err)
	}
	if body.Len() != len("tail") {
		t.Errorf("%d bytes of the body are left, want %d", body.Len(), len("tail"))
	}
	wantObject(t, n, "a", data)
}

func testPutAgainFailingBody(t *testing.T, n node.Node) {
	data := Bytes("a", 200_000)
	MustPut(t, n, "a", data)
	broken := errors.New("not again")
	err := n.Put(context.Background(), "a", failingReader{broken}, int64(len(data)), sha256.Sum256(data))
	if err != nil && !errors.Is(err, broken) {
		t.Errorf("put: %v, want nil or the body's error", err)
	}
	wantObject(t, n, "a", data)
}

func testPutKeepsNothing(t *testing.T, n node.Node) {
	MustPut(t, n, "taken", []byte("old"))
	data := Bytes("new", 4<<20)
	for _, name := range []string{"taken", "free"} {
		body := &lentReader{r: bytes.NewReader(data)}
		_ = n.Put(context.Background(), name, body, int64(len(data)), sha256.Sum256(data))
		body.revoke()
	}
	wantObject(t, n, "taken", []byte("old"))
	wantObject(t, n, "free", data)
}

// lentReader is not safe for concurrent use, so the race detector sees a read that comes after revoke.
type lentReader struct {
	r    io.Reader
	gone bool
}

func (l *lentReader) Read(p []byte) (int, error) {
	if l.gone {
		panic("body read after Put returned")
	}
	return l.r.Read(p)
}

func (l *lentReader) revoke() { l.gone = true }

func testPutAfterFailure(t *testing.T, n node.Node) {
	data := Bytes("a", 100_000)
	err := n.Put(context.Background(), "a/b", bytes.NewReader(data[:50_000]), int64(len(data)), sha256.Sum256(data))
	want(t, "put of half", err, io.ErrUnexpectedEOF)
	MustPut(t, n, "a/b", data)
	wantObject(t, n, "a/b", data)
}

func testPutRace(t *testing.T, n node.Node) {
	const keys, writers = 20, 8
	errs := race(n, keys, writers, func(key, writer int) []byte {
		return Bytes(fmt.Sprint(key, writer), 10_000)
	})
	for key := range keys {
		winner := -1
		for writer, err := range errs[key] {
			switch {
			case err == nil && winner < 0:
				winner = writer
			case err == nil:
				t.Errorf("writers %d and %d both stored key %d", winner, writer, key)
			default:
				want(t, "put of the loser", err, node.ErrExists)
			}
		}
		if winner < 0 {
			t.Fatalf("nobody stored key %d", key)
		}
		wantObject(t, n, fmt.Sprintf("race/%d", key), Bytes(fmt.Sprint(key, winner), 10_000))
	}
}

func testPutRaceSame(t *testing.T, n node.Node) {
	const keys, writers = 5, 8
	errs := race(n, keys, writers, func(key, _ int) []byte { return Bytes(fmt.Sprint(key), 10_000) })
	for key := range keys {
		for _, err := range errs[key] {
			if err != nil {
				t.Error(err)
			}
		}
		wantObject(t, n, fmt.Sprintf("race/%d", key), Bytes(fmt.Sprint(key), 10_000))
	}
}

// race puts every key by all writers at once and returns the answers.
func race(n node.Node, keys, writers int, data func(key, writer int) []byte) [][]error {
	errs := make([][]error, keys)
	var wg sync.WaitGroup
	start := make(chan struct{})
	for key := range keys {
		errs[key] = make([]error, writers)
		for writer := range writers {
			wg.Go(func() {
				<-start
				errs[key][writer] = put(n, fmt.Sprintf("race/%d", key), data(key, writer))
			})
		}
	}
	close(start)
	wg.Wait()
	return errs
}

func testPutCancel(t *testing.T, n node.Node) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	err := n.Put(ctx, "a", &endlessReader{after: 100_000, then: cancel}, 200<<20, node.Sum{})
	want(t, "put", err, context.Canceled)
	wantNothing(t, n, "a")
}

// endlessReader yields counters, and calls then once it has yielded enough.
type endlessReader struct {
	after int
	then  func()
	n     int
}

func (r *endlessReader) Read(p []byte) (int, error) {
	for i := 0; i+8 <= len(p); i += 8 {
		binary.BigEndian.PutUint64(p[i:], uint64(r.n+i))
	}
	r.n += len(p)
	if r.n > r.after {
		r.then()
	}
	return len(p), nil
}
