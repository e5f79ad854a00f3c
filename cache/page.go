package cache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sort"
)

// Sizes of pages, in bytes of their encoded form. They shape the index, they are no part of its format.
const (
	pageTarget = 8 << 10  // a page that is split is split into pieces of about this
	pageMax    = 16 << 10 // a page above this is split
	pageMin    = 2 << 10  // a page that falls below this is merged with its right neighbour
)

// pageFormat is the first byte of every encoded page. It is on other people's disks.
const pageFormat = 1

// errPage reports bytes that are no page. They were authenticated, so it is our own mistake or a later format.
var errPage = errors.New("malformed page")

// entry is one key of the state with its value.
type entry struct{ key, value []byte }

// span locates one entry in page.data: the key is data[key:value], the value data[value:end].
type span struct{ key, value, end uint32 }

// page is a decoded page: two allocations without pointers inside, whatever the number of entries, so that a large
// page cache costs the garbage collector nothing.
type page struct {
	data  []byte
	spans []span
}

func (p *page) len() int           { return len(p.spans) }
func (p *page) key(i int) []byte   { s := p.spans[i]; return p.data[s.key:s.value:s.value] }
func (p *page) value(i int) []byte { s := p.spans[i]; return p.data[s.value:s.end:s.end] }
func (p *page) bytes() int64       { return int64(cap(p.data)) + 12*int64(cap(p.spans)) + 96 }

// search returns the first entry whose key is not below key.
func (p *page) search(key string) int {
	return sort.Search(len(p.spans), func(i int) bool { return text(p.key(i)) >= key })
}

// get returns the value of key.
func (p *page) get(key string) ([]byte, bool) {
	i := p.search(key)
	if i == len(p.spans) || text(p.key(i)) != key {
		return nil, false
	}
	return p.value(i), true
}

// encodePage appends the encoded form of entries (ascending, not empty) to dst: the format byte, the number of entries, then for
// each the bytes its key shares with the key before, the rest of the key, and the value; numbers and lengths as uvarints.
func encodePage(dst []byte, entries []entry) []byte {
	dst = append(dst, pageFormat)
	dst = binary.AppendUvarint(dst, uint64(len(entries)))
	var last []byte
	for _, e := range entries {
		n := shared(last, e.key)
		dst = binary.AppendUvarint(dst, uint64(n))
		dst = appendBytes(dst, e.key[n:])
		dst = appendBytes(dst, e.value)
		last = e.key
	}
	return dst
}

// decodePage is the inverse of encodePage. It accepts nothing that encodePage does not make.
func decodePage(b []byte) (*page, error) {
	r := reader{b: b}
	if f := r.byte(); r.err != nil || f != pageFormat {
		return nil, fmt.Errorf("%w: format %d", errPage, f)
	}
	n := r.uvarint()
	if n > uint64(len(b))/4+1 {
		return nil, fmt.Errorf("%w: %d entries in %d bytes", errPage, n, len(b))
	}
	p := &page{data: make([]byte, 0, 2*len(b)), spans: make([]span, 0, n)}
	var last []byte
	for range n {
		common, rest, value := r.uvarint(), r.bytes(), r.bytes()
		if r.err != nil || common > uint64(len(last)) || len(value) == 0 {
			return nil, errPage
		}
		start := len(p.data)
		p.data = append(append(p.data, last[:common]...), rest...)
		mid := len(p.data)
		p.data = append(p.data, value...)
		key := p.data[start:mid:mid]
		if len(p.spans) > 0 && text(key) <= text(last) || shared(last, key) != int(common) {
			return nil, fmt.Errorf("%w: keys out of order, or not written the shortest way", errPage)
		}
		p.spans = append(p.spans, span{uint32(start), uint32(mid), uint32(len(p.data))})
		last = key
	}
	if r.err != nil || len(r.b) != 0 || n == 0 {
		return nil, errPage
	}
	return p, nil
}

// entrySize is about what one entry takes in an encoded page.
func entrySize(e entry) int { return len(e.key)/2 + len(e.value) + 4 }

// split cuts entries into runs that become pages.
func split(entries []entry) [][]entry {
	total := 0
	for _, e := range entries {
		total += entrySize(e)
	}
	if total <= pageMax {
		return [][]entry{entries}
	}
	var runs [][]entry
	start, size := 0, 0
	for i, e := range entries {
		size += entrySize(e)
		if size >= pageTarget {
			runs, start, size = append(runs, entries[start:i+1]), i+1, 0
		}
	}
	if start < len(entries) {
		runs = append(runs, entries[start:])
	}
	return runs
}

// shared is the length of the common prefix of a and b.
func shared(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
