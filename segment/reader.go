package segment

import (
	"errors"
	"fmt"
	"io"

	"dfsmount/seal"
)

// Source is where a segment's bytes come from: a file, or ranges fetched from nodes. ReadAt may be called in parallel; it
// returns io.EOF if the segment ends before, and for no other reason.
type Source interface {
	io.ReaderAt
	Size() (int64, error)
}

// Reader opens frames of one segment. Safe for concurrent use.
type Reader struct {
	src    Source
	header Header
	key    *seal.SegmentKey
}

// OpenHeader makes a reader from the header alone: enough to open frames whose location is known, sealed or not.
func OpenHeader(src Source, keys *seal.Keys, number ID, epoch uint64) (*Reader, error) {
	b := make([]byte, headerSize)
	if err := readFull(src, b, 0, number); err != nil {
		return nil, err
	}
	return openReader(src, b, keys, number, epoch)
}

func openReader(src Source, header []byte, keys *seal.Keys, number ID, epoch uint64) (*Reader, error) {
	h, key, err := openHeader(header, keys, number)
	if err != nil {
		return nil, err
	}
	if h.Epoch != epoch {
		return nil, damaged(number, "the bytes are of epoch %d, want %d", h.Epoch, epoch)
	}
	return &Reader{src: src, header: h, key: key}, nil
}

// Header returns the segment's header.
func (r *Reader) Header() Header { return r.header }

// ReadFrame appends the plaintext of the frame at l to dst. It reads from the source once. ErrDamaged if what is there is not the
// frame that was written there; then, as on every error, it returns nil.
func (r *Reader) ReadFrame(dst []byte, kind seal.Kind, l Location) ([]byte, error) {
	f, err := r.frame(kind, l)
	if err != nil {
		return nil, err
	}
	size := int(FrameSize(int(f.Length)))
	buf := frameBuffers.get(size)
	defer frameBuffers.put(buf)
	frame := (*buf)[:size]
	if err := readFull(r.src, frame, int64(f.Offset), r.header.Number); err != nil {
		return nil, fmt.Errorf("%s at offset %d: %w", kindName(kind), f.Offset, err)
	}
	return openFrame(dst, frame, &r.header, r.key, f)
}

// frame holds a location against what can be in this segment. A place that cannot be is a mistake of the caller, or of the state
// it comes from, which was authenticated: no damage of this segment.
func (r *Reader) frame(kind seal.Kind, l Location) (FrameInfo, error) {
	switch {
	case l.Segment != r.header.Number:
		return FrameInfo{}, fmt.Errorf("read frame of segment %d from segment %d", l.Segment, r.header.Number)
	case !knownKind(kind):
		return FrameInfo{}, fmt.Errorf("read segment %d: kind %d is %w", l.Segment, kind, ErrUnknown)
	case l.Length == 0 || l.Length > MaxPlain || l.Offset < headerSize:
		return FrameInfo{}, fmt.Errorf("read segment %d: no frame of %d bytes can be at offset %d", l.Segment, l.Length, l.Offset)
	}
	return FrameInfo{Kind: kind, Offset: l.Offset, Length: l.Length}, nil
}

// openFrame appends the plaintext of a whole frame to dst.
func openFrame(dst, frame []byte, h *Header, key *seal.SegmentKey, f FrameInfo) ([]byte, error) {
	bad := func(format string, args ...any) ([]byte, error) {
		return nil, damagedFrame(h.Number, f.Kind, int64(f.Offset), format, args...)
	}
	found, ok := parseFrameHeader(frame, h.tag(), int64(f.Offset))
	switch {
	case !ok:
		return bad("no frame is there")
	case !sums(frame):
		return bad("checksum differs")
	case found != f:
		return bad("%s of %d bytes is there, want %d", kindName(found.Kind), found.Length, f.Length)
	}
	plain, err := key.Open(dst, f.place(), frame[frameHeaderSize:])
	if err != nil {
		return bad("%w", err)
	}
	return plain, nil
}

// wholeFrame is the length up to which an extent is one DARE package: no part of it can be read alone.
const wholeFrame = 64 << 10

// ReadRange fills dst with plaintext from off on of the extent at l, reading only the DARE packages it needs, with one read of the
// source up to 1 MiB. On error dst holds zeros or what it held.
func (r *Reader) ReadRange(dst []byte, l Location, off int) error {
	f, err := r.frame(KindExtent, l)
	if err != nil {
		return err
	}
	if off < 0 || len(dst) > int(l.Length) || off > int(l.Length)-len(dst) {
		return fmt.Errorf("read segment %d: bytes %d to %d of an extent of %d", l.Segment, off, off+len(dst), l.Length)
	}
	if len(dst) == 0 {
		return nil
	}
	if len(dst) == int(l.Length) {
		_, err := r.ReadFrame(dst[:0:len(dst)], KindExtent, l)
		return err
	}
	if l.Length <= wholeFrame {
		return r.readPart(dst, l, off)
	}
	err = r.key.OpenRange(dst, f.place(), sealedBytes{r, int64(f.Offset) + frameHeaderSize}, off)
	if errors.Is(err, seal.ErrAuth) {
		err = damagedFrame(l.Segment, KindExtent, int64(l.Offset), "%w", err)
	}
	return err
}

func (r *Reader) readPart(dst []byte, l Location, off int) error {
	buf := frameBuffers.get(int(l.Length))
	defer frameBuffers.put(buf)
	plain, err := r.ReadFrame(*buf, KindExtent, l)
	if err == nil {
		copy(dst, plain[off:])
	}
	return err
}

// sealedBytes is the source from the first sealed byte of a frame on.
type sealedBytes struct {
	r     *Reader
	start int64
}

func (s sealedBytes) ReadAt(p []byte, off int64) (int, error) { return s.r.src.ReadAt(p, s.start+off) }
