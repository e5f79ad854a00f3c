package seal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/minio/sio"
)

// Kind of a frame; part of the frame's key, so a frame of one kind never opens as another.
type Kind uint8

// Place is what a frame's key is bound to besides its segment.
type Place struct {
	Kind   Kind
	Offset uint64 // of the frame in its segment, in bytes
	Length uint32 // of the plaintext, in bytes: 1 … MaxFrame
}

// MaxFrame is the most plaintext one frame can hold, in bytes.
const MaxFrame = 1 << 31

const (
	packageSize     = 1 << 16                       // plaintext of every DARE package but the last
	packageOverhead = 32                            // header 16, tag 16
	sealedPackage   = packageSize + packageOverhead // a full package, sealed
)

// SegmentKey seals and opens the frames of one segment. Safe for concurrent use.
type SegmentKey struct {
	suites []byte // the one suite, in the form sio wants it
	macs   macPool
}

func newSegmentKey(prk []byte, suite Suite) *SegmentKey {
	return &SegmentKey{suites: []byte{byte(suite)}, macs: newMACPool(prk)}
}

// Format keeps the key out of every log line, whatever the verb.
func (s *SegmentKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, "seal.SegmentKey(secret)") }

// Commitment is stored in the segment's header: it proves that this and no other key made the segment, which
// AES-GCM and ChaCha20-Poly1305 by themselves do not (they are not key-committing). It tells nothing of the key.
func (s *SegmentKey) Commitment() [16]byte {
	m := s.macs.get()
	defer s.macs.put(m)
	in := append(m.in[:0], labelCommit...)
	m.hash.Write(append(in, 1))
	return [16]byte(m.sum()[:16])
}

// frameKey derives the key of the frame at p into m: HKDF-Expand of one block.
func (s *SegmentKey) frameKey(m *mac, p Place) []byte {
	in := append(m.in[:0], labelFrame...)
	in = append(in, byte(p.Kind))
	in = binary.BigEndian.AppendUint64(in, p.Offset)
	in = binary.BigEndian.AppendUint32(in, p.Length)
	m.hash.Write(append(in, 1))
	return m.sum()
}

// config is what sio is called with everywhere. Min and Max forbid DARE 1.0, which does not notice truncation; one suite,
// or a node could choose; Nonce and Rand stay nil, so that every stream gets a random nonce of its own.
func (s *SegmentKey) config(key []byte) sio.Config {
	return sio.Config{MinVersion: sio.Version20, MaxVersion: sio.Version20, CipherSuites: s.suites, Key: key}
}

// SealedSize is the number of bytes Seal makes of n bytes of plaintext, 0 ≤ n ≤ MaxFrame.
func SealedSize(n int) int {
	return n + (n+packageSize-1)/packageSize*packageOverhead
}

func (p Place) check() error {
	if p.Length == 0 || p.Length > MaxFrame {
		return fmt.Errorf("seal: a frame of %d bytes, want 1 to %d", p.Length, MaxFrame)
	}
	return nil
}

// Seal appends the sealed form of plain (not empty, len(plain) == p.Length) to dst and returns it. It allocates
// only if dst has no room for SealedSize(len(plain)) more. plain and the spare room of dst must not overlap. On error
// it returns nil.
//
// The caller promises to call it once for every place of a segment: see "Nonces" in the package comment.
func (s *SegmentKey) Seal(dst []byte, p Place, plain []byte) ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	if uint64(len(plain)) != uint64(p.Length) {
		return nil, fmt.Errorf("seal: %d bytes for a frame of %d", len(plain), p.Length)
	}
	m := s.macs.get()
	defer s.macs.put(m)
	out := &appender{slices.Grow(dst, SealedSize(len(plain)))}
	w, err := sio.EncryptWriter(out, s.config(s.frameKey(m, p)))
	if err != nil {
		return nil, fmt.Errorf("seal frame: %w", err)
	}
	if _, err := w.Write(plain); err != nil {
		return nil, fmt.Errorf("seal frame: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("seal frame: %w", err)
	}
	if n := len(out.b) - len(dst); n != SealedSize(len(plain)) {
		return nil, fmt.Errorf("seal frame: %d sealed bytes, want %d", n, SealedSize(len(plain)))
	}
	return out.b, nil
}

// appender is an io.Writer and no io.Closer: sio closes a destination that can be closed.
type appender struct{ b []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.b = append(a.b, p...)
	return len(p), nil
}

// Open appends the plaintext of sealed to dst. ErrAuth if sealed was not made by Seal for this very place.
// On error it returns nil, and nothing of the plaintext is left in dst's spare room. It allocates only if dst has no
// room for p.Length more. sealed and the spare room of dst must not overlap.
func (s *SegmentKey) Open(dst []byte, p Place, sealed []byte) ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	// Also keeps sio from its panic on inputs that are shorter than a package's header.
	if len(sealed) != SealedSize(int(p.Length)) {
		return nil, fmt.Errorf("open frame: %d sealed bytes, want %d: %w", len(sealed), SealedSize(int(p.Length)), ErrAuth)
	}
	m := s.macs.get()
	defer s.macs.put(m)
	dst = slices.Grow(dst, int(p.Length))
	plain, err := sio.DecryptBuffer(dst, sealed, s.config(s.frameKey(m, p)))
	if err == nil && len(plain) != len(dst)+int(p.Length) {
		err = ErrAuth
	}
	if err != nil {
		// Packages before the one that failed are in the spare room by now.
		clear(dst[len(dst) : len(dst)+int(p.Length)])
		return nil, fmt.Errorf("open frame: %w", authError(err))
	}
	return plain, nil
}

// authError turns what sio says of bytes that are not authentic into ErrAuth, and leaves everything else alone.
func authError(err error) error {
	if _, ok := errors.AsType[sio.Error](err); ok {
		return ErrAuth
	}
	return err
}
