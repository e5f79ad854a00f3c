package replicator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"dfsmount/node"
	"dfsmount/segment"
)

// objectKey names a segment of any history, accepted or not.
type objectKey struct {
	number segment.ID
	epoch  uint64
}

func (k objectKey) object() string { return segment.ObjectName(k.number, k.epoch) }

// place is one node as a recovery sees it: what it lists, and what was found wrong with it. Nothing of it is believed
// before it authenticates.
type place struct {
	url  string
	node node.Node

	mu       sync.Mutex
	objects  map[objectKey]int64 // size of each segment listed
	headers  []uint64            // generations, ascending
	epoch    uint64              // the highest claimed
	err      error               // why it could not be asked
	faults   []string            // what it gave that is not what was put there
	bad      map[objectKey]bool
	listed   bool
	claimed  uint64 // epoch this recovery claimed there
	segments uint64
	bytes    int64
}

// look lists what the node holds, anew.
func (p *place) look(ctx context.Context) {
	objects, headers, epoch := map[objectKey]int64{}, []uint64(nil), uint64(0)
	var bytes int64
	err := p.node.List(ctx, "", "", func(i node.Info) error {
		if number, e, ok := segment.ParseObjectName(i.Name); ok {
			objects[objectKey{number, e}] = i.Size
			bytes += i.Size
		} else if g, ok := parseHeaderName(i.Name); ok {
			headers = append(headers, g)
		} else if e, ok := parseEpochObject(i.Name); ok {
			epoch = max(epoch, e)
		}
		return nil
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err = err; err != nil {
		p.err = fmt.Errorf("list objects: %w", err)
		return
	}
	p.objects, p.headers, p.epoch, p.bytes, p.listed = objects, headers, epoch, bytes, true
	p.segments = uint64(len(objects))
}

// usable tells whether the node was listed.
func (p *place) usable() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.listed && p.err == nil
}

// size tells the size of an object the node lists; ok is false if it does not, or gave a bad one.
func (p *place) size(k objectKey) (size int64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	size, ok = p.objects[k]
	return size, ok && p.err == nil && !p.bad[k]
}

// gone is an error if the node listed the object and does not answer any more.
func (p *place) gone(k objectKey) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, listed := p.objects[k]; !listed || p.err == nil {
		return nil
	}
	return &unavailableError{fmt.Errorf("node %s stopped answering: %w", RedactURL(p.url), p.err)}
}

// fault records that the node's object is not what was put there.
func (p *place) fault(k objectKey, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bad[k] {
		return
	}
	if p.bad == nil {
		p.bad = map[objectKey]bool{}
	}
	p.bad[k] = true
	if len(p.faults) < maxNamed {
		p.faults = append(p.faults, fmt.Sprintf("%s: %v", k.object(), err))
	}
}

// lookAll looks at every place at once.
func lookAll(ctx context.Context, places []*place) {
	var wg sync.WaitGroup
	for _, p := range places {
		if p.node != nil {
			wg.Go(func() { p.look(ctx) })
		}
	}
	wg.Wait()
}

// placeSource is one segment on one node as a segment.Source.
type placeSource struct {
	ctx    context.Context
	node   node.Node
	object string
	size   int64
}

func (s *placeSource) Size() (int64, error) { return s.size, nil }

// ReadAt implements io.ReaderAt. An object that is shorter than the node said ends early; every other error is an unavailableError.
func (s *placeSource) ReadAt(b []byte, off int64) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	body, err := s.node.Get(s.ctx, s.object, off, int64(len(b)))
	if err != nil {
		return 0, s.failed(err)
	}
	defer body.Close()
	n, err := io.ReadFull(body, b)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return n, io.EOF
	}
	if err != nil {
		return n, s.failed(err)
	}
	return n, nil
}

func (s *placeSource) failed(err error) error {
	if errors.Is(err, node.ErrNotExist) {
		return err // it was listed a moment ago: the node contradicts itself
	}
	return &unavailableError{fmt.Errorf("get %s: %w", s.object, err)}
}

// unavailableError: a node did not answer, which says nothing about what it holds.
type unavailableError struct{ err error }

func (e *unavailableError) Error() string { return e.err.Error() }
func (e *unavailableError) Unwrap() error { return e.err }

func unavailable(err error) bool {
	var u *unavailableError
	return errors.As(err, &u)
}

// placesFetcher is a cache.NodeSource over places.
type placesFetcher struct {
	places []*place

	mu     sync.Mutex
	chains *chains // under mu
}

// Size implements cache.NodeSource. If nodes differ, the authentic copy decides.
func (f *placesFetcher) Size(ctx context.Context, id segment.ID, epoch uint64) (int64, error) {
	k := objectKey{id, epoch}
	f.mu.Lock()
	defer f.mu.Unlock()
	if l, ok := f.chains.links[k]; ok {
		return l.size, nil
	}
	listed := map[int64]bool{}
	var last int64
	for _, p := range f.places {
		if size, ok := p.size(k); ok {
			last, listed[size] = size, true
		}
	}
	switch len(listed) {
	case 0:
		return 0, fmt.Errorf("size of %s: %w", k.object(), node.ErrNotExist)
	case 1:
		return last, nil
	}
	l, err := f.chains.open(ctx, k, nil)
	return l.size, err
}

// Fetch implements cache.Fetcher.
func (f *placesFetcher) Fetch(ctx context.Context, id segment.ID, epoch uint64, off, length int64, accept func([]byte) error) error {
	k := objectKey{id, epoch}
	e := &fetchError{object: k.object(), last: node.ErrNotExist}
	for _, p := range f.places {
		if _, ok := p.size(k); !ok {
			continue
		}
		err := p.fetch(ctx, k, off, length, accept)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("fetch %s: %w", k.object(), context.Cause(ctx))
		}
		e.last = err
		e.reasons = append(e.reasons, fmt.Sprintf("node %s: %v", RedactURL(p.url), err))
	}
	if len(e.reasons) == 0 {
		e.reasons = []string{"none lists it"}
	}
	return e
}

func (p *place) fetch(ctx context.Context, k objectKey, off, length int64, accept func([]byte) error) error {
	bytes, err := getRange(ctx, p.node, k.object(), off, length, func() {})
	if err != nil {
		return err
	}
	if int64(len(bytes)) != length {
		err = fmt.Errorf("object ends early: %d bytes of %d at offset %d", len(bytes), length, off)
	} else {
		err = accept(bytes)
	}
	if err != nil && ctx.Err() == nil {
		p.fault(k, err)
	}
	return err
}
