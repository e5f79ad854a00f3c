package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"dfsmount/seal"
)

func changesOf(lines ...string) (changes []Change) {
	for _, l := range lines {
		key, value, put := strings.Cut(l, "=")
		c := Change{Key: []byte(key), Delete: !put}
		if put {
			c.Value = []byte(value)
		}
		changes = append(changes, c)
	}
	return changes
}

var commits = []Commit{
	{Seq: 1, Time: time.Unix(0, 0).UTC()},
	{Seq: 1<<64 - 1, Time: time.Unix(-5, 999_999_999).UTC(), Durable: 1<<32 - 1, Changes: changesOf("a=1", "a=2", "a", "ab=", "b")},
	{Seq: 300, Time: time.Time{}, Durable: 192, Changes: changesOf(strings.Repeat("k", MaxKey)+"=v", strings.Repeat("k", MaxKey-1)+"=v")},
}

var footers = []Footer{
	{LastSeq: 5, Sealed: time.Unix(0, 0).UTC(), Frames: []FrameInfo{}},
	{
		FirstSeq: 6, LastSeq: 9, Prev: [32]byte{1, 2, 3}, PrevEpoch: 70, Checkpoint: Location{5, 1000, 1 << 20},
		Sealed:  time.Unix(1e9, 1).UTC(),
		Frames:  []FrameInfo{{KindExtent, headerSize, 100}, {KindCommit, headerSize + 100 + 48, 1 << 17}},
		Changes: changesOf("a=1", "b", "ba=", "c=ccc"),
	},
}

func same(a, b any) bool {
	return reflect.DeepEqual(a, b) || fmt.Sprintf("%+v", a) == fmt.Sprintf("%+v", b) // nil and empty are one
}

func TestCommitRoundTrip(t *testing.T) {
	for i, c := range commits {
		b, err := appendCommit(nil, &c)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeCommit(b)
		if err != nil || !same(got, c) {
			t.Errorf("commit %d: %+v, %v", i, got, err)
		}
		for n := range b {
			if got, err := decodeCommit(b[:n]); err == nil || !same(got, Commit{}) {
				t.Fatalf("commit %d cut to %d of %d: %+v", i, n, len(b), got)
			}
		}
	}
}

func TestFooterRoundTrip(t *testing.T) {
	for i, f := range footers {
		b, err := appendFooter(nil, &f)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeFooter(b)
		if err != nil || !same(got, f) {
			t.Errorf("footer %d: %+v, %v", i, got, err)
		}
		for n := range b {
			if got, err := decodeFooter(b[:n]); err == nil || !same(got, Footer{}) {
				t.Fatalf("footer %d cut to %d of %d: %+v", i, n, len(b), got)
			}
		}
	}
}

// The bytes of doc.go, written by hand.
func TestCommitBytes(t *testing.T) {
	c := Commit{Seq: 300, Time: time.Unix(-2, 7), Durable: 200, Changes: changesOf("dir/a=xy", "dir/b", "e=")}
	want := "\x00" + // not compressed
		"\xac\x02" + "\x03" + "\x07" + "\xc8\x01" +
		"\x03" +
		"\x00" + "\x05dir/a" + "\x03xy" +
		"\x04" + "\x01b" + "\x00" +
		"\x00" + "\x01e" + "\x01"
	got, err := appendCommit(nil, &c)
	if err != nil || string(got) != want {
		t.Errorf("%q, want %q, %v", got, want, err)
	}
}

func TestFooterBytes(t *testing.T) {
	f := Footer{FirstSeq: 1, LastSeq: 300, Prev: [32]byte{0: 0xaa, 31: 0xbb}, PrevEpoch: 2, Checkpoint: Location{3, 4, 5},
		Sealed: time.Unix(1, 2), Frames: []FrameInfo{{KindPage, headerSize, 129}}, Changes: changesOf("a=b")}
	want := "\x00" + "\x01" + "\xac\x02" + "\xaa" + strings.Repeat("\x00", 30) + "\xbb" + "\x02" + "\x03\x04\x05" + "\x02\x02" +
		"\x01" + "\x03\x81\x01" + "\x01" + "\x00\x01a" + "\x02b"
	got, err := appendFooter(nil, &f)
	if err != nil || string(got) != want {
		t.Errorf("%q, want %q, %v", got, want, err)
	}
}

