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

// fetch asks the fetcher.
func (s *Store) fetch(ctx context.Context, id segment.ID, off, length int64, accept func([]byte) error) error {
	f := s.fetcher.Load()
	if f == nil {
		return errNoFetcher
	}
	return (*f).Fetch(ctx, id, s.epochs.of(id), off, length, accept)
}

// fetchFrame gets one frame from a node: its header first if it is not known yet.
func (s *Store) fetchFrame(ctx context.Context, kind seal.Kind, l segment.Location) (plain []byte, err error) {
	header := s.remotes.get(l.Segment)
	if header == nil {
		if header, err = s.fetchHeader(ctx, l.Segment); err != nil {
			return nil, err
		}
	}
	err = s.fetch(ctx, l.Segment, int64(l.Offset), segment.FrameSize(int(l.Length)), func(b []byte) error {
		src := pieces{{0, header}, {int64(l.Offset), b}}
		r, err := segment.OpenHeader(src, s.keys, l.Segment, s.epochs.of(l.Segment))
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

func (s *Store) fetchHeader(ctx context.Context, id segment.ID) (header []byte, err error) {
	err = s.fetch(ctx, id, 0, segment.HeaderSize, func(b []byte) error {
		if _, err := segment.OpenHeader(pieces{{0, b}}, s.keys, id, s.epochs.of(id)); err != nil {
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
