package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"dfsmount/seal"
	"dfsmount/segment"
)

// Fetcher gets ranges of segments that are not here. Package replicator implements it.
type Fetcher interface {
	// Fetch reads bytes [off, off+length) of a sealed segment from a node and hands them to accept, which authenticates them. An error of
	// accept means that this node's bytes are bad: the fetcher marks it and asks the next. nil once accept returned nil;
	// else an error that names what every node answered. The slice is valid during the call.
	Fetch(ctx context.Context, number segment.ID, epoch uint64, off, length int64, accept func([]byte) error) error
}

// NodeSource is what a clone reads a volume from.
type NodeSource interface {
	Fetcher
	// Size is that of a sealed segment on some node; an error if no node lists it.
	Size(ctx context.Context, number segment.ID, epoch uint64) (int64, error)
}

// SetFetcher says where to get what is not here.
func (s *Store) SetFetcher(f Fetcher) { s.fetcher.Store(&f) }

var errNoFetcher = errors.New("and there is no node to ask")

// remotes keeps the headers of segments that are read from nodes: with one, any frame of its segment is one ranged read.
type remotes struct {
	mu      sync.Mutex
	headers map[segment.ID][]byte
}

// maxHeaders bounds them; when it is reached all are forgotten, which costs one small read each.
const maxHeaders = 4096

func (r *remotes) get(id segment.ID) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.headers[id]
}

func (r *remotes) put(id segment.ID, header []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.headers == nil || len(r.headers) >= maxHeaders {
		r.headers = map[segment.ID][]byte{}
	}
	r.headers[id] = header
}

// epochOf is the epoch of a sealed segment: as the state says, or, while a store is being rebuilt and the state not known yet, as the chain of
// footers or the segment's own file says.
func (s *Store) epochOf(id segment.ID) uint64 {
	if e, ok := s.segs.get(id); ok && e.epoch != 0 {
		return e.epoch
	}
	return s.epochs.of(id)
}

// fetch asks the fetcher.
func (s *Store) fetch(ctx context.Context, id segment.ID, off, length int64, accept func([]byte) error) error {
	f := s.fetcher.Load()
	if f == nil {
		return errNoFetcher
	}
	return (*f).Fetch(ctx, id, s.epochOf(id), off, length, accept)
}

// fetchFrame gets one frame from a node.
func (s *Store) fetchFrame(ctx context.Context, kind seal.Kind, l segment.Location) (plain []byte, err error) {
	header, err := s.header(ctx, l.Segment)
	if err != nil {
		return nil, err
	}
	err = s.fetch(ctx, l.Segment, int64(l.Offset), segment.FrameSize(int(l.Length)), func(b []byte) error {
		r, err := segment.OpenHeader(pieces{{0, header}, {int64(l.Offset), b}}, s.keys, l.Segment, s.epochOf(l.Segment))
		if err != nil {
			return err
		}
		plain, err = r.ReadFrame(make([]byte, 0, l.Length), kind, l)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("fetch frame: %w", err)
	}
	return plain, nil
}

// header returns the authentic header of a segment that is on nodes.
func (s *Store) header(ctx context.Context, id segment.ID) (header []byte, err error) {
	if header = s.remotes.get(id); header != nil {
		return header, nil
	}
	err = s.fetch(ctx, id, 0, segment.HeaderSize, func(b []byte) error {
		if _, err := segment.OpenHeader(pieces{{0, b}}, s.keys, id, s.epochOf(id)); err != nil {
			return err
		}
		header = append([]byte(nil), b...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("fetch header of segment %d: %w", id, err)
	}
	s.remotes.put(id, header)
	return header, nil
}

// tailFetch is how much of a segment's end is fetched for its footer; a longer footer costs fetching the whole segment.
const tailFetch = 512 << 10

// fetchSealed opens a footer from a node.
func (s *Store) fetchSealed(ctx context.Context, n segment.ID) (sealed segment.Sealed, err error) {
	size, err := s.sizeOn(ctx, n)
	if err != nil {
		return sealed, fmt.Errorf("fetch footer of segment %d: %w", n, err)
	}
	header, err := s.header(ctx, n)
	if err != nil {
		return sealed, err
	}
	short := errors.New("the footer is longer")
	try := func(from int64) error {
		return s.fetch(ctx, n, from, size-from, func(b []byte) error {
			src := &tail{pieces: pieces{{0, header}, {from, b}}, from: from}
			_, got, err := segment.OpenSealed(src, s.keys, n, s.epochOf(n))
			if src.missed {
				sealed.Size = -1 // no fault of the node
				return nil
			}
			sealed = got
			return err
		})
	}
	if err = try(max(0, size-tailFetch)); err == nil && sealed.Size == -1 {
		if err = try(0); err == nil && sealed.Size == -1 {
			err = short
		}
	}
	if err != nil {
		return segment.Sealed{}, fmt.Errorf("fetch footer of segment %d: %w", n, err)
	}
	return sealed, nil
}

// sizeOn is a segment's size, from the table or from a node.
func (s *Store) sizeOn(ctx context.Context, n segment.ID) (int64, error) {
	if e, _ := s.segs.get(n); e.size > 0 {
		return e.size, nil
	}
	f := s.fetcher.Load()
	if f == nil {
		return 0, errNoFetcher
	}
	src, ok := (*f).(NodeSource)
	if !ok {
		return 0, errors.New("its size is not known")
	}
	return src.Size(ctx, n, s.epochOf(n))
}

// pieces is a source of which only some ranges are known.
type pieces []struct {
	off int64
	b   []byte
}

func (p pieces) ReadAt(dst []byte, off int64) (int, error) {
	for _, x := range p {
		if off >= x.off && off+int64(len(dst)) <= x.off+int64(len(x.b)) {
			return copy(dst, x.b[off-x.off:]), nil
		}
	}
	return 0, io.EOF
}

func (p pieces) Size() (int64, error) {
	last := p[len(p)-1]
	return last.off + int64(len(last.b)), nil
}

// tail is header and end of a segment; it notes when it was asked for what lies between.
type tail struct {
	pieces
	from   int64
	missed bool
}

func (t *tail) ReadAt(dst []byte, off int64) (int, error) {
	n, err := t.pieces.ReadAt(dst, off)
	if err != nil && off < t.from {
		t.missed = true
	}
	return n, err
}
