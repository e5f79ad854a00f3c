package segment_test

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dfsmount/internal/disk"
	"dfsmount/internal/disk/simdisk"
	"dfsmount/seal"
	"dfsmount/segment"
)

//go:embed testdata/vectors
var vectorFiles embed.FS

// vectorCount is how many vectors there are: one that is not embedded must not go unnoticed.
const vectorCount = 14

var writeVectors = flag.Bool("write-vectors", false, "write vectors that are missing; existing ones pin the format and stay")

// vector is a segment in a text file: "name: value" lines, an empty line, the bytes in base64. Keys are seal.TestKeys, number
// 7, epoch 3.
type vector struct {
	comment string
	expect  string // what describe says
	bytes   []byte
}

func parseVector(t testing.TB, text string) vector {
	t.Helper()
	head, body, ok := strings.Cut(text, "\n\n")
	comment, expect, ok2 := strings.Cut(head, "\n")
	b, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(body, "\n", ""))
	if !ok || !ok2 || err != nil {
		t.Fatalf("not a vector: %v", err)
	}
	return vector{strings.TrimPrefix(comment, "comment: "), expect + "\n", b}
}

func (v vector) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "comment: %s\n%s\n", v.comment, v.expect)
	for line := range slices.Chunk([]byte(base64.StdEncoding.EncodeToString(v.bytes)), 100) {
		fmt.Fprintf(&s, "%s\n", line)
	}
	return s.String()
}

// describe runs a segment through every reader there is.
func describe(b []byte) string {
	var s strings.Builder
	h, err := segment.Verify(newSource(b))
	fmt.Fprintf(&s, "verify: %s\n", class(err))
	if err == nil {
		fmt.Fprintf(&s, "header: number %d, epoch %d, suite %d, first commit %d, previous end %d\n", h.Number, h.Epoch, h.Suite, h.FirstSeq, h.PrevLength)
	}
	r, sealed, err := segment.OpenSealed(newSource(b), keys, header.Number, header.Epoch)
	fmt.Fprintf(&s, "open: %s\n", class(err))
	if err == nil {
		f := sealed.Footer
		fmt.Fprintf(&s, "footer: commits %d to %d, previous %x… of epoch %d, checkpoint %v, at %s\n", f.FirstSeq, f.LastSeq, f.Prev[:4], f.PrevEpoch,
			f.Checkpoint, f.Sealed.Format(time.RFC3339Nano))
		fmt.Fprintf(&s, "hash: %x\nchanges: %s\n", sealed.Hash, digest(f.Changes))
		for _, fr := range f.Frames {
			plain, err := r.ReadFrame(nil, fr.Kind, location(fr))
			fmt.Fprintf(&s, "frame: kind %d, offset %d, %s\n", fr.Kind, fr.Offset, frameDigest(plain, err))
		}
	}
	rec, err := segment.Recover(newSource(b), keys, header.Number)
	fmt.Fprintf(&s, "recover: %s, end %d, %d frames, sealed %v\n", class(err), rec.End, len(rec.Frames), rec.Sealed != nil)
	for _, c := range rec.Commits {
		fmt.Fprintf(&s, "commit: %d at %s, durable %d, %s\n", c.Seq, c.Time.Format(time.RFC3339Nano), c.Durable, digest(c.Changes))
	}
	return s.String()
}

func class(err error) string {
	for _, c := range []struct {
		err  error
		name string
	}{{nil, "success"}, {segment.ErrEmpty, "empty"}, {segment.ErrUnknown, "unknown"}, {io.ErrUnexpectedEOF, "truncated"}, {segment.ErrDamaged, "damaged"}} {
		if errors.Is(err, c.err) {
			return c.name
		}
	}
	return "error"
}

func frameDigest(plain []byte, err error) string {
	if err != nil {
		return class(err)
	}
	return fmt.Sprintf("%d bytes, SHA-256 %x", len(plain), sha256.Sum256(plain))
}

// digest shows few changes as they are and many as a hash.
func digest(changes []segment.Change) string {
	var s strings.Builder
	for _, c := range changes {
		if fmt.Fprintf(&s, " %q", c.Key); !c.Delete {
			fmt.Fprintf(&s, "=%q", c.Value)
		}
	}
	if len(changes) > 8 {
		return fmt.Sprintf("%d changes, SHA-256 %x", len(changes), sha256.Sum256([]byte(s.String())))
	}
	return fmt.Sprintf("%d changes:%s", len(changes), s.String())
}

func TestVectors(t *testing.T) {
	if *writeVectors {
		writeMissing(t)
	}
	files, err := vectorFiles.ReadDir("testdata/vectors")
	must(t, err)
	if len(files) != vectorCount && !*writeVectors {
		t.Fatalf("%d vectors are embedded, want %d", len(files), vectorCount)
	}
	for _, file := range files {
		t.Run(file.Name(), func(t *testing.T) {
			b, err := vectorFiles.ReadFile("testdata/vectors/" + file.Name())
			must(t, err)
			v := parseVector(t, string(b))
			if v.String() != string(b) {
				t.Error("the file is not in its canonical form")
			}
			if got := describe(v.bytes); got != v.expect {
				t.Errorf("%s\ngot\n%swant\n%s", v.comment, got, v.expect)
			}
		})
	}
}

func writeMissing(t *testing.T) {
	for name, v := range newVectors(t) {
		path := filepath.Join("testdata/vectors", name)
		if _, err := os.Stat(path); err == nil {
			continue
		}
		v.expect = describe(v.bytes)
		must(t, os.WriteFile(path, []byte(v.String()), 0o644))
	}
}

