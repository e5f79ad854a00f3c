package seal

import (
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"slices"

	"golang.org/x/crypto/chacha20poly1305"
)

// ValueOverhead is how many bytes longer a sealed value is than its plaintext: nonce 24, tag 16.
const ValueOverhead = chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead

// IndexKey seals and opens the values of one index. Safe for concurrent use.
//
// A sealed value is XChaCha20-Poly1305 with the place as associated data:
//
//	offset  size  field
//	     0    24  random nonce
//	    24     n  ciphertext
//	  24+n    16  tag
//
// One key seals every value an index ever has, also when the index is as old as the volume, so the nonce must be long
// enough to be drawn at random for ever: see "Nonces" in the package comment.
type IndexKey struct{ aead cipher.AEAD }

func newIndexKey(key []byte) *IndexKey {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		panic(fmt.Sprintf("seal: index key: %v", err)) // only for a key of another size
	}
	return &IndexKey{aead}
}

// Format keeps the key out of every log line, whatever the verb.
func (x *IndexKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, "seal.IndexKey(secret)") }

// SealValue appends the sealed form of plain, bound to place (the bucket and key it is stored under), to dst. plain may be
// empty. It allocates only if dst has no room for len(plain) + ValueOverhead more; plain and that room must not overlap.
func (x *IndexKey) SealValue(dst, place, plain []byte) []byte {
	dst = slices.Grow(dst, len(plain)+ValueOverhead)
	nonce := dst[len(dst) : len(dst)+chacha20poly1305.NonceSizeX]
	rand.Read(nonce) // never fails: crypto/rand ends the process instead
	return x.aead.Seal(dst[:len(dst)+len(nonce)], nonce, plain, place)
}

// OpenValue appends the plaintext of sealed to dst. ErrAuth if it was not sealed for this place. On error it returns nil.
// sealed and the spare room of dst must not overlap.
//
// NB: an old value of the same place is authentic too. Where that matters, the place must say which value it is.
func (x *IndexKey) OpenValue(dst, place, sealed []byte) ([]byte, error) {
	if len(sealed) < ValueOverhead {
		return nil, fmt.Errorf("open value of %d bytes: %w", len(sealed), ErrAuth)
	}
	nonce := sealed[:chacha20poly1305.NonceSizeX]
	plain, err := x.aead.Open(dst, nonce, sealed[len(nonce):], place)
	if err != nil {
		return nil, fmt.Errorf("open value: %w", ErrAuth)
	}
	return plain, nil
}
