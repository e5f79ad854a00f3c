package segment_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"testing"

	"dfsmount/internal/disk/simdisk"
	"dfsmount/seal"
	"dfsmount/segment"
)

// source is a segment in memory. It counts its reads.
type source struct {
	*bytes.Reader
	reads int
}

func newSource(b []byte) *source { return &source{Reader: bytes.NewReader(b)} }

func (s *source) Size() (int64, error) { return s.Reader.Size(), nil }

func (s *source) ReadAt(p []byte, off int64) (int, error) {
	s.reads++
	return s.Reader.ReadAt(p, off)
}

// small is a segment with a frame of every kind and three commits. The second commit knows that the first is durable, and
// the third that the second is. The sealed one has another frame behind the commits.
type small struct {
	open, sealed []byte
	frames       []segment.FrameInfo
	commits      []segment.Commit
}

func makeSmall(t testing.TB) small {
	t.Helper()
	d := simdisk.New()
	f, err := d.Open(openName, 2)
	must(t, err)
	w, err := segment.NewWriter(f, keys, header)
	must(t, err)
	var s small
	for seq, kind := range []seal.Kind{segment.KindExtent, segment.KindPage, segment.KindManifest} {
		_, err = w.Append(kind, text(30))
		must(t, err)
		c := commit(header.FirstSeq+uint64(seq), "some key", "value", "some other", "x")
		must(t, w.AppendCommit(c))
		must(t, w.Sync())
		s.commits = append(s.commits, *c)
	}
	s.open = all(t, f)
	_, err = w.Append(segment.KindManifest, text(10))
	must(t, err)
	sealed, err := w.Seal(segment.Footer{})
	must(t, err)
	s.frames, s.sealed = sealed.Footer.Frames, all(t, f)
	return s
}

func all(t testing.TB, src segment.Source) []byte {
	t.Helper()
	size, err := src.Size()
	must(t, err)
	b, err := io.ReadAll(io.NewSectionReader(src, 0, size))
	must(t, err)
	return b
}

// readAll opens a sealed segment and every frame in it.
func readAll(b []byte, frames []segment.FrameInfo) error {
	r, _, err := segment.OpenSealed(newSource(b), keys, header.Number, header.Epoch)
	if err != nil {
		return err
	}
	for _, f := range frames {
		if _, err := r.ReadFrame(nil, f.Kind, location(f)); err != nil {
			return err
		}
	}
	return nil
}

func location(f segment.FrameInfo) segment.Location {
	return segment.Location{Segment: header.Number, Offset: f.Offset, Length: f.Length}
}

// refused tells whether err says that the bytes are not what was written.
func refused(err error) bool {
	return errors.Is(err, segment.ErrDamaged) || errors.Is(err, segment.ErrUnknown)
}

func TestSealedCutAnywhere(t *testing.T) {
	s := makeSmall(t)
	must(t, readAll(s.sealed, s.frames))
	for n := range s.sealed {
		cut := s.sealed[:n]
		if err := readAll(cut, nil); !errors.Is(err, segment.ErrDamaged) {
			t.Fatalf("cut to %d: open: %v", n, err)
		}
		if _, err := segment.Verify(newSource(cut)); !errors.Is(err, segment.ErrDamaged) {
			t.Fatalf("cut to %d: verify: %v", n, err)
		}
		rec, err := segment.Recover(newSource(cut), keys, header.Number)
		if n < 192 {
			if !errors.Is(err, segment.ErrEmpty) {
				t.Fatalf("cut to %d: recover: %v", n, err)
			}
			continue
		}
		if err != nil || rec.Sealed != nil || rec.End > int64(n) {
			t.Fatalf("cut to %d: recover: end %d, %v", n, rec.End, err)
		}
	}
	longer := append(bytes.Clone(s.sealed), 0)
	if err := readAll(longer, nil); !errors.Is(err, segment.ErrDamaged) {
		t.Errorf("a byte more: open: %v", err)
	}
	if _, err := segment.Verify(newSource(longer)); !errors.Is(err, segment.ErrDamaged) {
		t.Errorf("a byte more: verify: %v", err)
	}
}

