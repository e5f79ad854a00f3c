package cache

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"dfsmount/internal/disk/simdisk"
	"dfsmount/seal"
	"dfsmount/segment"
)

func somePage(n int) (entries []entry) {
	for i := range n {
		entries = append(entries, entry{fmt.Appendf(nil, "K%05d", i*3), bytes.Repeat([]byte{byte(i + 1)}, 1+i%40)})
	}
	return entries
}

func TestPageRoundTrip(t *testing.T) {
	for _, n := range []int{1, 2, 100} {
		in := somePage(n)
		p, err := decodePage(encodePage(nil, in))
		if err != nil || p.len() != n {
			t.Fatalf("%d entries became %v, %v", n, p, err)
		}
		for i, e := range in {
			if !bytes.Equal(p.key(i), e.key) || !bytes.Equal(p.value(i), e.value) {
				t.Fatalf("entry %d differs", i)
			}
			if v, ok := p.get(string(e.key)); !ok || !bytes.Equal(v, e.value) {
				t.Fatalf("get of entry %d: %q, %v", i, v, ok)
			}
		}
		if _, ok := p.get("K00001"); ok {
			t.Error("get finds what is not there")
		}
	}
}

// TestPageCut: no cut page decodes.
func TestPageCut(t *testing.T) {
	b := encodePage(nil, somePage(20))
	for n := range len(b) {
		if _, err := decodePage(b[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes decode", n, len(b))
		}
	}
	if _, err := decodePage(append(b, 0)); !errors.Is(err, errPage) {
		t.Errorf("a byte too many: %v", err)
	}
}

// FuzzPage: what decodes encodes to the same bytes.
func FuzzPage(f *testing.F) {
	f.Add(encodePage(nil, somePage(1)))
	f.Add(encodePage(nil, somePage(5)))
	f.Add([]byte{pageFormat, 2, 0, 1, 'a', 1, 'x', 0, 1, 'b', 1, 'y'})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decodePage(b)
		if err != nil {
			return
		}
		var entries []entry
		for i := range p.len() {
			entries = append(entries, entry{p.key(i), p.value(i)})
		}
		if again := encodePage(nil, entries); !bytes.Equal(again, b) {
			t.Errorf("%x decodes and encodes to %x", b, again)
		}
	})
}

// FuzzManifest: the same for manifests and their parts.
func FuzzManifest(f *testing.F) {
	l := segment.Location{Segment: 3, Offset: 192, Length: 77}
	m := &manifest{seq: 9, segment: 2, epochs: []epochStart{{1, 1}, {4, 3}}, pages: 2, parts: []segment.Location{l}}
	f.Add(m.append(nil))
	f.Add(appendPart(nil, []*pageRef{{first: "ab", count: 1, size: 20, at: l}, {first: "ac", count: 3, size: 40, at: l}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := parseManifest(b); err == nil && !bytes.Equal(m.append(nil), b) {
			t.Errorf("manifest %x encodes to %x", b, m.append(nil))
		}
		if refs, err := parsePart(b); err == nil && !bytes.Equal(appendPart(nil, refs), b) {
			t.Errorf("part %x encodes to %x", b, appendPart(nil, refs))
		}
		if s, err := parseIntervals(b); err == nil && !bytes.Equal(s.append(nil), b) {
			t.Errorf("intervals %x encode to %x", b, s.append(nil))
		}
	})
}

func TestPack(t *testing.T) {
	random := make([]byte, 5000)
	for i := range random {
		random[i] = byte(rand.Uint32())
	}
	for _, body := range [][]byte{{}, []byte("x"), bytes.Repeat([]byte("abc"), 9999), random} {
		b, err := pack(body)
		if err != nil {
			t.Fatal(err)
		}
		got, err := unpack(b)
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("%d bytes became %d, %v", len(body), len(got), err)
		}
		if len(b) > len(body)+1 {
			t.Errorf("%d bytes packed into %d", len(body), len(b))
		}
	}
	for _, bad := range [][]byte{nil, {2}, {packZstd}, {packZstd, 0xff, 0xff, 0xff, 0xff, 0x0f, 1}, {packZstd, 5, 1, 2, 3}} {
		if _, err := unpack(bad); !errors.Is(err, errPacked) {
			t.Errorf("unpack(%x): %v", bad, err)
		}
	}
}

