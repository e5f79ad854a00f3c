package segment

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"dfsmount/seal"
)

// Layout of the header, see the package comment.
const (
	magic       = "DFSSEG"
	version     = 1
	headerSize  = 192
	headerPlain = 88 // what the seal in the header is over
	headerSeal  = 64 // sealed SHA-256
	headerZero  = headerPlain + headerSeal
	headerCRC   = headerSize - 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Header is the start of a segment, readable without a key.
type Header struct {
	Volume     seal.VolumeID
	Number     ID
	Epoch      uint64
	Salt       seal.Salt
	Suite      seal.Suite
	FirstSeq   uint64 // of the first commit this segment may hold
	PrevLength uint32 // end of the frames of segment Number-1 when this one was started; 0 for the first of an epoch
	Commitment [16]byte
}

// check holds what a writer asks of its header; parseHeader holds readers to the same.
func (h *Header) check() error {
	switch {
	case h.Number == 0:
		return errors.New("segment numbers start at 1")
	case h.Epoch > math.MaxUint32:
		return fmt.Errorf("epoch %d is over %d", h.Epoch, uint32(math.MaxUint32))
	case h.FirstSeq == 0:
		return errors.New("commit numbers start at 1")
	}
	return nil
}

func (h *Header) key(keys *seal.Keys) *seal.SegmentKey {
	return keys.Segment(uint64(h.Number), h.Epoch, h.Salt, h.Suite)
}

// tag starts every frame of the segment, so that frames of another one in a recycled block are no frames.
func (h *Header) tag() [4]byte { return [4]byte(h.Salt[:4]) }

var headerPlace = seal.Place{Kind: kindHeader, Offset: 0, Length: sha256.Size}

func encodeHeader(h Header, key *seal.SegmentKey) ([]byte, error) {
	b := make([]byte, 0, headerSize)
	b = binary.BigEndian.AppendUint16(append(b, magic...), version)
	b = append(b, h.Volume[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(h.Number))
	b = binary.BigEndian.AppendUint64(b, h.Epoch)
	b = append(b, h.Salt[:]...)
	b = append(b, byte(h.Suite), 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, h.PrevLength)
	b = binary.BigEndian.AppendUint64(b, h.FirstSeq)
	b = append(b, h.Commitment[:]...)
	sum := sha256.Sum256(b)
	b, err := key.Seal(b, headerPlace, sum[:])
	if err != nil {
		return nil, fmt.Errorf("seal header: %w", err)
	}
	b = b[:headerCRC]
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli)), nil
}

// parseHeader reads a header without a key. number is for the text of errors; 0 if it is not known.
func parseHeader(b []byte, number ID) (Header, error) {
	if len(b) < headerSize {
		return Header{}, damaged(number, "%d bytes are no header: %w", len(b), io.ErrUnexpectedEOF)
	}
	b = b[:headerSize]
	if string(b[:6]) != magic {
		return Header{}, damaged(number, "does not start as a segment does")
	}
	if err := checkVersion(b, number); err != nil {
		return Header{}, err
	}
	if !headerSums(b) {
		return Header{}, damaged(number, "checksum of the header differs")
	}
	h := Header{
		Volume:     seal.VolumeID(b[8:24]),
		Number:     ID(binary.BigEndian.Uint64(b[24:])),
		Epoch:      binary.BigEndian.Uint64(b[32:]),
		Salt:       seal.Salt(b[40:56]),
		Suite:      seal.Suite(b[56]),
		PrevLength: binary.BigEndian.Uint32(b[60:]),
		FirstSeq:   binary.BigEndian.Uint64(b[64:]),
		Commitment: [16]byte(b[72:88]),
	}
	if flags := b[57:60]; !isZero(flags) || !isZero(b[headerZero:headerCRC]) {
		return Header{}, fmt.Errorf("segment %d: a flag in the header is %w", h.Number, ErrUnknown)
	}
	if !h.Suite.Valid() {
		return Header{}, fmt.Errorf("segment %d: %s is %w", h.Number, h.Suite, ErrUnknown)
	}
	if err := h.check(); err != nil {
		return Header{}, damaged(number, "header: %w", err)
	}
	return h, nil
}

// checkVersion tells a version of the future from a flipped bit: the latter is a header of our version again once the
// bit is mended.
func checkVersion(b []byte, number ID) error {
	v := binary.BigEndian.Uint16(b[6:])
	if v == version {
		return nil
	}
	mended := append([]byte(nil), b...)
	binary.BigEndian.PutUint16(mended[6:], version)
	if headerSums(mended) {
		return damaged(number, "checksum of the header differs")
	}
	return fmt.Errorf("segment %d: format version %d is %w", number, v, ErrUnknown)
}

func headerSums(b []byte) bool {
	return binary.BigEndian.Uint32(b[headerCRC:]) == crc32.Checksum(b[:headerCRC], castagnoli)
}

// openHeader is parseHeader and proves that the header was written with these keys, for this number.
func openHeader(b []byte, keys *seal.Keys, number ID) (Header, *seal.SegmentKey, error) {
	h, err := parseHeader(b, number)
	if err != nil {
		return Header{}, nil, err
	}
	switch {
	case h.Number != number:
		return Header{}, nil, damaged(number, "the bytes are of segment %d", h.Number)
	case h.Volume != keys.Volume():
		return Header{}, nil, damaged(number, "the bytes are of volume %x", h.Volume)
	}
	key := h.key(keys)
	if key.Commitment() != h.Commitment {
		return Header{}, nil, damaged(number, "the header was made with another key")
	}
	sum, err := key.Open(nil, headerPlace, b[headerPlain:headerZero])
	if err != nil {
		return Header{}, nil, damaged(number, "header: %w", err)
	}
	if sha256.Sum256(b[:headerPlain]) != [32]byte(sum) {
		return Header{}, nil, damaged(number, "the header was altered")
	}
	return h, key, nil
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