// TestOpenCutAnywhere cuts an open segment at every byte, with nothing or the zeros of an allocated file behind: what is whole
// before the cut is recovered, nothing else, and never an error.
func TestOpenCutAnywhere(t *testing.T) {
	s := makeSmall(t)
	for n := 192; n <= len(s.open); n++ {
		want := 0
		for _, f := range s.frames {
			if f.Kind == segment.KindCommit && f.End() <= int64(n) {
				want++
			}
		}
		for _, zeros := range []int{0, 5, 5000} {
			b := append(bytes.Clone(s.open[:n]), make([]byte, zeros)...)
			rec, err := segment.Recover(newSource(b), keys, header.Number)
			if err != nil || len(rec.Commits) != want {
				t.Fatalf("cut to %d, %d zeros: %d commits, want %d, %v", n, zeros, len(rec.Commits), want, err)
			}
		}
	}
}

func TestSealedEveryFlippedBit(t *testing.T) {
	s := makeSmall(t)
	for bit := range len(s.sealed) * 8 {
		b := bytes.Clone(s.sealed)
		b[bit/8] ^= 1 << (bit % 8)
		if _, err := segment.Verify(newSource(b)); !refused(err) {
			t.Fatalf("byte %d, bit %d: verify: %v", bit/8, bit%8, err)
		}
		if err := readAll(b, s.frames); !refused(err) {
			t.Fatalf("byte %d, bit %d: read: %v", bit/8, bit%8, err)
		}
		rec, err := segment.Recover(newSource(b), keys, header.Number)
		if footer := int(s.frames[6].End()); bit/8 < footer {
			if !refused(err) {
				t.Fatalf("S3: byte %d, bit %d before an authentic footer: recover: %v", bit/8, bit%8, err)
			}
		} else if err != nil || rec.Sealed != nil || len(rec.Commits) != 3 {
			t.Fatalf("byte %d, bit %d of footer or trailer: recover: %d commits, %v", bit/8, bit%8, len(rec.Commits), err)
		}
	}
}

// TestSealedEveryForgedBit flips every bit and mends the checksums, as one who has no key can.
func TestSealedEveryForgedBit(t *testing.T) {
	s := makeSmall(t)
	for bit := range len(s.sealed) * 8 {
		b := bytes.Clone(s.sealed)
		b[bit/8] ^= 1 << (bit % 8)
		if mend(b, s.frames); bytes.Equal(b, s.sealed) {
			continue // the bit was in a checksum
		}
		if err := readAll(b, s.frames); !refused(err) {
			t.Fatalf("byte %d, bit %d: %v", bit/8, bit%8, err)
		}
	}
}

// TestVerifyHoldsTrailerToSegment: the trailer of another segment, in the right place.
func TestVerifyHoldsTrailerToSegment(t *testing.T) {
	s := makeSmall(t)
	s.sealed[len(s.sealed)-5] ^= 1
	mend(s.sealed, s.frames)
	if _, err := segment.Verify(newSource(s.sealed)); !errors.Is(err, segment.ErrDamaged) {
		t.Error(err)
	}
}

// mend makes every checksum of a sealed segment hold again.
func mend(b []byte, frames []segment.FrameInfo) {
	table := crc32.MakeTable(crc32.Castagnoli)
	binary.BigEndian.PutUint32(b[188:], crc32.Checksum(b[:188], table))
	footer := int64(192)
	for _, f := range frames {
		mendFrame(b[f.Offset:f.End()])
		footer = f.End()
	}
	mendFrame(b[footer : len(b)-24])
	end := b[len(b)-24:]
	binary.BigEndian.PutUint32(end[20:], crc32.Checksum(end[:20], table))
}

func mendFrame(b []byte) {
	table := crc32.MakeTable(crc32.Castagnoli)
	binary.BigEndian.PutUint32(b[12:], crc32.Update(crc32.Checksum(b[:12], table), table, b[16:]))
}

