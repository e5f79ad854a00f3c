package segment

import (
	"bytes"
	"io"
)

// scanner reads a segment from front to back, in large pieces.
type scanner struct {
	src    io.ReaderAt
	size   int64
	number ID
	tag    [4]byte
	at     int64  // offset of buf
	buf    []byte // bytes read and not passed yet
	store  []byte
}

const scanPiece = 512 << 10

func newScanner(src Source, number ID) (*scanner, error) {
	size, err := src.Size()
	if err != nil {
		return nil, err
	}
	return &scanner{src: src, size: size, number: number}, nil
}

// bytes returns n bytes from off on, which are in the segment, until the next call.
func (s *scanner) bytes(off int64, n int) ([]byte, error) {
	if off >= s.at && off+int64(n) <= s.at+int64(len(s.buf)) {
		return s.buf[off-s.at:][:n], nil
	}
	piece := int(min(int64(max(n, scanPiece)), s.size-off))
	if cap(s.store) < piece {
		s.store = make([]byte, piece)
	}
	s.at, s.buf = off, nil
	if err := readFull(s.src, s.store[:piece], off, s.number); err != nil {
		return nil, err
	}
	s.buf = s.store[:piece]
	return s.buf[:n], nil
}

// frame returns the frame that starts at off; ok if its checksum holds.
func (s *scanner) frame(off int64) (f FrameInfo, frame []byte, ok bool, err error) {
	if s.size-off < frameHeaderSize {
		return FrameInfo{}, nil, false, nil
	}
	b, err := s.bytes(off, frameHeaderSize)
	if err != nil {
		return FrameInfo{}, nil, false, err
	}
	f, ok = parseFrameHeader(b, s.tag, off)
	if !ok || f.End() > min(s.size, MaxSize) {
		return FrameInfo{}, nil, false, nil
	}
	frame, err = s.bytes(off, int(FrameSize(int(f.Length))))
	if err != nil {
		return FrameInfo{}, nil, false, err
	}
	return f, frame, sums(frame), nil
}

// nextTag returns the next place from off on where the segment's tag stands, -1 if there is none.
func (s *scanner) nextTag(off int64) (int64, error) {
	for s.size-off >= frameHeaderSize {
		n := min(scanPiece, s.size-off)
		if have := s.at + int64(len(s.buf)) - off; off >= s.at && have >= frameHeaderSize {
			n = have // no need to read it again
		}
		b, err := s.bytes(off, int(n))
		if err != nil {
			return -1, err
		}
		if i := bytes.Index(b, s.tag[:]); i >= 0 {
			return off + int64(i), nil
		}
		off += int64(len(b) - len(s.tag) + 1)
	}
	return -1, nil
}

// zero tells whether all bytes from off to the end are.
func (s *scanner) zero(off int64) (bool, error) {
	for off < s.size {
		b, err := s.bytes(off, int(min(scanPiece, s.size-off)))
		if err != nil || !isZero(b) {
			return false, err
		}
		off += int64(len(b))
	}
	return true, nil
}