func TestDecodersAreStrict(t *testing.T) {
	for what, b := range map[string]string{
		"empty":               "",
		"long number":         "\x00\x81\x00\x00\x00\x00\x00",
		"overlong number":     "\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x00\x00\x00",
		"nanosecond":          "\x00\x01\x00\x80\x94\xeb\xdc\x03\x00\x00",
		"durable":             "\x00\x01\x00\x00\x80\x80\x80\x80\x10\x00",
		"left over":           "\x00\x01\x00\x00\x00\x00\x00",
		"count":               "\x00\x01\x00\x00\x00\x05\x00\x01a\x00",
		"empty key":           "\x00\x01\x00\x00\x00\x01\x00\x00\x00",
		"shared with nothing": "\x00\x01\x00\x00\x00\x01\x01\x01a\x00",
		"shared too little":   "\x00\x01\x00\x00\x00\x02\x00\x01a\x00\x00\x02ab\x00",
		"long key":            "\x00\x01\x00\x00\x00\x01\x00\x81\x20" + strings.Repeat("k", MaxKey+1) + "\x00",
		"huge value":          "\x00\x01\x00\x00\x00\x01\x00\x01a\xff\xff\xff\xff\x0f",
	} {
		if c, err := decodeCommit([]byte(b)); err == nil {
			t.Errorf("%s: decoded to %+v", what, c)
		}
	}
	if _, err := decodeCommit([]byte("\x02rest")); !errors.Is(err, ErrUnknown) {
		t.Errorf("unknown flag: %v", err)
	}
	start := "\x00\x00\x05" + strings.Repeat("\x00", 32) + "\x00\x00\x00\x00\x00\x00"
	for what, b := range map[string]string{
		"footer in frames": start + "\x01\x05\x01\x00",
		"empty frame":      start + "\x01\x01\x00\x00",
		"unsorted":         start + "\x00\x02\x00\x01b\x00\x00\x01a\x00",
		"twice":            start + "\x00\x02\x00\x01a\x00\x01\x00\x00",
		"frames over 4 GiB": start + "\x14" + strings.Repeat("\x01\x80\x80\x80\x80\x01", 20) +
			"\x00",
	} {
		if f, err := decodeFooter([]byte(b)); err == nil {
			t.Errorf("%s: decoded to %+v", what, f)
		}
	}
}

func TestEncodeRefusesKeys(t *testing.T) {
	for _, n := range []int{0, MaxKey + 1} {
		c := Commit{Changes: []Change{{Key: make([]byte, n)}}}
		if b, err := appendCommit(nil, &c); err == nil || b != nil {
			t.Errorf("a key of %d bytes was encoded", n)
		}
	}
}

func bigFooter(values func(i int) string) *Footer {
	f := &Footer{LastSeq: 1, Sealed: time.Unix(0, 0).UTC()}
	for i := range 2000 {
		f.Changes = append(f.Changes, Change{Key: fmt.Appendf(nil, "i/%08d", i), Value: []byte(values(i))})
	}
	return f
}

func TestPack(t *testing.T) {
	rng := uint64(1)
	noise := func(int) string {
		var b []byte
		for range 8 {
			rng = rng*6364136223846793005 + 1442695040888963407
			b = binary.BigEndian.AppendUint64(b, rng^rng>>29)
		}
		return string(b)
	}
	for what, c := range map[string]struct {
		values func(int) string
		flag   byte
	}{
		"text":  {func(i int) string { return fmt.Sprintf("mode 0644, owner 1000, size %d", i*31) }, bodyZstd},
		"noise": {noise, bodyRaw},
	} {
		f := bigFooter(c.values)
		raw, err := appendFooter(nil, f)
		if err != nil {
			t.Fatal(err)
		}
		packed, err := pack(raw)
		if err != nil || packed[0] != c.flag || len(packed) > len(raw) {
			t.Fatalf("%s: %d bytes to %d with flag %d, %v", what, len(raw), len(packed), packed[0], err)
		}
		got, err := decodeFooter(packed)
		if err != nil || !same(got, *f) {
			t.Errorf("%s: unpacked to other bytes, %v", what, err)
		}
		t.Logf("%s: %d bytes to %d", what, len(raw), len(packed))
	}
}

// TestPackIsBounded: what packs better than maxRatio stays as it is, since no reader would take it.
func TestPackIsBounded(t *testing.T) {
	raw := make([]byte, 8<<20)
	packed, err := pack(raw)
	if err != nil || packed[0] != bodyRaw {
		t.Errorf("8 MiB of zeros were packed to %d bytes, %v", len(packed), err)
	}
}

func TestUnpackRefuses(t *testing.T) {
	raw := append([]byte{bodyRaw}, bytes.Repeat([]byte("some text that packs well. "), 1000)...)
	packed, err := pack(raw)
	if err != nil || packed[0] != bodyZstd {
		t.Fatal("not packed")
	}
	length, n := binary.Uvarint(packed[1:])
	with := func(length uint64, frame []byte) []byte {
		return append(binary.AppendUvarint([]byte{bodyZstd}, length), frame...)
	}
	frame := packed[1+n:]
	if body, err := unpack(with(length, frame)); err != nil || !bytes.Equal(body, raw[1:]) {
		t.Fatal(err)
	}
	for what, b := range map[string][]byte{
		"shorter":    with(length-1, frame),
		"longer":     with(length+1, frame),
		"huge":       with(1<<40, frame),
		"ratio":      with(maxRatio*uint64(len(packed))+4096, frame),
		"cut":        with(length, frame[:len(frame)-1]),
		"no frame":   with(0, []byte("x")),
		"only flag":  {bodyZstd},
		"left over":  with(length, append(bytes.Clone(frame), "more"...)),
		"two frames": with(length, append(bytes.Clone(frame), frame...)),
	} {
		if body, err := unpack(b); err == nil {
			t.Errorf("%s: unpacked to %d bytes", what, len(body))
		}
	}
}