func TestIntervals(t *testing.T) {
	var s IntervalSet
	have := map[segment.ID]bool{}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		id := segment.ID(1 + rng.IntN(60))
		if rng.IntN(2) == 0 {
			s.Add(id)
			have[id] = true
		} else {
			s.Remove(id)
			delete(have, id)
		}
		for i := range s {
			if s[i].First > s[i].Last || i > 0 && s[i].First <= s[i-1].Last+1 {
				t.Fatalf("%v", s)
			}
		}
		for id := segment.ID(1); id <= 60; id++ {
			if s.Has(id) != have[id] {
				t.Fatalf("%v: Has(%d) is %v", s, id, s.Has(id))
			}
		}
	}
	if again, err := parseIntervals(s.append(nil)); err != nil || fmt.Sprint(again) != fmt.Sprint(s) {
		t.Errorf("%v came back as %v, %v", s, again, err)
	}
}

// TestAcks: acknowledgements survive reopening, only sealed segments can have one, and a node can be forgotten.
func TestAcks(t *testing.T) {
	keys, d := seal.TestKeys(), simdisk.New()
	s, err := Create(ctx, "", keys, slow(d))
	if err != nil {
		t.Fatal(err)
	}
	a, b := [8]byte{1}, [8]byte{2}
	if err := s.RecordAcks(a, 1); !errors.Is(err, errNotSealed) {
		t.Errorf("acknowledging an open segment: %v", err)
	}
	for range 3 {
		if err := putOne(s, "A", "1"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.SealNow(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if n, since := s.Unsealed(); n != 0 || !since.IsZero() {
		t.Errorf("%d bytes are unsealed since %v", n, since)
	}
	if err := errors.Join(s.RecordAcks(a, 1, 2, 3), s.DropAcks(a, 2), s.RecordAcks(b, 1), s.RemoveNode(b)); err != nil {
		t.Fatal(err)
	}
	s.abandon()
	if s, err = Open(ctx, "", keys, slow(d.Crash(0))); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(s.Acks(a), s.Acks(b)); got != "[{1 1} {3 3}] []" {
		t.Errorf("acknowledgements are %s", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestDamagedPage: a page of the index that decayed is an error, never other bytes, and the next Open makes a new index.
func TestDamagedPage(t *testing.T) {
	keys, d := seal.TestKeys(), simdisk.New()
	s, err := Create(ctx, "", keys, slow(d))
	if err != nil {
		t.Fatal(err)
	}
	m := newModel(5)
	if err := errors.Join(m.work(s, 100), s.Checkpoint(ctx)); err != nil {
		t.Fatal(err)
	}
	err = s.cat.ix.update(func(w indexWriter) error {
		for _, r := range s.table.refs {
			if err := w.put(bucketPages, pageKey(r.id), bytes.Repeat([]byte{7}, 100)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.pages.drop(s.table.refs)
	err = s.View(func(tx *Tx) error { _, err := tx.Get([]byte("N")); return err })
	if !errors.Is(err, errIndex) {
		t.Fatalf("reading a damaged page: %v", err)
	}
	if err := putOne(s, "N", string(numberValue(len(m.states)-1))); err != nil {
		t.Errorf("writing with a damaged index: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if s, err = Open(ctx, "", keys, slow(d.Crash(0))); err != nil {
		t.Fatal(err)
	}
	m.adopt(t, s)
	m.check(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestPageCache holds the cache to its bound.
func TestPageCache(t *testing.T) {
	c := pageCache{limit: 20 << 10}
	p, err := decodePage(encodePage(nil, somePage(50)))
	if err != nil {
		t.Fatal(err)
	}
	var refs []*pageRef
	for range 50 {
		r := &pageRef{}
		refs = append(refs, r)
		c.add(r, p)
		c.hit(refs[0])
		if c.bytes > c.limit {
			t.Fatalf("the cache holds %d bytes", c.bytes)
		}
	}
	if c.hit(refs[0]) == nil || c.hit(refs[10]) != nil {
		t.Error("the page touched all the time is gone, or one never touched is not")
	}
	c.drop(refs)
	if c.bytes != 0 || len(c.hand) != 0 {
		t.Errorf("%d bytes and %d pages are left", c.bytes, len(c.hand))
	}
}
