package segment

import (
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Flags in the first byte of a commit's or footer's plaintext.
const (
	bodyRaw  byte = 0
	bodyZstd byte = 1
)

const (
	packFrom = 4 << 10 // bytes from which on compression is worth its time
	maxRatio = 1024    // of raw to packed: what decoding may allocate for each byte it was given
)

var (
	encoder = sync.OnceValues(func() (*zstd.Encoder, error) {
		return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
			zstd.WithSingleSegment(true), zstd.WithEncoderCRC(false))
	})
	decompressor = sync.OnceValues(func() (*zstd.Decoder, error) {
		return zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxBody),
			zstd.WithDecodeAllCapLimit(true))
	})
)

// pack compresses a plaintext that starts with bodyRaw, if that makes it smaller by a twentieth at least.
func pack(plain []byte) ([]byte, error) {
	body := plain[1:]
	if len(body) < packFrom {
		return plain, nil
	}
	enc, err := encoder()
	if err != nil {
		return nil, fmt.Errorf("start compressor: %w", err)
	}
	packed := make([]byte, 0, len(body)/2)
	packed = binary.AppendUvarint(append(packed, bodyZstd), uint64(len(body)))
	packed = enc.EncodeAll(body, packed)
	if len(packed) > len(body)/20*19 || len(body)/maxRatio >= len(packed) {
		return plain, nil
	}
	return packed, nil
}

// unpack returns the body of a plaintext.
func unpack(plain []byte) ([]byte, error) {
	switch {
	case len(plain) == 0:
		return nil, errShortBody
	case plain[0] == bodyRaw:
		return plain[1:], nil
	case plain[0] != bodyZstd:
		return nil, fmt.Errorf("flag %#x is %w", plain[0], ErrUnknown)
	}
	d := decoder{rest: plain[1:]}
	n := d.upTo(min(maxBody, maxRatio*uint64(len(plain))), "length of the body")
	if d.err != nil {
		return nil, d.err
	}
	dec, err := decompressor()
	if err != nil {
		return nil, fmt.Errorf("start decompressor: %w", err)
	}
	body, err := dec.DecodeAll(d.rest, make([]byte, 0, n))
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	if uint64(len(body)) != n {
		return nil, fmt.Errorf("decompressed to %d bytes, want %d", len(body), n)
	}
	return body, nil
}
