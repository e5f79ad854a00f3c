package cache

import (
	"context"
	"errors"
	"fmt"
	iofs "io/fs"
	"os"
	"sync"

	"dfsmount/internal/disk"
	"dfsmount/seal"
	"dfsmount/segment"
)

// Read fills dst with the extent's plaintext from off on; from RAM, disk or (evicted, cloned) from nodes. ErrDamaged if no copy
// that can be reached is what was written; ctx ends only waits on the network. On error dst holds nothing of use.
func (s *Store) Read(ctx context.Context, l segment.Location, off int, dst []byte) error {
	if off < 0 || len(dst) == 0 || off+len(dst) > int(l.Length) {
		return fmt.Errorf("read bytes %d to %d of an extent of %d", off, off+len(dst), l.Length)
	}
	if plain := s.extents.get(l); plain != nil {
		copy(dst, plain[off:])
		return nil
	}
	whole := len(dst) == int(l.Length)
	if !whole && (len(dst) >= int(l.Length)/2 || s.extents.seen(l)) || !s.here(l.Segment) {
		plain, err := s.readFrame(ctx, segment.KindExtent, l)
		if err != nil {
			return err
		}
		copy(dst, plain[off:])
		s.extents.add(l, plain)
		return nil
	}
	return s.readRange(ctx, l, off, dst)
}

// readRange reads only the packages it needs, which for a small part of a large extent touched once is the cheaper way.
func (s *Store) readRange(ctx context.Context, l segment.Location, off int, dst []byte) error {
	err := s.readHere(l.Segment, func(r *segment.Reader) error { return r.ReadRange(dst, l, off) })
	if err == nil {
		return nil
	}
	plain, err := s.anotherCopy(ctx, segment.KindExtent, l, err)
	if err != nil {
		return err
	}
	copy(dst, plain[off:])
	return nil
}

// readFrame returns a frame's plaintext, from here or from a node.
func (s *Store) readFrame(ctx context.Context, kind seal.Kind, l segment.Location) (plain []byte, err error) {
	err = s.readHere(l.Segment, func(r *segment.Reader) (err error) {
		plain, err = r.ReadFrame(make([]byte, 0, l.Length), kind, l)
		return err
	})
	if err == nil {
		return plain, nil
	}
	return s.anotherCopy(ctx, kind, l, err)
}

// readHere runs fn on a segment that is here. A reader of an open segment is not counted as a user of its file, which may be closed
// under it long after it was sealed: then a second reader, which is, does it.
func (s *Store) readHere(id segment.ID, fn func(r *segment.Reader) error) (err error) {
	for range 2 {
		r, done, failed := s.reader(id)
		if failed != nil {
			return failed
		}
		err = fn(r)
		done()
		if !errors.Is(err, os.ErrClosed) {
			break
		}
	}
	return err
}

// anotherCopy gets a frame from a node because the local segment is missing or (why) cannot be read.
func (s *Store) anotherCopy(ctx context.Context, kind seal.Kind, l segment.Location, why error) ([]byte, error) {
	if !errors.Is(why, errRemote) {
		s.opts.Log.Error("local copy of a segment cannot be read, trying nodes", "segment", uint64(l.Segment), "offset", l.Offset, "err", why)
	}
	plain, err := s.fetchFrame(ctx, kind, l)
	if err == nil {
		return plain, nil
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("read segment %d, offset %d: %w", l.Segment, l.Offset, err)
	}
	s.opts.Log.Error("no good copy of a frame", "segment", uint64(l.Segment), "offset", l.Offset, "err", err)
	return nil, fmt.Errorf("read segment %d, offset %d: %w: %w", l.Segment, l.Offset, ErrDamaged, errors.Join(why, err))
}

// errRemote reports a segment whose file is not here.
var errRemote = errors.New("the segment is not on this machine")

// here tells whether a segment can be read without a node.
func (s *Store) here(id segment.ID) bool {
	e, sealed := s.segs.get(id)
	return e.local || !sealed && s.log.find(id) != nil
}

// reader returns a reader of a segment that is here, and what to call after its use.
func (s *Store) reader(id segment.ID) (*segment.Reader, func(), error) {
	if c := s.log.find(id); c != nil && s.handles.pin(c.file) {
		return c.file.r, func() { s.handles.release(c.file) }, nil
	}
	e, sealed := s.segs.get(id)
	if !sealed || !e.local {
		return nil, nil, fmt.Errorf("segment %d: %w", id, errRemote)
	}
	return s.handles.open(s, id, e.epoch)
}

// handle is the open file of one segment. That of a segment that is being written is in no table, and used by its writer until it is sealed.
type handle struct {
	id    segment.ID
	f     disk.File
	r     *segment.Reader
	users int
	out   bool // not in the table: the last user closes it
}

// handles keeps sealed segments open, up to a limit.
type handles struct {
	limit int

	mu    sync.Mutex
	files map[segment.ID]*handle
	order []segment.ID // the ones to close first
}

// open returns a reader, opening the file if need be.
func (h *handles) open(s *Store, id segment.ID, epoch uint64) (*segment.Reader, func(), error) {
	if c := h.use(id); c != nil {
		return c.r, func() { h.release(c) }, nil
	}
	f, err := s.disk.Open(sealedName(id), disk.Read)
	if err != nil {
		if errors.Is(err, iofs.ErrNotExist) {
			err = fmt.Errorf("%w: %w", errRemote, err)
		}
		return nil, nil, fmt.Errorf("open segment %d: %w", id, err)
	}
	r, err := segment.OpenHeader(f, s.keys, id, epoch)
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	c := h.adopt(&handle{id: id, f: f, r: r, users: 1, out: true})
	return c.r, func() { h.release(c) }, nil
}

// pin makes the caller a user of c, unless it is closed already: a segment can be sealed, and its file closed to make room, between
// the moment it was found and this one.
func (h *handles) pin(c *handle) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.users == 0 && c.out {
		return false
	}
	c.users++
	return true
}

func (h *handles) use(id segment.ID) *handle {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.files[id]
	if c != nil {
		c.users++
	}
	return c
}

func (h *handles) release(c *handle) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.users--; c.users == 0 && c.out {
		c.f.Close() // read only: nothing is lost
	}
}

// adopt puts a handle that the caller uses into the table, and returns the one that is there then, for the caller to release. Beyond the
// limit the oldest is dropped.
func (h *handles) adopt(c *handle) *handle {
	h.mu.Lock()
	defer h.mu.Unlock()
	if other := h.files[c.id]; other != nil {
		if c.users--; c.users == 0 { // another caller was first
			c.f.Close()
		}
		other.users++
		return other
	}
	c.out = false
	h.files[c.id] = c
	h.order = append(h.order, c.id)
	if len(h.order) > h.limit {
		h.dropLocked(h.order[0])
		h.order = h.order[1:]
	}
	return c
}

func (h *handles) dropLocked(id segment.ID) {
	c := h.files[id]
	delete(h.files, id)
	if c.out = true; c.users == 0 {
		c.f.Close()
	}
}

func (h *handles) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, id := range h.order {
		h.dropLocked(id)
	}
	h.order = nil
}
