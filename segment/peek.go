package segment

import "io"

// HeaderSize is the number of bytes a segment's header takes, the first of the segment.
const HeaderSize = headerSize

// PeekHeader reads the header of a segment as it claims to be, without a key: nothing of it is proven. It tells which epoch to
// ask OpenSealed or OpenHeader for when nothing else does.
func PeekHeader(src io.ReaderAt) (Header, error) {
	b := make([]byte, headerSize)
	if err := readFull(src, b, 0, 0); err != nil {
		return Header{}, err
	}
	return parseHeader(b, 0)
}
