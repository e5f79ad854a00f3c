package segment

import (
	"fmt"

	"dfsmount/seal"
)

// Authenticate checks a sealed segment with the key of its volume: header and footer, and every frame in its place. It finds what Verify
// finds, and what Verify cannot: bytes that someone changed together with their checksums. ErrDamaged, with what is wrong and where.
func Authenticate(src Source, keys *seal.Keys, number ID, epoch uint64) (Sealed, error) {
	r, sealed, err := OpenSealed(src, keys, number, epoch)
	if err != nil {
		return Sealed{}, err
	}
	var buf []byte
	for _, f := range sealed.Footer.Frames {
		buf, err = r.ReadFrame(buf[:0], f.Kind, Location{Segment: number, Offset: f.Offset, Length: f.Length})
		if err != nil {
			return Sealed{}, fmt.Errorf("segment %d: %w", number, err)
		}
	}
	return sealed, nil
}
