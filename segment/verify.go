package segment

import "fmt"

// Verify checks a sealed segment without any key: header, checksum of every frame, trailer. It returns the first thing wrong.
// It finds what decays and what was cut; only reading with keys finds what was forged.
func Verify(src Source) (Header, error) {
	s, err := newScanner(src, 0)
	if err != nil {
		return Header{}, err
	}
	h, err := s.header()
	if err != nil {
		return Header{}, err
	}
	for off := int64(headerSize); ; {
		f, err := s.mustFrame(off)
		if err != nil {
			return Header{}, err
		}
		off = f.End()
		if f.Kind == KindFooter {
			if err := s.trailer(f); err != nil {
				return Header{}, err
			}
			return h, nil
		}
	}
}

// header parses the header and learns from it what frames look like.
func (s *scanner) header() (Header, error) {
	b, err := s.bytes(0, int(min(headerSize, s.size)))
	if err != nil {
		return Header{}, err
	}
	h, err := parseHeader(b, s.number)
	if err != nil {
		return Header{}, err
	}
	s.number, s.tag = h.Number, h.tag()
	return h, nil
}

func (s *scanner) mustFrame(off int64) (FrameInfo, error) {
	f, _, ok, err := s.frame(off)
	switch {
	case err != nil:
		return FrameInfo{}, err
	case !ok:
		return FrameInfo{}, damaged(s.number, "no frame at offset %d, or its checksum differs", off)
	case !knownKind(f.Kind):
		return FrameInfo{}, fmt.Errorf("segment %d: %s at offset %d is %w", s.number, kindName(f.Kind), off, ErrUnknown)
	}
	return f, nil
}

// trailer checks that the footer f is followed by its trailer and nothing else.
func (s *scanner) trailer(f FrameInfo) error {
	if s.size != f.End()+trailerSize {
		return damaged(s.number, "%d bytes follow the footer, want %d", s.size-f.End(), trailerSize)
	}
	b, err := s.bytes(f.End(), trailerSize)
	if err != nil {
		return err
	}
	t, err := parseTrailer(b, s.size, s.number)
	if err == nil && (t.offset != f.Offset || t.tag != s.tag) {
		err = damaged(s.number, "the trailer is of another footer")
	}
	return err
}