// newVectors makes the segments of the vectors. Salt and nonces are random: the files keep what they were once.
func newVectors(t *testing.T) map[string]vector {
	aes, open := vectorSegment(t, seal.AES256GCM, 3)
	chacha, _ := vectorSegment(t, seal.ChaCha20Poly1305, 3)
	packed, _ := vectorSegment(t, seal.AES256GCM, 300)
	_, s, err := segment.OpenSealed(newSource(aes), keys, 7, 3)
	must(t, err)
	frames := s.Footer.Frames
	durable := frames[len(frames)-3].End()
	change := func(b []byte, at int, to byte) []byte {
		b = bytes.Clone(b)
		b[at] = to
		return b
	}
	forged := func(at int, to byte) []byte {
		b := change(aes, at, to)
		mend(b, frames)
		return b
	}
	vectors := map[string]vector{
		"sealed-aes.txt":        {comment: "a frame of every kind, three commits, AES-256-GCM", bytes: aes},
		"sealed-chacha.txt":     {comment: "the same with ChaCha20-Poly1305", bytes: chacha},
		"sealed-compressed.txt": {comment: "a footer large enough to be compressed", bytes: packed},
		"sealed-flipped.txt":    {comment: "a bit of the first extent is flipped", bytes: change(aes, 230, aes[230]^1)},
		"sealed-forged.txt":     {comment: "a bit of the first extent is flipped and the checksums were mended", bytes: forged(230, aes[230]^1)},
		"sealed-header.txt":     {comment: "the first commit's number in the header was altered and the checksums mended", bytes: forged(71, 41)},
		"sealed-cut.txt":        {comment: "the last byte is missing", bytes: aes[:len(aes)-1]},
		"unknown-version.txt":   {comment: "version 2, with a checksum elsewhere", bytes: change(change(aes, 7, 2), 188, aes[188]^1)},
		"unknown-suite.txt":     {comment: "suite 2", bytes: forged(56, 2)},
		"unknown-kind.txt":      {comment: "a frame of kind 9", bytes: forged(int(frames[0].Offset)+4, 9)},
		"open-allocated.txt":    {comment: "open, with zeros behind: all commits", bytes: append(bytes.Clone(open), make([]byte, 1000)...)},
		"open-torn.txt":         {comment: "open, the last commit torn: ends at the one before", bytes: change(open, len(open)-5, open[len(open)-5]^1)},
		"open-damaged.txt":      {comment: "open, a flipped bit in what the last commit says to be durable", bytes: change(open, int(durable)-5, open[durable-5]^1)},
		"empty.txt":             {comment: "allocated and never begun", bytes: make([]byte, 600)},
	}
	if n := len(slices.Collect(maps.Keys(vectors))); n != vectorCount {
		t.Fatalf("%d vectors, want %d", n, vectorCount)
	}
	return vectors
}

// vectorSegment returns a sealed segment and how it was before sealing.
func vectorSegment(t *testing.T, suite seal.Suite, changes int) (sealed, open []byte) {
	f, err := simdisk.New().Open(openName, disk.Create)
	must(t, err)
	h := header
	h.Suite = suite
	w, err := segment.NewWriter(f, keys, h)
	must(t, err)
	for i, kind := range []seal.Kind{segment.KindExtent, segment.KindPage, segment.KindManifest} {
		_, err = w.Append(kind, text(100*(i+1)))
		must(t, err)
		c := commit(header.FirstSeq+uint64(i), "key", fmt.Sprint("value ", i))
		c.Changes = append(c.Changes, segment.Change{Key: []byte("gone"), Delete: i == 2})
		for j := range changes {
			c.Changes = append(c.Changes, segment.Change{Key: fmt.Appendf(nil, "many/%04d", j), Value: []byte("of little use")})
		}
		must(t, w.AppendCommit(c))
		must(t, w.Sync())
	}
	open = all(t, f)
	_, err = w.Seal(segment.Footer{
		Prev: [32]byte{0xde, 0xad, 0xbe, 0xef}, PrevEpoch: 2, Sealed: time.Unix(1_700_000_000, 5).UTC(),
		Checkpoint: segment.Location{Segment: 7, Offset: 3000, Length: 300},
	})
	must(t, err)
	return all(t, f), open
}

// FuzzRecover holds recovery and verification of anything to what can be asked of it: no panic, ends inside of the file, commits
// in order, and no commit that is not one of the seeds': nobody can make one without the key.
func FuzzRecover(f *testing.F) {
	files, err := vectorFiles.ReadDir("testdata/vectors")
	must(f, err)
	authentic := map[string]bool{}
	add := func(b []byte) {
		rec, err := segment.Recover(newSource(b), keys, header.Number)
		if err == nil {
			for _, c := range rec.Commits {
				authentic[fmt.Sprintf("%+v", c)] = true
			}
		}
		f.Add(b)
	}
	for _, file := range files {
		b, err := vectorFiles.ReadFile("testdata/vectors/" + file.Name())
		must(f, err)
		add(parseVector(f, string(b)).bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		rec, err := segment.Recover(newSource(b), keys, header.Number)
		if rec.End > rec.Scanned || rec.Scanned > max(192, int64(len(b))) {
			t.Fatalf("end %d, scanned %d of %d", rec.End, rec.Scanned, len(b))
		}
		for i, c := range rec.Commits {
			if c.Seq != rec.Header.FirstSeq+uint64(i) || !authentic[fmt.Sprintf("%+v", c)] {
				t.Fatalf("commit %+v came from nowhere, %v", c, err)
			}
		}
		if _, _, err := segment.OpenSealed(newSource(b), keys, header.Number, header.Epoch); err == nil {
			if _, err := segment.Verify(newSource(b)); err != nil && !refused(err) {
				t.Fatal(err)
			}
		}
	})
}
