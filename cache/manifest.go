package cache

import (
	"encoding/binary"
	"errors"
	"fmt"

	"dfsmount/segment"
)

// manifestFormat is the first byte of every manifest. It is on other people's disks.
const manifestFormat = 1

var errManifest = errors.New("malformed manifest")

// manifest describes a checkpoint. As a body: the format byte; seq; segment; the number of epochs and for each its number and first
// segment; the number of pages; the number of parts and for each its location; all numbers as uvarints. A part is the body
// of a frame of KindPage: for each page the shared and the own part of its first key, as in pages, entries, size, and
// location.
type manifest struct {
	seq     uint64     // the pages are the state as of this commit
	segment segment.ID // replay starts with it
	epochs  []epochStart
	pages   uint64
	parts   []segment.Location
}

func (m *manifest) append(b []byte) []byte {
	b = append(b, manifestFormat)
	b = binary.AppendUvarint(b, m.seq)
	b = binary.AppendUvarint(b, uint64(m.segment))
	b = binary.AppendUvarint(b, uint64(len(m.epochs)))
	for _, e := range m.epochs {
		b = binary.AppendUvarint(binary.AppendUvarint(b, e.epoch), uint64(e.from))
	}
	b = binary.AppendUvarint(b, m.pages)
	b = binary.AppendUvarint(b, uint64(len(m.parts)))
	for _, l := range m.parts {
		b = appendLocation(b, l)
	}
	return b
}

func parseManifest(b []byte) (*manifest, error) {
	r := reader{b: b}
	if f := r.byte(); f != manifestFormat {
		return nil, fmt.Errorf("%w: format %d", errManifest, f)
	}
	m := &manifest{seq: r.uvarint(), segment: segment.ID(r.uvarint())}
	for n := r.uvarint(); n > 0 && r.err == nil; n-- {
		m.epochs = append(m.epochs, epochStart{r.uvarint(), segment.ID(r.uvarint())})
	}
	m.pages = r.uvarint()
	for n := r.uvarint(); n > 0 && r.err == nil; n-- {
		m.parts = append(m.parts, r.location())
	}
	if r.err != nil || len(r.b) != 0 {
		return nil, errManifest
	}
	return m, nil
}

// appendPart encodes page refs.
func appendPart(b []byte, refs []*pageRef) []byte {
	last := ""
	for _, r := range refs {
		n := shared(raw(last), raw(r.first))
		b = binary.AppendUvarint(b, uint64(n))
		b = appendBytes(b, raw(r.first[n:]))
		b = binary.AppendUvarint(b, uint64(r.count))
		b = binary.AppendUvarint(b, uint64(r.size))
		b = appendLocation(b, r.at)
		last = r.first
	}
	return b
}

func parsePart(b []byte) (refs []*pageRef, err error) {
	r, last := reader{b: b}, ""
	for len(r.b) > 0 {
		n, rest := r.uvarint(), r.bytes()
		if r.err != nil || n > uint64(len(last)) {
			return nil, errManifest
		}
		p := &pageRef{first: last[:n] + string(rest), count: r.uvarint32(), size: r.uvarint32(), at: r.location()}
		if r.err != nil || shared(raw(last), raw(p.first)) != int(n) || p.first <= last || p.count == 0 || p.at.Segment == 0 {
			return nil, errManifest
		}
		refs, last = append(refs, p), p.first
	}
	return refs, r.err
}
