package segment

import (
	"errors"
	"fmt"
	"io"

	"dfsmount/seal"
)

var (
	// ErrDamaged: these bytes are not what was written. The text around it says which frame of which segment.
	ErrDamaged = errors.New("damaged")
	// ErrEmpty: a file that was allocated for a segment, but the segment was never begun. Nothing in it was acknowledged.
	ErrEmpty = errors.New("no segment was begun here")
	// ErrUnknown: a version, kind, suite or flag that this program does not know. A newer one wrote it.
	ErrUnknown = errors.New("unknown to this version of dfsmount")
	// ErrTooLarge: the frame does not fit into this segment. Nothing was written; a new segment may take it.
	ErrTooLarge = errors.New("does not fit into the segment")
	// ErrSealed: the segment takes no more frames.
	ErrSealed = errors.New("the segment takes no more frames")
)

// damaged says what is wrong with a segment.
func damaged(number ID, format string, args ...any) error {
	if number == 0 { // Verify does not know it before it has read the header
		return fmt.Errorf("segment: %w: %w", ErrDamaged, fmt.Errorf(format, args...))
	}
	return fmt.Errorf("segment %d: %w: %w", number, ErrDamaged, fmt.Errorf(format, args...))
}

// damagedFrame says what is wrong with a frame.
func damagedFrame(number ID, kind seal.Kind, offset int64, format string, args ...any) error {
	return fmt.Errorf("segment %d: %w: %s at offset %d: %w", number, ErrDamaged, kindName(kind), offset, fmt.Errorf(format, args...))
}

// readFull fills b. A source that ends before has lost bytes: ErrDamaged, which its other errors are not.
func readFull(src io.ReaderAt, b []byte, off int64, number ID) error {
	n, err := src.ReadAt(b, off)
	switch {
	case n == len(b):
		return nil
	case errors.Is(err, io.EOF):
		return damaged(number, "ends after %d of %d bytes at offset %d: %w", n, len(b), off, io.ErrUnexpectedEOF)
	case err == nil:
		err = io.ErrNoProgress // against the contract of io.ReaderAt
	}
	return fmt.Errorf("read segment %d: %w", number, err)
}

// badBody is the error of an authentic frame whose plaintext does not decode.
func badBody(number ID, f FrameInfo, err error) error {
	if errors.Is(err, ErrUnknown) {
		return fmt.Errorf("segment %d: %s at offset %d: %w", number, kindName(f.Kind), f.Offset, err)
	}
	return damagedFrame(number, f.Kind, int64(f.Offset), "%w", err)
}
