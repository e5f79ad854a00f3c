package seal

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestLabelsAreApart(t *testing.T) {
	labels := []string{labelFrames, labelIndex, labelNames, labelHeader, labelSegment, labelCommit, labelValues, labelFrame}
	for i, a := range labels {
		for j, b := range labels {
			if i != j && strings.HasPrefix(b, a) {
				t.Errorf("label %q is a prefix of %q", a, b)
			}
		}
	}
}

func TestRootsAreApart(t *testing.T) {
	keys := TestKeys()
	seen := map[string]int{}
	for i := range 3 {
		keys.useRoot(i, func(root []byte) {
			if bytes.Equal(root, make([]byte, keySize)) {
				t.Errorf("root %d is zero", i)
			}
			if j, ok := seen[string(root)]; ok {
				t.Errorf("roots %d and %d are equal", i, j)
			}
			seen[string(root)] = i
		})
	}
}

func TestCommitment(t *testing.T) {
	keys := TestKeys()
	base := keys.Segment(1, 1, Salt{1}, AES256GCM).Commitment()
	if base != keys.Segment(1, 1, Salt{1}, AES256GCM).Commitment() {
		t.Fatal("the commitment of one key changes")
	}
	for what, s := range map[string]*SegmentKey{
		"number": keys.Segment(2, 1, Salt{1}, AES256GCM),
		"epoch":  keys.Segment(1, 2, Salt{1}, AES256GCM),
		"salt":   keys.Segment(1, 1, Salt{2}, AES256GCM),
		"suite":  keys.Segment(1, 1, Salt{1}, ChaCha20Poly1305),
		"key":    NewVolumeKey().Derive(keys.Volume()).Segment(1, 1, Salt{1}, AES256GCM),
	} {
		if s.Commitment() == base {
			t.Errorf("%s is not part of the commitment", what)
		}
	}
}

func TestNameHash(t *testing.T) {
	k := TestKeys()
	long := strings.Repeat("x", 255)
	seen := map[uint64]string{}
	for _, parent := range []uint64{1, 2, 1 << 40} {
		for _, name := range []string{"a", "b", "ab", long, long[:254], long[:64], long[:65], "\x00"} {
			h, what := k.NameHash(parent, name), fmt.Sprintf("%d/%q", parent, name)
			if other, ok := seen[h]; ok {
				t.Errorf("%s and %s have one hash", what, other)
			}
			if seen[h] = what; h != k.NameHash(parent, name) {
				t.Errorf("the hash of %s changes", what)
			}
		}
	}
	if NewVolumeKey().Derive(k.Volume()).NameHash(1, "a") == k.NameHash(1, "a") {
		t.Error("the hash does not depend on the key")
	}
}

func TestNameHashDoesNotAllocate(t *testing.T) {
	k := TestKeys()
	if n := testing.AllocsPerRun(1000, func() { k.NameHash(5, "some name of a file") }); n >= 1 && !raceEnabled {
		t.Errorf("%v allocations a hash", n)
	}
}

func TestIndexValue(t *testing.T) {
	x := TestKeys().Index(Salt{1})
	for _, n := range []int{0, 1, 100, 5000} {
		plain := noise(n)
		sealed := x.SealValue([]byte("before"), []byte("place"), plain)
		sealed, ok := bytes.CutPrefix(sealed, []byte("before"))
		if !ok || len(sealed) != n+ValueOverhead {
			t.Fatalf("SealValue did not append %d bytes", n+ValueOverhead)
		}
		got, err := x.OpenValue([]byte("before"), []byte("place"), sealed)
		if err != nil || !bytes.Equal(got, append([]byte("before"), plain...)) {
			t.Fatalf("value of %d bytes: error %v or other bytes", n, err)
		}
	}
}

func TestIndexValueOfAnotherPlace(t *testing.T) {
	x := TestKeys().Index(Salt{1})
	sealed := x.SealValue(nil, []byte("place"), []byte("value"))
	closed := func(what string, x *IndexKey, place, sealed []byte) {
		t.Helper()
		if got, err := x.OpenValue(nil, place, sealed); !errors.Is(err, ErrAuth) || got != nil {
			t.Errorf("%s: %q, error %v", what, got, err)
		}
	}
	closed("place", x, []byte("placf"), sealed)
	closed("no place", x, nil, sealed)
	closed("salt", TestKeys().Index(Salt{2}), []byte("place"), sealed)
	closed("key", NewVolumeKey().Derive(TestKeys().Volume()).Index(Salt{1}), []byte("place"), sealed)
	for n := range sealed {
		closed(fmt.Sprintf("cut to %d", n), x, []byte("place"), sealed[:n])
	}
	for bit := range len(sealed) * 8 {
		flipped := bytes.Clone(sealed)
		flipped[bit/8] ^= 1 << (bit % 8)
		closed(fmt.Sprintf("bit %d flipped", bit), x, []byte("place"), flipped)
	}
}

// K6: no key in a log line.
func TestSecretsDoNotPrint(t *testing.T) {
	key := NewVolumeKey()
	keys := key.Derive(VolumeID{1})
	for _, secret := range []any{key, keys, keys.Segment(1, 1, Salt{}, AES256GCM), keys.Index(Salt{})} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
			if got := fmt.Sprintf(verb, secret); !strings.HasSuffix(got, "(secret)") {
				t.Errorf("%s of %T prints %s", verb, secret, got)
			}
		}
	}
}

func TestWipedKeyPanics(t *testing.T) {
	key := NewVolumeKey()
	keys := key.Derive(VolumeID{1})
	key.Wipe()
	key.Wipe()
	if keys.NameHash(1, "a") == 0 {
		t.Error("derived keys are gone with the volume key")
	}
	defer func() {
		if recover() == nil {
			t.Error("a wiped key derived something")
		}
	}()
	key.Derive(VolumeID{1})
}

func BenchmarkIndexValue(b *testing.B) {
	x := TestKeys().Index(Salt{})
	for _, n := range []int{200, 4096} {
		plain, place := noise(n), []byte("p/0123456789abcdef")
		sealed := x.SealValue(nil, place, plain)
		b.Run(fmt.Sprintf("Seal/%d", n), func(b *testing.B) {
			bench(b, n, func() error { x.SealValue(sealed[:0], place, plain); return nil })
		})
		sealed = x.SealValue(nil, place, plain)
		b.Run(fmt.Sprintf("Open/%d", n), func(b *testing.B) {
			bench(b, n, func() error { _, err := x.OpenValue(plain[:0], place, sealed); return err })
		})
	}
}

func BenchmarkDerive(b *testing.B) {
	k, s := TestKeys(), testSegment(AES256GCM)
	b.Run("Segment", func(b *testing.B) {
		bench(b, 0, func() error { k.Segment(1, 1, Salt{}, AES256GCM); return nil })
	})
	b.Run("NameHash", func(b *testing.B) {
		bench(b, 0, func() error { k.NameHash(1, "name"); return nil })
	})
	b.Run("frame", func(b *testing.B) {
		bench(b, 0, func() error {
			m := s.macs.get()
			s.frameKey(m, Place{Kind: 1, Offset: 5, Length: 5})
			s.macs.put(m)
			return nil
		})
	})
}