// TestOpenEveryFlippedBit: S3. In what a later commit says to be durable every flipped bit is damage; behind that it is a torn
// write that ends the segment.
func TestOpenEveryFlippedBit(t *testing.T) {
	s := makeSmall(t)
	durable := int(s.commits[2].Durable)
	if durable != int(s.frames[3].End()) {
		t.Fatalf("the third commit knows of %d durable bytes", durable)
	}
	for bit := range len(s.open) * 8 {
		b := append(bytes.Clone(s.open), make([]byte, 100)...)
		b[bit/8] ^= 1 << (bit % 8)
		rec, err := segment.Recover(newSource(b), keys, header.Number)
		if bit/8 < durable {
			if !refused(err) {
				t.Fatalf("S3: byte %d, bit %d: %v", bit/8, bit%8, err)
			}
			continue
		}
		if err != nil || len(rec.Commits) != 2 || rec.End != int64(durable) {
			t.Fatalf("byte %d, bit %d: %d commits, end %d, %v", bit/8, bit%8, len(rec.Commits), rec.End, err)
		}
	}
}

// TestOpenForgedCommit: a frame whose checksum holds and that is not authentic was not left by any crash.
func TestOpenForgedCommit(t *testing.T) {
	s := makeSmall(t)
	last := s.frames[5]
	b := bytes.Clone(s.open)
	b[last.Offset+40] ^= 1
	mendFrame(b[last.Offset:last.End()])
	rec, err := segment.Recover(newSource(b), keys, header.Number)
	if !errors.Is(err, segment.ErrDamaged) || len(rec.Commits) != 2 {
		t.Errorf("%d commits, %v", len(rec.Commits), err)
	}
}

// TestZeroedRanges zeroes whole sectors, as a disk does that lost them.
func TestZeroedRanges(t *testing.T) {
	s := makeSmall(t)
	durable := int(s.commits[2].Durable)
	for off := 0; off < durable; off += 64 {
		b := bytes.Clone(s.open)
		clear(b[off:min(off+64, durable)])
		if _, err := segment.Recover(newSource(b), keys, header.Number); !errors.Is(err, segment.ErrDamaged) {
			t.Errorf("S3: %d zeroed: %v", off, err)
		}
	}
}

// TestNothingBegun: S1.
func TestNothingBegun(t *testing.T) {
	s := makeSmall(t)
	for what, b := range map[string][]byte{
		"nothing":           nil,
		"zeros":             make([]byte, 5000),
		"few zeros":         make([]byte, 10),
		"torn header":       append(bytes.Clone(s.open[:100]), make([]byte, 5000)...),
		"other torn header": append(make([]byte, 100), s.open[100:192]...),
	} {
		if _, err := segment.Recover(newSource(b), keys, 7); !errors.Is(err, segment.ErrEmpty) || errors.Is(err, segment.ErrDamaged) {
			t.Errorf("S1: %s: %v", what, err)
		}
	}
	behind := append(bytes.Clone(s.open[:100]), make([]byte, 5000)...)
	behind[4000] = 1
	if _, err := segment.Recover(newSource(behind), keys, 7); !errors.Is(err, segment.ErrDamaged) {
		t.Errorf("S1: torn header with something behind it: %v", err)
	}
}

