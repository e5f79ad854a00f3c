package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/minio/sio"
)

// rangeChunk is how many packages OpenRange reads at once at most: 1 MiB.
const rangeChunk = 16

// OpenRange writes plaintext bytes [off, off+len(dst)) of the frame at p to dst, reading from r (offset 0 = first
// sealed byte) only the 64 KiB packages it needs, up to 1 MiB of them with one ReadAt. Every byte returned is
// authenticated. ErrAuth if the sealed bytes were not made by Seal for this very place, or r ends too soon; errors of r are
// passed on. On error dst holds zeros. r is not used after the return.
//
// NB: sio.DecryptReaderAt would do, but at an exact package border it opens the package before as well, reads package by package,
// and knows no end: a frame followed by another one fails.
func (s *SegmentKey) OpenRange(dst []byte, p Place, r io.ReaderAt, off int) error {
	if err := p.check(); err != nil {
		return err
	}
	if off < 0 || off > int(p.Length) || len(dst) > int(p.Length)-off {
		return fmt.Errorf("open range: bytes %d to %d of a frame of %d", off, off+len(dst), p.Length)
	}
	m := s.macs.get()
	defer s.macs.put(m)
	key := s.frameKey(m, p)
	for rest := dst; len(rest) > 0; {
		first := off / packageSize
		n := min(len(rest), (first+rangeChunk)*packageSize-off)
		if err := s.openChunk(rest[:n], key, p, r, off); err != nil {
			clear(dst)
			return fmt.Errorf("open range: %w", err)
		}
		rest, off = rest[n:], off+n
	}
	return nil
}

// openChunk fills dst with plaintext from off on; the range touches at most rangeChunk packages.
func (s *SegmentKey) openChunk(dst, key []byte, p Place, r io.ReaderAt, off int) error {
	first, last := off/packageSize, (off+len(dst)-1)/packageSize
	begin := first * sealedPackage
	end := min((last+1)*sealedPackage, SealedSize(int(p.Length)))
	buf := chunks.Get().(*[]byte)
	defer chunks.Put(buf)
	sealed := grown(buf, end-begin)
	if err := readFull(r, sealed, int64(begin)); err != nil {
		return err
	}
	cfg := s.config(key)
	cfg.SequenceNumber = uint32(first)
	d, err := sio.DecryptReader(bytes.NewReader(sealed), cfg)
	if err != nil {
		return err
	}
	if skip := off % packageSize; skip > 0 {
		if _, err := io.CopyN(io.Discard, d, int64(skip)); err != nil {
			return authRead(err)
		}
	}
	if _, err := io.ReadFull(d, dst); err != nil {
		return authRead(err)
	}
	// Read to the end, or sio keeps a 64 KiB buffer from its pool. The error is expected: the stream goes on behind our range.
	_, _ = io.Copy(io.Discard, d)
	return nil
}

var chunks = sync.Pool{New: func() any { return new([]byte) }}

// grown returns *buf with length n, replaced by a larger one if need be.
func grown(buf *[]byte, n int) []byte {
	if cap(*buf) < n {
		*buf = make([]byte, n)
	}
	return (*buf)[:n]
}

// readFull fills b from r. A source that ends too soon has lost bytes that were there: ErrAuth.
func readFull(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	switch {
	case n == len(b):
		return nil // ReadAt may say io.EOF with the last byte
	case err == nil:
		return io.ErrNoProgress // against the contract of io.ReaderAt
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%d sealed bytes, want %d: %w", n, len(b), ErrAuth)
	}
	return fmt.Errorf("read sealed bytes: %w", err)
}

// authRead is authError for errors of a reader over bytes in memory, where an early end is a forged length.
func authRead(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrAuth
	}
	return authError(err)
}
