package segment

import (
	"crypto/sha256"
	"io"

	"dfsmount/seal"
)

// Sealed tells of a segment that is complete.
type Sealed struct {
	Header Header
	Footer Footer
	Size   int64
	Hash   [32]byte // over footer and trailer: the next segment's Prev
}

// tailSize is read first of a sealed segment: most footers are in it, and a small segment as a whole.
const tailSize = 64 << 10

// OpenSealed reads header, trailer and footer and authenticates them against keys, number and epoch. It reads the source once for
// a segment up to 64 KiB, else twice, and once more if the footer is larger.
func OpenSealed(src Source, keys *seal.Keys, number ID, epoch uint64) (*Reader, Sealed, error) {
	tail, size, err := readTail(src, number)
	if err != nil {
		return nil, Sealed{}, err
	}
	header := tail
	if int64(len(tail)) < size {
		header = make([]byte, headerSize)
		if err := readFull(src, header, 0, number); err != nil {
			return nil, Sealed{}, err
		}
	}
	r, err := openReader(src, header, keys, number, epoch)
	if err != nil {
		return nil, Sealed{}, err
	}
	end, err := footerBytes(src, tail, size, r.header.tag(), number)
	if err != nil {
		return nil, Sealed{}, err
	}
	footer, err := r.openFooter(end, size)
	if err != nil {
		return nil, Sealed{}, err
	}
	return r, Sealed{Header: r.header, Footer: footer, Size: size, Hash: sha256.Sum256(end)}, nil
}

func readTail(src Source, number ID) (tail []byte, size int64, err error) {
	if size, err = src.Size(); err != nil {
		return nil, 0, err
	}
	if size < headerSize+trailerSize || size > MaxSize {
		return nil, 0, damaged(number, "has %d bytes: %w", size, io.ErrUnexpectedEOF)
	}
	tail = make([]byte, min(size, tailSize))
	return tail, size, readFull(src, tail, size-int64(len(tail)), number)
}

// footerBytes returns footer and trailer, from the tail if they are in it as a whole.
func footerBytes(src Source, tail []byte, size int64, tag [4]byte, number ID) ([]byte, error) {
	t, err := parseTrailer(tail[len(tail)-trailerSize:], size, number)
	if err != nil {
		return nil, err
	}
	if t.tag != tag {
		return nil, damaged(number, "the trailer is of another segment")
	}
	n := int(t.size) + trailerSize
	if n <= len(tail) {
		return tail[len(tail)-n:], nil
	}
	b := make([]byte, n)
	return b, readFull(src, b, int64(t.offset), number)
}

// openFooter opens the footer at the start of end, which is all that follows to the end of the segment.
func (r *Reader) openFooter(end []byte, size int64) (Footer, error) {
	offset, number := size-int64(len(end)), r.header.Number
	frame := end[:len(end)-trailerSize]
	f, ok := parseFrameHeader(frame, r.header.tag(), offset)
	if !ok || f.Kind != KindFooter || FrameSize(int(f.Length)) != int64(len(frame)) {
		return Footer{}, damagedFrame(number, KindFooter, offset, "no footer is there")
	}
	plain, err := openFrame(nil, frame, &r.header, r.key, f)
	if err != nil {
		return Footer{}, err
	}
	footer, err := decodeFooter(plain)
	if err != nil {
		return Footer{}, badBody(number, f, err)
	}
	if err := checkFooter(&r.header, &footer, offset); err != nil {
		return Footer{}, damagedFrame(number, KindFooter, offset, "%w", err)
	}
	return footer, nil
}