func TestWrongSegment(t *testing.T) {
	s := makeSmall(t)
	other := seal.NewVolumeKey()
	for what, open := range map[string]func() error{
		"number": func() error { _, _, err := segment.OpenSealed(newSource(s.sealed), keys, 8, 3); return err },
		"epoch":  func() error { _, _, err := segment.OpenSealed(newSource(s.sealed), keys, 7, 4); return err },
		"volume": func() error {
			_, _, err := segment.OpenSealed(newSource(s.sealed), other.Derive(seal.VolumeID{}), 7, 3)
			return err
		},
		"key": func() error {
			_, _, err := segment.OpenSealed(newSource(s.sealed), other.Derive(keys.Volume()), 7, 3)
			return err
		},
		"header, epoch":   func() error { _, err := segment.OpenHeader(newSource(s.sealed), keys, 7, 4); return err },
		"recover, number": func() error { _, err := segment.Recover(newSource(s.open), keys, 8); return err },
		"recover, key": func() error {
			_, err := segment.Recover(newSource(s.open), other.Derive(keys.Volume()), 7)
			return err
		},
	} {
		if err := open(); !errors.Is(err, segment.ErrDamaged) || errors.Is(err, segment.ErrEmpty) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestUnknown: what a newer program writes is refused as unknown, not as damaged.
func TestUnknown(t *testing.T) {
	s := makeSmall(t)
	for what, at := range map[string]int{"version": 7, "suite": 56, "flag": 57, "late flag": 187} {
		b := bytes.Clone(s.sealed)
		b[at] = 99
		if what != "version" { // that of another version may have its checksum elsewhere
			mend(b, s.frames)
		} else {
			b[188]++
		}
		if _, err := segment.Verify(newSource(b)); !errors.Is(err, segment.ErrUnknown) || errors.Is(err, segment.ErrDamaged) {
			t.Errorf("%s: verify: %v", what, err)
		}
		if err := readAll(b, nil); !errors.Is(err, segment.ErrUnknown) {
			t.Errorf("%s: open: %v", what, err)
		}
		if _, err := segment.Recover(newSource(b), keys, 7); !errors.Is(err, segment.ErrUnknown) {
			t.Errorf("%s: recover: %v", what, err)
		}
	}
	b := bytes.Clone(s.sealed)
	b[s.frames[0].Offset+4] = 77
	mend(b, s.frames)
	if _, err := segment.Verify(newSource(b)); !errors.Is(err, segment.ErrUnknown) {
		t.Errorf("kind: verify: %v", err)
	}
	if _, err := segment.Recover(newSource(b), keys, 7); !errors.Is(err, segment.ErrUnknown) {
		t.Errorf("kind: recover: %v", err)
	}
}

// TestFooterAlone: sealing was interrupted after the footer and before the trailer: everything counts.
func TestFooterAlone(t *testing.T) {
	s := makeSmall(t)
	b := append(bytes.Clone(s.sealed[:len(s.sealed)-24]), make([]byte, 500)...)
	rec, err := segment.Recover(newSource(b), keys, 7)
	must(t, err)
	if rec.Sealed != nil || rec.End != s.frames[6].End() || len(rec.Frames) != 7 || len(rec.Commits) != 3 {
		t.Errorf("end %d, %d commits", rec.End, len(rec.Commits))
	}
}

func TestKeepUpTo(t *testing.T) {
	s := makeSmall(t)
	cut := s.open[:s.frames[4].End()] // the last commit is missing, an extent stands before it
	rec, err := segment.Recover(newSource(cut), keys, 7)
	must(t, err)
	if rec.End != s.frames[3].End() || len(rec.Frames) != 4 || rec.Scanned != s.frames[4].End() {
		t.Fatalf("end %d, %d frames", rec.End, len(rec.Frames))
	}
	for _, end := range []int64{0, rec.End} {
		must(t, rec.KeepUpTo(end))
	}
	for _, end := range []int64{rec.End + 1, rec.Scanned + 1} {
		if err := rec.KeepUpTo(end); !errors.Is(err, segment.ErrDamaged) || len(rec.Frames) != 4 {
			t.Errorf("up to %d: %v", end, err)
		}
	}
	must(t, rec.KeepUpTo(rec.Scanned))
	if rec.End != rec.Scanned || len(rec.Frames) != 5 {
		t.Errorf("end %d, %d frames", rec.End, len(rec.Frames))
	}
}

func TestFewReads(t *testing.T) {
	d := simdisk.New()
	f, err := d.Open(openName, 2)
	must(t, err)
	w, err := segment.NewWriter(f, keys, header)
	must(t, err)
	l, err := w.Append(segment.KindExtent, text(400<<10))
	must(t, err)
	_, err = w.Seal(segment.Footer{})
	must(t, err)
	src := newSource(all(t, f))
	expect := func(what string, n int) {
		t.Helper()
		if src.reads != n {
			t.Errorf("%s: %d reads, want %d", what, src.reads, n)
		}
		src.reads = 0
	}
	r, _, err := segment.OpenSealed(src, keys, 7, 3)
	must(t, err)
	expect("OpenSealed", 2)
	_, err = r.ReadFrame(nil, segment.KindExtent, l)
	must(t, err)
	expect("ReadFrame", 1)
	must(t, r.ReadRange(make([]byte, 100<<10), l, 64<<10))
	expect("ReadRange", 1)
	must(t, r.ReadRange(nil, l, 10))
	expect("ReadRange of nothing", 0)
	must(t, readAll(makeSmall(t).sealed, nil))
	src = newSource(makeSmall(t).sealed)
	_, _, err = segment.OpenSealed(src, keys, 7, 3)
	must(t, err)
	expect("OpenSealed of a small one", 1)
}

func TestReadWhatCannotBe(t *testing.T) {
	s := makeSmall(t)
	r, err := segment.OpenHeader(newSource(s.sealed), keys, 7, 3)
	must(t, err)
	good := location(s.frames[0])
	for what, l := range map[string]segment.Location{
		"segment": {Segment: 8, Offset: good.Offset, Length: good.Length},
		"header":  {Segment: 7, Offset: 0, Length: 30},
		"empty":   {Segment: 7, Offset: good.Offset},
		"nowhere": {},
	} {
		if b, err := r.ReadFrame(nil, segment.KindExtent, l); err == nil || b != nil || errors.Is(err, segment.ErrDamaged) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, l := range map[string]segment.Location{
		"other length": {Segment: 7, Offset: good.Offset, Length: good.Length - 1},
		"other offset": {Segment: 7, Offset: good.Offset + 1, Length: good.Length},
		"behind":       {Segment: 7, Offset: 1 << 30, Length: good.Length},
	} {
		if b, err := r.ReadFrame(nil, segment.KindExtent, l); !errors.Is(err, segment.ErrDamaged) || b != nil {
			t.Errorf("%s: %v", what, err)
		}
		if err := r.ReadRange(make([]byte, 10), l, 5); !errors.Is(err, segment.ErrDamaged) {
			t.Errorf("%s: range: %v", what, err)
		}
	}
	if _, err := r.ReadFrame(nil, segment.KindPage, good); !errors.Is(err, segment.ErrDamaged) {
		t.Errorf("kind: %v", err)
	}
	if _, err := r.ReadFrame(nil, 9, good); !errors.Is(err, segment.ErrUnknown) {
		t.Errorf("unknown kind: %v", err)
	}
	for _, c := range [][2]int{{-1, 2}, {29, 2}, {31, 0}, {0, 31}} {
		if err := r.ReadRange(make([]byte, c[1]), good, c[0]); err == nil {
			t.Errorf("%d bytes at %d of 30 were read", c[1], c[0])
		}
	}
}

// broken fails every read.
type broken struct{ *source }

var errBroken = errors.New("the network is down")

func (broken) ReadAt([]byte, int64) (int, error) { return 0, errBroken }

// TestSourceErrorsAreNoDamage: a node that cannot be reached has not lost anything.
func TestSourceErrorsAreNoDamage(t *testing.T) {
	s := makeSmall(t)
	src := broken{newSource(s.sealed)}
	_, verify := segment.Verify(src)
	_, _, open := segment.OpenSealed(src, keys, 7, 3)
	_, header := segment.OpenHeader(src, keys, 7, 3)
	_, rec := segment.Recover(src, keys, 7)
	for what, err := range map[string]error{"verify": verify, "open": open, "header": header, "recover": rec} {
		if !errors.Is(err, errBroken) || errors.Is(err, segment.ErrDamaged) || errors.Is(err, segment.ErrEmpty) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestObjectName(t *testing.T) {
	for _, c := range []struct {
		number segment.ID
		epoch  uint64
		name   string
	}{{1, 0, "segment/0000000000000001-00000000"}, {1<<64 - 1, 1<<32 - 1, "segment/ffffffffffffffff-ffffffff"}} {
		if got := segment.ObjectName(c.number, c.epoch); got != c.name {
			t.Errorf("%d, %d: %s", c.number, c.epoch, got)
		}
		if n, e, ok := segment.ParseObjectName(c.name); n != c.number || e != c.epoch || !ok {
			t.Errorf("%s: %d, %d, %v", c.name, n, e, ok)
		}
	}
	for _, name := range []string{"", "segment/", "segment/1-0", "segment/0000000000000001", "segment/000000000000000A-00000000",
		"segment/0000000000000000-00000000", "segment/0000000000000001-000000000", "segment/0000000000000001-00000000 ",
		"segment/+000000000000001-00000000", "other/0000000000000001-00000000", "segment/0000000000000001-00000000-"} {
		if n, e, ok := segment.ParseObjectName(name); ok || n != 0 || e != 0 {
			t.Errorf("%q was taken for a segment", name)
		}
	}
}
