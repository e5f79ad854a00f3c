package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"time"

	"dfsmount/seal"
)

// Footer ends a sealed segment; it is a frame itself (sealed), found through the trailer in one ranged read of the tail.
type Footer struct {
	Frames     []FrameInfo
	FirstSeq   uint64   // of the first commit in this segment; 0 if it holds none
	LastSeq    uint64   // of the last commit up to the end of this segment, in it or before it
	Changes    []Change // of all commits in this segment merged: the last change of each key, sorted
	Prev       [32]byte // SHA-256 over footer and trailer bytes of the segment before; zero for segment 1
	PrevEpoch  uint64   // epoch of the segment before
	Checkpoint Location // newest manifest in the log up to here; zero if none
	Sealed     time.Time
}

// footerBound is the most bytes a footer's plaintext takes: fixed fields, frames, changes.
func footerBound(frames int, changes int64) int64 { return 160 + 6*int64(frames) + changes }

// tailBound is what a footer of so many bytes and the trailer take in a segment.
func tailBound(footer int64) int64 { return FrameSize(int(footer)) + trailerSize }

// appendFooter writes the plaintext of a footer, not compressed. Frames stand without gaps: their offsets follow.
func appendFooter(b []byte, f *Footer) ([]byte, error) {
	b = append(b, bodyRaw)
	b = binary.AppendUvarint(b, f.FirstSeq)
	b = binary.AppendUvarint(b, f.LastSeq)
	b = append(b, f.Prev[:]...)
	b = binary.AppendUvarint(b, f.PrevEpoch)
	b = binary.AppendUvarint(b, uint64(f.Checkpoint.Segment))
	b = binary.AppendUvarint(b, uint64(f.Checkpoint.Offset))
	b = binary.AppendUvarint(b, uint64(f.Checkpoint.Length))
	b = appendTime(b, f.Sealed)
	b = binary.AppendUvarint(b, uint64(len(f.Frames)))
	for _, fr := range f.Frames {
		b = append(b, byte(fr.Kind))
		b = binary.AppendUvarint(b, uint64(fr.Length))
	}
	return appendChanges(b, f.Changes)
}

// decodeFooter reads what appendFooter and pack wrote.
func decodeFooter(plain []byte) (Footer, error) {
	body, err := unpack(plain)
	if err != nil {
		return Footer{}, err
	}
	d := decoder{rest: body}
	f := Footer{FirstSeq: d.uvarint(), LastSeq: d.uvarint()}
	copy(f.Prev[:], d.take(32))
	f.PrevEpoch = d.uvarint()
	f.Checkpoint.Segment = ID(d.uvarint())
	f.Checkpoint.Offset = uint32(d.upTo(math.MaxUint32, "offset"))
	f.Checkpoint.Length = uint32(d.upTo(math.MaxUint32, "length"))
	f.Sealed = d.time()
	f.Frames = d.frames()
	f.Changes = d.changes()
	if d.err == nil && !sortedKeys(f.Changes) {
		d.fail(errors.New("keys are not in order"))
	}
	if err := d.end(); err != nil {
		return Footer{}, fmt.Errorf("decode footer: %w", err)
	}
	return f, nil
}

func (d *decoder) frames() []FrameInfo {
	const least = 2 // bytes a frame takes
	n := d.upTo(uint64(len(d.rest)/least), "number of frames")
	frames := make([]FrameInfo, 0, n)
	next := int64(headerSize)
	for range n {
		f := FrameInfo{Kind: seal.Kind(d.byte()), Offset: uint32(next), Length: uint32(d.upTo(MaxPlain, "length of a frame"))}
		next = f.End()
		switch {
		case d.err != nil:
			return nil
		case !knownKind(f.Kind) || f.Kind == KindFooter:
			d.fail(fmt.Errorf("kind %d in the table of frames is %w", f.Kind, ErrUnknown))
		case f.Length == 0:
			d.fail(errors.New("a frame is empty"))
		case next > MaxSize:
			d.fail(fmt.Errorf("frames have over %d bytes", uint32(MaxSize)))
		}
		frames = append(frames, f)
	}
	return frames
}

func sortedKeys(changes []Change) bool {
	for i := 1; i < len(changes); i++ {
		if bytes.Compare(changes[i-1].Key, changes[i].Key) >= 0 {
			return false
		}
	}
	return true
}

// framesEnd is where the footer of a segment with these frames is.
func framesEnd(frames []FrameInfo) int64 {
	if len(frames) == 0 {
		return headerSize
	}
	return frames[len(frames)-1].End()
}

// checkFooter holds an authentic footer against the header and its own place.
func checkFooter(h *Header, f *Footer, offset int64) error {
	last := h.FirstSeq - 1
	if f.FirstSeq != 0 {
		if f.FirstSeq != h.FirstSeq || f.LastSeq < f.FirstSeq {
			return fmt.Errorf("holds commits %d to %d, but the header says they start at %d", f.FirstSeq, f.LastSeq, h.FirstSeq)
		}
	} else if f.LastSeq != last {
		return fmt.Errorf("holds no commit, but the last one is %d and the header says %d", f.LastSeq, last)
	}
	if end := framesEnd(f.Frames); end != offset {
		return fmt.Errorf("its frames end at %d", end)
	}
	return nil
}

const (
	trailerMagic = "DFSEND"
	trailerSize  = 24
)

// trailer is the end of a sealed segment and says where its footer is.
type trailer struct {
	offset uint32 // of the footer
	size   uint32 // of the footer, as a frame
	tag    [4]byte
}

func (t trailer) append(b []byte) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint16(append(b, trailerMagic...), version)
	b = binary.BigEndian.AppendUint32(b, t.offset)
	b = binary.BigEndian.AppendUint32(b, t.size)
	b = append(b, t.tag[:]...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

// parseTrailer reads the last trailerSize bytes of a segment of size bytes.
func parseTrailer(b []byte, size int64, number ID) (trailer, error) {
	if len(b) != trailerSize {
		return trailer{}, damaged(number, "%d bytes are no trailer: %w", len(b), io.ErrUnexpectedEOF)
	}
	if binary.BigEndian.Uint32(b[20:]) != crc32.Checksum(b[:20], castagnoli) || string(b[:6]) != trailerMagic {
		return trailer{}, damaged(number, "does not end as a sealed segment does")
	}
	if v := binary.BigEndian.Uint16(b[6:]); v != version {
		return trailer{}, fmt.Errorf("segment %d: trailer version %d is %w", number, v, ErrUnknown)
	}
	t := trailer{binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint32(b[12:]), [4]byte(b[16:20])}
	if t.offset < headerSize || t.size <= frameHeaderSize || int64(t.offset)+int64(t.size)+trailerSize != size {
		return trailer{}, damaged(number, "the trailer says that %d bytes at %d are the footer, of %d", t.size, t.offset, size)
	}
	return t, nil
}
