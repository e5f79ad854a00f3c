package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"
)

// dareOracle seals as DARE 2.0 does, with a random value of our choice: a second implementation to hold sio to, and the
// only way to have fixed bytes, since Seal never lets anyone choose.
func dareOracle(t testing.TB, key []byte, suite Suite, random [12]byte, plain []byte) (out []byte) {
	t.Helper()
	aead := aeadOf(t, key, suite)
	for i := 0; len(plain) > 0; i++ {
		n := min(len(plain), packageSize)
		header := append([]byte{0x20, byte(suite)}, binary.LittleEndian.AppendUint16(nil, uint16(n-1))...)
		header = append(header, random[:]...)
		if header[4] &= 0x7f; n == len(plain) {
			header[4] |= 0x80
		}
		nonce := bytes.Clone(header[4:])
		binary.LittleEndian.PutUint32(nonce[8:], binary.LittleEndian.Uint32(nonce[8:])^uint32(i))
		out = aead.Seal(append(out, header...), nonce, plain[:n], header[:4])
		plain = plain[n:]
	}
	return out
}

func aeadOf(t testing.TB, key []byte, suite Suite) cipher.AEAD {
	t.Helper()
	if suite == ChaCha20Poly1305 {
		aead, err := chacha20poly1305.New(key)
		if err != nil {
			t.Fatal(err)
		}
		return aead
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	return aead
}

// keyOf is the frame key at p, to keep.
func keyOf(s *SegmentKey, p Place) []byte {
	m := s.macs.get()
	defer s.macs.put(m)
	return bytes.Clone(s.frameKey(m, p))
}

// TestSealIsDARE compares what Seal makes with the oracle, given the random value that Seal drew.
func TestSealIsDARE(t *testing.T) {
	for _, suite := range []Suite{AES256GCM, ChaCha20Poly1305} {
		s := testSegment(suite)
		for _, n := range sizes {
			p := Place{Kind: 3, Offset: 77, Length: uint32(n)}
			sealed := mustSeal(t, s, p, noise(n))
			want := dareOracle(t, keyOf(s, p), suite, [12]byte(sealed[4:16]), noise(n))
			if !bytes.Equal(sealed, want) {
				t.Errorf("%v, %d bytes: Seal and the oracle differ", suite, n)
			}
		}
	}
}

// TestForgedStreams has streams under the right key that Seal never makes.
func TestForgedStreams(t *testing.T) {
	s, n := testSegment(AES256GCM), packageSize+100
	p := Place{Kind: 1, Offset: 64, Length: uint32(n)}
	key, plain := keyOf(s, p), noise(n)
	a := dareOracle(t, key, AES256GCM, [12]byte{1}, plain)
	b := dareOracle(t, key, AES256GCM, [12]byte{2}, plain)
	mixed := append(bytes.Clone(a[:sealedPackage]), b[sealedPackage:]...)
	opensNowhere(t, s, p, mixed, "packages of two streams")

	first := dareOracle(t, key, AES256GCM, [12]byte{1}, plain[:packageSize]) // final after one package
	second := dareOracle(t, key, AES256GCM, [12]byte{1}, plain[packageSize:])
	opensNowhere(t, s, p, append(first, second...), "two streams one behind the other")
}

// FuzzOpen feeds Open and OpenRange with any bytes under a known key.
func FuzzOpen(f *testing.F) {
	s := testSegment(AES256GCM)
	key := keyOf(s, Place{Kind: 1, Offset: 64, Length: 40})
	sealed := dareOracle(f, key, AES256GCM, [12]byte{1}, noise(40)) // the same in every process that fuzzes
	f.Add(sealed, uint32(40))
	f.Add(sealed[:16], uint32(1))
	f.Add([]byte{}, uint32(0))
	f.Add(bytes.Repeat([]byte{0x20}, 33), uint32(1))
	f.Fuzz(func(t *testing.T, data []byte, length uint32) {
		p := Place{Kind: 1, Offset: 64, Length: length}
		got, err := s.Open(nil, p, data)
		if err == nil {
			again := dareOracle(t, keyOf(s, p), AES256GCM, [12]byte(data[4:16]), got)
			if !bytes.Equal(again, data) {
				t.Fatal("what opened is not what is sealed")
			}
			return
		}
		if got != nil {
			t.Fatal("bytes beside an error")
		}
		if uint64(length) > MaxFrame || len(data) > SealedSize(int(length)) {
			return // a range does not see what follows its frame
		}
		part := make([]byte, min(length, 100))
		off := int(length) - len(part)
		if err := s.OpenRange(part, p, bytes.NewReader(data), off); err == nil && len(part) > 0 && off < packageSize {
			t.Fatalf("a range of %d bytes opened, the frame does not", length)
		}
	})
}
