package segment_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"dfsmount/internal/disk"
	"dfsmount/internal/disk/simdisk"
	"dfsmount/seal"
	"dfsmount/segment"
)

var keys = seal.TestKeys()

// header is that of a segment in the middle of a history.
var header = segment.Header{Number: 7, Epoch: 3, FirstSeq: 40, PrevLength: 1234}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// text is n bytes that say where they are.
func text(n int) []byte {
	var b bytes.Buffer
	for b.Len() < n {
		fmt.Fprintf(&b, "byte %d; ", b.Len())
	}
	return b.Bytes()[:n]
}

func create(t testing.TB, d disk.FS, name string) disk.File {
	t.Helper()
	f, err := d.Open(name, disk.Create)
	must(t, err)
	must(t, f.Allocate(0, 1<<20))
	return f
}

func commit(seq uint64, keysAndValues ...string) *segment.Commit {
	c := &segment.Commit{Seq: seq, Time: time.Unix(int64(seq), 5).UTC()}
	for i := 0; i < len(keysAndValues); i += 2 {
		c.Changes = append(c.Changes, segment.Change{Key: []byte(keysAndValues[i]), Value: []byte(keysAndValues[i+1])})
	}
	return c
}

func TestWriteSealRead(t *testing.T) {
	onOS, err := disk.OS(t.TempDir())
	must(t, err)
	for name, d := range map[string]disk.FS{"simulated": simdisk.New(), "system": onOS} {
		t.Run(name, func(t *testing.T) { testWriteSealRead(t, d) })
	}
}

func testWriteSealRead(t *testing.T, d disk.FS) {
	f := create(t, d, "7.open")
	w, err := segment.NewWriter(f, keys, header)
	must(t, err)
	sizes := []int{1, 100, 64 << 10, 64<<10 + 1, 256 << 10}
	locations := make([]segment.Location, len(sizes))
	for i, n := range sizes {
		locations[i], err = w.Append(segment.KindExtent, text(n))
		must(t, err)
	}
	must(t, w.AppendCommit(commit(40, "b", "1", "a", "2")))
	must(t, w.Sync())
	must(t, w.AppendCommit(commit(41, "b", "3")))
	for i, l := range locations {
		got, err := w.ReadFrame(nil, segment.KindExtent, l)
		must(t, err)
		if !bytes.Equal(got, text(sizes[i])) {
			t.Errorf("extent of %d bytes: other bytes from the open segment", sizes[i])
		}
	}
	bound := w.Size() + w.FooterSize()
	sealed, err := w.Seal(segment.Footer{Prev: [32]byte{1}, PrevEpoch: 2, Sealed: time.Unix(9, 9)})
	must(t, err)
	if sealed.Size > bound {
		t.Errorf("sealed to %d bytes, over the bound %d", sealed.Size, bound)
	}
	h, err := segment.Verify(f)
	must(t, err)
	if h != w.Header() || h != sealed.Header {
		t.Errorf("headers differ: %+v %+v %+v", h, w.Header(), sealed.Header)
	}
	r, again, err := segment.OpenSealed(f, keys, 7, 3)
	must(t, err)
	if again.Hash != sealed.Hash || again.Footer.FirstSeq != 40 || again.Footer.LastSeq != 41 || len(again.Footer.Frames) != 7 {
		t.Errorf("reopened: %+v", again)
	}
	if want := []segment.Change{{Key: []byte("a"), Value: []byte("2")}, {Key: []byte("b"), Value: []byte("3")}}; !reflect.DeepEqual(again.Footer.Changes, want) {
		t.Errorf("merged changes: %+v", again.Footer.Changes)
	}
	for i, l := range locations {
		for _, off := range []int{0, sizes[i] / 2, sizes[i] - 1} {
			dst := make([]byte, min(1000, sizes[i]-off))
			must(t, r.ReadRange(dst, l, off))
			if !bytes.Equal(dst, text(sizes[i])[off:off+len(dst)]) {
				t.Errorf("extent of %d bytes at %d: other bytes", sizes[i], off)
			}
		}
	}
	if _, err := w.Append(segment.KindExtent, []byte("x")); !errors.Is(err, segment.ErrSealed) {
		t.Errorf("append to a sealed segment: %v", err)
	}
}

func TestRecoverAndResume(t *testing.T) {
	d := simdisk.New()
	f := create(t, d, "7.open")
	w, err := segment.NewWriter(f, keys, header)
	must(t, err)
	l, err := w.Append(segment.KindExtent, text(5000))
	must(t, err)
	must(t, w.AppendCommit(commit(40, "a", "1")))
	must(t, w.Sync())
	must(t, d.SyncDir("."))
	_, err = w.Append(segment.KindExtent, text(3000))
	must(t, err)
	d = d.Crash(0)
	f, err = d.Open("7.open", disk.Write)
	must(t, err)
	rec, err := segment.Recover(f, keys, 7)
	must(t, err)
	if len(rec.Commits) != 1 || len(rec.Frames) != 2 || rec.Sealed != nil {
		t.Fatalf("recovered %+v", rec)
	}
	w, err = segment.Resume(f, keys, rec)
	must(t, err)
	_, err = w.Seal(segment.Footer{})
	must(t, err)
	r, _, err := segment.OpenSealed(f, keys, 7, 3)
	must(t, err)
	got, err := r.ReadFrame(nil, segment.KindExtent, l)
	if err != nil || !bytes.Equal(got, text(5000)) {
		t.Errorf("extent after recovery: %v", err)
	}
	rec, err = segment.Recover(f, keys, 7)
	if err != nil || rec.Sealed == nil {
		t.Errorf("recovering a sealed segment: %+v, %v", rec.Sealed, err)
	}
}
