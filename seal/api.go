// Package seal holds the keys of a volume and is the only code that encrypts or decrypts.
package seal

// VolumeID names a volume. Random, public.
type VolumeID [16]byte

// Kind of a frame; part of the frame's key, so a frame of one kind never opens as another.
type Kind uint8

// Salt makes the keys of a segment (or of an index) its own. Random, public, never reused.
type Salt [16]byte

// Suite is the AEAD of a segment, as DARE 2.0 numbers them.
type Suite uint8

const (
	AES256GCM        Suite = 0
	ChaCha20Poly1305 Suite = 1
)

// Place is what a frame's key is bound to besides its segment.
type Place struct {
	Kind   Kind
	Offset uint64 // of the frame in its segment
	Length uint32 // of the plaintext, 1 … 2^31
}

// Keys are all keys derived from one volume key. Safe for concurrent use.
type Keys struct{ stub }

// SegmentKey seals and opens the frames of one segment. Safe for concurrent use.
type SegmentKey struct{ stub }

// IndexKey seals and opens the values of one index. Safe for concurrent use.
type IndexKey struct{ stub }

type stub struct{}

// TestKeys returns keys made from a fixed volume key, for tests of other packages.
func TestKeys() *Keys { panic("stub") }

// Volume returns the id of the volume these keys belong to.
func (k *Keys) Volume() VolumeID { panic("stub") }

// Segment derives the key of the segment with this number, epoch and salt.
func (k *Keys) Segment(number, epoch uint64, salt Salt, suite Suite) *SegmentKey { panic("stub") }

// Commitment is stored in the segment's header: it proves that this and no other key made the segment, which
// AES-GCM and ChaCha20-Poly1305 by themselves do not (they are not key-committing).
func (s *SegmentKey) Commitment() [16]byte { panic("stub") }

// SealedSize is the number of bytes Seal makes of n bytes of plaintext.
func SealedSize(n int) int { panic("stub") }

// Seal appends the sealed form of plain (not empty, len(plain) == p.Length) to dst and returns it.
func (s *SegmentKey) Seal(dst []byte, p Place, plain []byte) ([]byte, error) { panic("stub") }

// Open appends the plaintext of sealed to dst. ErrAuth if sealed was not made by Seal for this very place.
// On error nothing of the plaintext is returned.
func (s *SegmentKey) Open(dst []byte, p Place, sealed []byte) ([]byte, error) { panic("stub") }

// OpenRange writes plaintext bytes [off, off+len(dst)) of the frame at p to dst, reading from r (offset 0 = first
// sealed byte) only the 64 KiB packages it needs. Every byte returned is authenticated.
// func (s *SegmentKey) OpenRange(dst []byte, p Place, r io.ReaderAt, off int) error

// Index derives the key of an index from its salt.
func (k *Keys) Index(salt Salt) *IndexKey { panic("stub") }

// SealValue appends the sealed form of plain, bound to place (the bucket and key it is stored under), to dst.
func (x *IndexKey) SealValue(dst, place, plain []byte) []byte { panic("stub") }

// OpenValue is the inverse; ErrAuth if it was not sealed for this place.
func (x *IndexKey) OpenValue(dst, place, sealed []byte) ([]byte, error) { panic("stub") }

// NameHash is the keyed hash of a name in a directory: 64 bits of HMAC-SHA-256.
func (k *Keys) NameHash(parent uint64, name string) uint64 { panic("stub") }
