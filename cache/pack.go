package cache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// A packed body is what the frames of a checkpoint hold: a byte that says how, then the body, or its length as a uvarint and the body
// compressed by zstd. The bytes are on other people's disks.
const (
	packRaw  byte = 0
	packZstd byte = 1
)

const (
	maxUnpacked = 64 << 20 // what one frame may unpack to, whatever it says
	maxRatio    = 1024     // and for each of its bytes
)

var errPacked = errors.New("malformed body of a checkpoint frame")

var (
	compressor = sync.OnceValues(func() (*zstd.Encoder, error) {
		return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
			zstd.WithSingleSegment(true), zstd.WithEncoderCRC(false))
	})
	decompressor = sync.OnceValues(func() (*zstd.Decoder, error) {
		return zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxUnpacked),
			zstd.WithDecodeAllCapLimit(true))
	})
)

// pack compresses body if that saves a twentieth at least.
func pack(body []byte) ([]byte, error) {
	enc, err := compressor()
	if err != nil {
		return nil, fmt.Errorf("start compressor: %w", err)
	}
	out := binary.AppendUvarint([]byte{packZstd}, uint64(len(body)))
	out = enc.EncodeAll(body, out)
	if len(out) > len(body)/20*19 || len(body)/maxRatio >= len(out) {
		return append([]byte{packRaw}, body...), nil
	}
	return out, nil
}

// unpack is the inverse.
func unpack(b []byte) ([]byte, error) {
	r := reader{b: b}
	switch how := r.byte(); {
	case r.err != nil:
		return nil, errPacked
	case how == packRaw:
		return r.b, nil
	case how != packZstd:
		return nil, fmt.Errorf("%w: packed in a way this version does not know (%d)", errPacked, how)
	}
	n := r.uvarint()
	if r.err != nil || n > maxUnpacked || n/maxRatio >= uint64(len(b)) {
		return nil, errPacked
	}
	dec, err := decompressor()
	if err != nil {
		return nil, fmt.Errorf("start decompressor: %w", err)
	}
	body, err := dec.DecodeAll(r.b, make([]byte, 0, n))
	if err != nil || uint64(len(body)) != n {
		return nil, fmt.Errorf("%w: %d of %d bytes, %v", errPacked, len(body), n, err)
	}
	return body, nil
}