// TestFooterBound: a segment that was filled can always be sealed.
func TestFooterBound(t *testing.T) {
	var m merger
	f := Footer{FirstSeq: 1 << 63, LastSeq: 1<<64 - 1, PrevEpoch: 1<<64 - 1, Checkpoint: Location{1<<64 - 1, 1<<32 - 1, 1<<32 - 1},
		Sealed: time.Unix(1<<40, 999_999_999)}
	next := int64(headerSize)
	for i := range 200 {
		f.Frames = append(f.Frames, FrameInfo{KindExtent, uint32(next), uint32(1 + i*1000)})
		next = f.Frames[i].End()
		key := bytes.Repeat([]byte{byte(i)}, 1+i*13%MaxKey)
		m.add([]Change{{Key: key, Value: make([]byte, i*5)}, {Key: []byte("often"), Value: make([]byte, i)}})
		f.Changes = m.sorted()
		b, err := appendFooter(nil, &f)
		if bound := footerBound(len(f.Frames), m.bound); err != nil || int64(len(b)) > bound || bound > int64(len(b))+160+16*int64(len(f.Changes)+len(f.Frames)) {
			t.Fatalf("%d frames: %d bytes, bound %d, %v", i+1, len(b), bound, err)
		}
	}
}

func TestMergerKeepsTheLast(t *testing.T) {
	var m merger
	m.add(changesOf("b=1", "a=1", "c=1"))
	m.add(changesOf("a", "b=2", "d"))
	m.add(changesOf("d=3"))
	if got, want := m.sorted(), changesOf("a", "b=2", "c=1", "d=3"); !same(got, want) {
		t.Errorf("%+v", got)
	}
	if want := changesBound(m.sorted()); m.bound != want {
		t.Errorf("bound %d, want %d", m.bound, want)
	}
}

func FuzzCommit(f *testing.F) {
	for _, c := range commits {
		b, err := appendCommit(nil, &c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decodeCommit(b)
		if err != nil {
			if !same(c, Commit{}) {
				t.Fatalf("an error, and %+v", c)
			}
			return
		}
		again, err := appendCommit(nil, &c)
		if err != nil || (b[0] == bodyRaw && !bytes.Equal(again, b)) {
			t.Fatalf("%q encodes to %q, %v", b, again, err)
		}
	})
}

func FuzzFooter(f *testing.F) {
	for _, footer := range append(footers, *bigFooter(func(int) string { return "value" })) {
		b, err := appendFooter(nil, &footer)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		if b, err = pack(b); err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		footer, err := decodeFooter(b)
		if err != nil {
			if !same(footer, Footer{}) {
				t.Fatalf("an error, and %+v", footer)
			}
			return
		}
		again, err := appendFooter(nil, &footer)
		if err != nil || (b[0] == bodyRaw && !bytes.Equal(again, b)) {
			t.Fatalf("%q encodes to %q, %v", b, again, err)
		}
	})
}

func FuzzTrailer(f *testing.F) {
	good := trailer{offset: headerSize, size: 100, tag: [4]byte{1, 2, 3, 4}}.append(nil)
	f.Add(good, int64(headerSize+100+trailerSize))
	f.Fuzz(func(t *testing.T, b []byte, size int64) {
		got, err := parseTrailer(b, size, 1)
		if err != nil {
			if got != (trailer{}) {
				t.Fatalf("an error, and %+v", got)
			}
			return
		}
		if !bytes.Equal(got.append(nil), b) || int64(got.offset)+int64(got.size)+trailerSize != size {
			t.Fatalf("%q is %+v", b, got)
		}
	})
}

func FuzzHeader(f *testing.F) {
	h := Header{Volume: seal.TestKeys().Volume(), Number: 7, Epoch: 3, FirstSeq: 40, PrevLength: 9, Suite: seal.ChaCha20Poly1305}
	key := h.key(seal.TestKeys())
	h.Commitment = key.Commitment()
	good, err := encodeHeader(h, key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseHeader(b, 0)
		if err != nil {
			if h != (Header{}) {
				t.Fatalf("an error, and %+v", h)
			}
			return
		}
		again, err := encodeHeader(h, key)
		if err != nil || !bytes.Equal(again[:headerPlain], b[:headerPlain]) || !bytes.Equal(again[headerZero:headerCRC], b[headerZero:headerCRC]) {
			t.Fatalf("%x encodes to %x, %v", b, again, err)
		}
	})
}
