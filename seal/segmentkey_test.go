package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
)

// sizes are plaintext lengths at and around the borders of DARE packages.
var sizes = []int{1, 2, 15, 16, 17, 255, 4096, 65535, 65536, 65537, 131071, 131072, 131073, 300000}

func testSegment(suite Suite) *SegmentKey {
	return TestKeys().Segment(7, 1, Salt([]byte("salt of a test..")), suite)
}

func eachSuite(t *testing.T, f func(t *testing.T, s *SegmentKey)) {
	for _, suite := range []Suite{AES256GCM, ChaCha20Poly1305} {
		t.Run(suite.String(), func(t *testing.T) { f(t, testSegment(suite)) })
	}
}

func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)})
	r.Read(b)
	return b
}

func mustSeal(t testing.TB, s *SegmentKey, p Place, plain []byte) []byte {
	t.Helper()
	sealed, err := s.Seal(nil, p, plain)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestFrameRoundTrip(t *testing.T) {
	eachSuite(t, func(t *testing.T, s *SegmentKey) {
		for _, n := range sizes {
			plain, p := noise(n), Place{Kind: 1, Offset: 4096, Length: uint32(n)}
			sealed, err := s.Seal([]byte("before"), p, plain)
			if err != nil {
				t.Fatal(err)
			}
			sealed, ok := bytes.CutPrefix(sealed, []byte("before"))
			if !ok || len(sealed) != SealedSize(n) {
				t.Fatalf("%d bytes: Seal did not append %d bytes", n, SealedSize(n))
			}
			got, err := s.Open([]byte("before"), p, sealed)
			if err != nil {
				t.Fatalf("%d bytes: %v", n, err)
			}
			if !bytes.Equal(got, append([]byte("before"), plain...)) {
				t.Fatalf("%d bytes: other bytes came back", n)
			}
		}
	})
}

func TestOpenRange(t *testing.T) {
	eachSuite(t, func(t *testing.T, s *SegmentKey) {
		for _, n := range sizes {
			plain, p := noise(n), Place{Kind: 1, Offset: 4096, Length: uint32(n)}
			// The frame stands inside a file: what follows must not disturb.
			r := bytes.NewReader(append(mustSeal(t, s, p, plain), "the next frame"...))
			for _, off := range append(sizes, 0, 65534, 200000) {
				for _, size := range append(sizes, 0) {
					if off > n || size > n-off {
						continue
					}
					got := make([]byte, size)
					if err := s.OpenRange(got, p, r, off); err != nil {
						t.Fatalf("[%d, %d) of %d: %v", off, off+size, n, err)
					}
					if !bytes.Equal(got, plain[off:off+size]) {
						t.Fatalf("[%d, %d) of %d: other bytes came back", off, off+size, n)
					}
				}
			}
		}
	})
}

// spans records which bytes of a source were read.
type spans struct {
	io.ReaderAt
	got []string
}

func (s *spans) ReadAt(b []byte, off int64) (int, error) {
	s.got = append(s.got, fmt.Sprintf("%d+%d", off, len(b)))
	return s.ReaderAt.ReadAt(b, off)
}

func TestOpenRangeReadsOnlyItsPackages(t *testing.T) {
	s, n := testSegment(AES256GCM), 40*packageSize+1
	p := Place{Kind: 1, Offset: 64, Length: uint32(n)}
	sealed := mustSeal(t, s, p, noise(n))
	for _, c := range []struct {
		off, size int
		want      string
	}{
		{0, 1, "[0+65568]"},
		{65535, 1, "[0+65568]"},
		{65536, 1, "[65568+65568]"},
		{65536, 65536, "[65568+65568]"},
		{65535, 2, "[0+131136]"},
		{40 * packageSize, 1, "[2622720+33]"},
		{10, 20 * packageSize, "[0+1049088 1049088+327840]"},
		{5, 0, "[]"},
	} {
		r := &spans{ReaderAt: bytes.NewReader(sealed)}
		if err := s.OpenRange(make([]byte, c.size), p, r, c.off); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(r.got); got != c.want {
			t.Errorf("[%d, %d): read %s, want %s", c.off, c.off+c.size, got, c.want)
		}
	}
}

// K1: opensNowhere fails the test unless Open and OpenRange both refuse sealed with ErrAuth and give no byte of it.
func opensNowhere(t *testing.T, s *SegmentKey, p Place, sealed []byte, what string) {
	t.Helper()
	room := make([]byte, 0, int(p.Length)+8)
	got, err := s.Open(room, p, sealed)
	if !errors.Is(err, ErrAuth) || got != nil {
		t.Fatalf("%s: Open gave %d bytes and error %v", what, len(got), err)
	}
	if spare := room[:p.Length]; !bytes.Equal(spare, make([]byte, len(spare))) {
		t.Fatalf("%s: Open left plaintext behind", what)
	}
	dst := bytes.Repeat([]byte{0xee}, int(p.Length))
	if err := s.OpenRange(dst, p, bytes.NewReader(sealed), 0); !errors.Is(err, ErrAuth) {
		t.Fatalf("%s: OpenRange gave error %v", what, err)
	}
	if !bytes.Equal(dst, make([]byte, len(dst))) {
		t.Fatalf("%s: OpenRange left bytes behind", what)
	}
}

// K2: a frame opens in one place only.
func TestWrongPlace(t *testing.T) {
	keys, salt := TestKeys(), Salt{1}
	p := Place{Kind: 1, Offset: 1 << 20, Length: 70000}
	sealed := mustSeal(t, keys.Segment(7, 3, salt, AES256GCM), p, noise(70000))
	other := volumeKeyOf(bytes.Repeat([]byte{9}, keySize))
	for what, c := range map[string]struct {
		key *SegmentKey
		p   Place
	}{
		"kind":       {keys.Segment(7, 3, salt, AES256GCM), Place{2, 1 << 20, 70000}},
		"offset":     {keys.Segment(7, 3, salt, AES256GCM), Place{1, 1<<20 + 1, 70000}},
		"high bits":  {keys.Segment(7, 3, salt, AES256GCM), Place{1, 1<<20 | 1<<63, 70000}},
		"shorter":    {keys.Segment(7, 3, salt, AES256GCM), Place{1, 1 << 20, 69999}},
		"longer":     {keys.Segment(7, 3, salt, AES256GCM), Place{1, 1 << 20, 70001}},
		"number":     {keys.Segment(8, 3, salt, AES256GCM), p},
		"epoch":      {keys.Segment(7, 4, salt, AES256GCM), p},
		"salt":       {keys.Segment(7, 3, Salt{2}, AES256GCM), p},
		"suite":      {keys.Segment(7, 3, salt, ChaCha20Poly1305), p},
		"volume key": {other.Derive(keys.Volume()).Segment(7, 3, salt, AES256GCM), p},
		"volume":     {volumeKeyOf([]byte("dfsmount test key, known to all.")).Derive(VolumeID{}).Segment(7, 3, salt, AES256GCM), p},
	} {
		opensNowhere(t, c.key, c.p, sealed, what)
	}
	if _, err := keys.Segment(7, 3, salt, AES256GCM).Open(nil, p, sealed); err != nil {
		t.Fatalf("the right place: %v", err)
	}
}

// Open refuses another length by the sealed size alone; this shows that the key would refuse it too.
func TestLengthIsPartOfTheKey(t *testing.T) {
	s := testSegment(AES256GCM)
	p := Place{Kind: 1, Offset: 5, Length: 100}
	key := s.frameKey(s.macs.get(), p)
	other := s.frameKey(s.macs.get(), Place{Kind: 1, Offset: 5, Length: 101})
	if bytes.Equal(key, other) {
		t.Fatal("length is not part of the frame key")
	}
}

func TestEveryFlippedBit(t *testing.T) {
	eachSuite(t, func(t *testing.T, s *SegmentKey) {
		p := Place{Kind: 1, Offset: 64, Length: 40}
		sealed := mustSeal(t, s, p, noise(40))
		for bit := range len(sealed) * 8 {
			sealed[bit/8] ^= 1 << (bit % 8)
			opensNowhere(t, s, p, sealed, fmt.Sprintf("bit %d flipped", bit))
			sealed[bit/8] ^= 1 << (bit % 8)
		}
	})
}

// TestFlippedBitsOfLongFrame flips every bit of both package headers and some bits everywhere.
func TestFlippedBitsOfLongFrame(t *testing.T) {
	s, n := testSegment(AES256GCM), packageSize+100
	p := Place{Kind: 1, Offset: 64, Length: uint32(n)}
	sealed := mustSeal(t, s, p, noise(n))
	for i := range sealed {
		header := i < 16 || i >= sealedPackage && i < sealedPackage+16
		if !header && i%1021 != 0 {
			continue
		}
		for bit := range 8 {
			sealed[i] ^= 1 << bit
			opensNowhere(t, s, p, sealed, fmt.Sprintf("bit %d of byte %d flipped", bit, i))
			sealed[i] ^= 1 << bit
		}
	}
}

func TestEveryTruncation(t *testing.T) {
	eachSuite(t, func(t *testing.T, s *SegmentKey) {
		for _, n := range []int{40, packageSize, packageSize + 40} {
			p := Place{Kind: 1, Offset: 64, Length: uint32(n)}
			sealed := mustSeal(t, s, p, noise(n))
			for cut := 0; cut < len(sealed); cut++ {
				if cut > 100 && cut < len(sealed)-100 && cut%4099 != 0 {
					continue
				}
				opensNowhere(t, s, p, sealed[:cut], fmt.Sprintf("cut to %d of %d", cut, len(sealed)))
			}
			longer := append(bytes.Clone(sealed), 0)
			if got, err := s.Open(nil, p, longer); !errors.Is(err, ErrAuth) || got != nil {
				t.Fatalf("one byte more: %v", err)
			}
		}
	})
}

// TestPackagesOfOneFrameDoNotMove exchanges, repeats and drops packages of a frame.
func TestPackagesOfOneFrameDoNotMove(t *testing.T) {
	s, n := testSegment(AES256GCM), 3*packageSize
	p := Place{Kind: 1, Offset: 64, Length: uint32(n)}
	sealed := mustSeal(t, s, p, noise(n))
	part := func(order ...int) (out []byte) {
		for _, i := range order {
			out = append(out, sealed[i*sealedPackage:(i+1)*sealedPackage]...)
		}
		return out
	}
	for _, order := range [][]int{{1, 0, 2}, {0, 0, 2}, {0, 2, 1}, {0, 1, 1}, {2, 1, 0}, {0, 1}, {0, 1, 2, 2}} {
		if got, err := s.Open(nil, p, part(order...)); !errors.Is(err, ErrAuth) || got != nil {
			t.Errorf("packages %v: error %v", order, err)
		}
	}
	if err := s.OpenRange(make([]byte, packageSize), p, bytes.NewReader(part(0, 0, 2)), packageSize); !errors.Is(err, ErrAuth) {
		t.Errorf("range of a repeated package: error %v", err)
	}
}

// broken fails every read, as a disk does.
type broken struct{ err error }

func (b broken) ReadAt([]byte, int64) (int, error) { return 0, b.err }

func TestOpenRangePassesErrorsOfTheSource(t *testing.T) {
	disk := errors.New("the disk is on fire")
	err := testSegment(AES256GCM).OpenRange(make([]byte, 10), Place{Kind: 1, Offset: 1, Length: 10}, broken{disk}, 0)
	if !errors.Is(err, disk) || errors.Is(err, ErrAuth) {
		t.Fatalf("error %v", err)
	}
}

func TestWrongArguments(t *testing.T) {
	s := testSegment(AES256GCM)
	if _, err := s.Seal(nil, Place{Kind: 1}, nil); err == nil {
		t.Error("an empty frame was sealed: it would carry no tag")
	}
	if _, err := s.Open(nil, Place{Kind: 1}, nil); err == nil {
		t.Error("an empty frame was opened")
	}
	if _, err := s.Seal(nil, Place{Kind: 1, Length: 5}, make([]byte, 4)); err == nil {
		t.Error("a frame of another length was sealed")
	}
	if _, err := s.Open(nil, Place{Kind: 1, Length: MaxFrame + 1}, nil); err == nil {
		t.Error("a frame over MaxFrame was opened")
	}
	for _, c := range [][2]int{{-1, 1}, {0, 11}, {10, 1}, {11, 0}} {
		if err := s.OpenRange(make([]byte, c[1]), Place{Kind: 1, Length: 10}, broken{io.EOF}, c[0]); err == nil || errors.Is(err, ErrAuth) {
			t.Errorf("%d bytes at %d of 10: error %v", c[1], c[0], err)
		}
	}
	unknown := TestKeys().Segment(1, 1, Salt{}, Suite(9))
	if _, err := unknown.Seal(nil, Place{Kind: 1, Length: 1}, []byte{1}); err == nil {
		t.Error("an unknown suite sealed something")
	}
	if _, err := unknown.Open(nil, Place{Kind: 1, Length: 1}, make([]byte, 33)); err == nil {
		t.Error("an unknown suite opened something")
	}
}

func TestSealIntoRoom(t *testing.T) {
	s, n := testSegment(AES256GCM), 200000
	p := Place{Kind: 1, Offset: 64, Length: uint32(n)}
	plain := noise(n)
	room := make([]byte, 0, SealedSize(n))
	sealed, err := s.Seal(room, p, plain)
	if err != nil {
		t.Fatal(err)
	}
	if &sealed[0] != &room[:1][0] {
		t.Error("Seal did not use the room of dst")
	}
	back := make([]byte, 0, n)
	opened, err := s.Open(back, p, sealed)
	if err != nil {
		t.Fatal(err)
	}
	if &opened[0] != &back[:1][0] {
		t.Error("Open did not use the room of dst")
	}
}

// K3: should a place be sealed twice against the rule, the nonces still differ.
func TestSealsDiffer(t *testing.T) {
	s, p := testSegment(AES256GCM), Place{Kind: 1, Offset: 64, Length: 16}
	a, b := mustSeal(t, s, p, noise(16)), mustSeal(t, s, p, noise(16))
	if bytes.Equal(a[4:16], b[4:16]) || bytes.Equal(a[16:], b[16:]) {
		t.Fatal("two seals of the same bytes share nonce or ciphertext")
	}
}

func BenchmarkFrame(b *testing.B) {
	for _, suite := range []Suite{AES256GCM, ChaCha20Poly1305} {
		for _, n := range []int{256, 4 << 10, 64 << 10, 256 << 10} {
			s, p, plain := testSegment(suite), Place{Kind: 1, Offset: 64, Length: uint32(n)}, noise(n)
			sealed := mustSeal(b, s, p, plain)
			b.Run(fmt.Sprintf("Seal/%v/%d", suite, n), func(b *testing.B) {
				bench(b, n, func() error { _, err := s.Seal(sealed[:0], p, plain); return err })
			})
			sealed = mustSeal(b, s, p, plain)
			b.Run(fmt.Sprintf("Open/%v/%d", suite, n), func(b *testing.B) {
				bench(b, n, func() error { _, err := s.Open(plain[:0], p, sealed); return err })
			})
			r := bytes.NewReader(sealed)
			b.Run(fmt.Sprintf("OpenRange/%v/%d", suite, n), func(b *testing.B) {
				part := min(n/2, 4096)
				bench(b, part, func() error { return s.OpenRange(plain[:part], p, r, n/2) })
			})
		}
	}
}

func bench(b *testing.B, n int, f func() error) {
	b.SetBytes(int64(n))
	b.ReportAllocs()
	for b.Loop() {
		if err := f(); err != nil {
			b.Fatal(err)
		}
	}
}
