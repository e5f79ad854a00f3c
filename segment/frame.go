package segment

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"sync"

	"dfsmount/seal"
)

const (
	frameHeaderSize = 16
	// MaxPlain is the most plaintext a frame holds, in bytes.
	MaxPlain = 256 << 20
	// MaxSize is the most bytes a segment has, footer and trailer included.
	MaxSize = math.MaxUint32
)

// FrameInfo describes one frame of a segment.
type FrameInfo struct {
	Kind   seal.Kind
	Offset uint32
	Length uint32 // of the plaintext
}

// FrameSize is the number of bytes a frame of n bytes of plaintext takes in a segment.
func FrameSize(n int) int64 { return frameHeaderSize + int64(seal.SealedSize(n)) }

// End is the offset behind the frame.
func (f FrameInfo) End() int64 { return int64(f.Offset) + FrameSize(int(f.Length)) }

func (f FrameInfo) place() seal.Place {
	return seal.Place{Kind: f.Kind, Offset: uint64(f.Offset), Length: f.Length}
}

// appendFrame appends the frame f with this plaintext to dst.
func appendFrame(dst []byte, tag [4]byte, key *seal.SegmentKey, f FrameInfo, plain []byte) ([]byte, error) {
	start := len(dst)
	dst = append(dst, tag[:]...)
	dst = append(dst, byte(f.Kind), 0, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, f.Length)
	dst = append(dst, 0, 0, 0, 0)
	dst, err := key.Seal(dst, f.place(), plain)
	if err != nil {
		return nil, err
	}
	binary.BigEndian.PutUint32(dst[start+12:], frameSum(dst[start:]))
	return dst, nil
}

// frameSum is over the whole frame but the sum itself.
func frameSum(frame []byte) uint32 {
	sum := crc32.Checksum(frame[:12], castagnoli)
	return crc32.Update(sum, castagnoli, frame[frameHeaderSize:])
}

// parseFrameHeader tells what frame seems to start with b, at offset; ok is false if none of this segment does. Its checksum
// is still to be compared. A kind that we do not know is left to the caller.
func parseFrameHeader(b []byte, tag [4]byte, offset int64) (f FrameInfo, ok bool) {
	if len(b) < frameHeaderSize || !bytes.Equal(b[:4], tag[:]) || !isZero(b[5:8]) || b[4] == byte(kindHeader) {
		return FrameInfo{}, false
	}
	f = FrameInfo{Kind: seal.Kind(b[4]), Offset: uint32(offset), Length: binary.BigEndian.Uint32(b[8:])}
	return f, f.Length > 0 && f.Length <= MaxPlain && offset <= MaxSize
}

// sums tells whether the checksum of a whole frame holds.
func sums(frame []byte) bool {
	return binary.BigEndian.Uint32(frame[12:]) == frameSum(frame)
}

// buffers recycles memory for frames on their way to or from the disk. Large ones are left to the garbage collector:
// a footer of some MiB must not stay for ever.
type buffers struct{ pool sync.Pool }

const keepBuffer = 2 << 20

var frameBuffers = buffers{sync.Pool{New: func() any { return new([]byte) }}}

// get returns an empty slice with room for n bytes, and what put wants back.
func (p *buffers) get(n int) *[]byte {
	b := p.pool.Get().(*[]byte)
	if cap(*b) < n {
		*b = make([]byte, 0, n)
	}
	*b = (*b)[:0]
	return b
}

func (p *buffers) put(b *[]byte) {
	if cap(*b) <= keepBuffer {
		p.pool.Put(b)
	}
}
