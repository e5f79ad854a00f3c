package replicator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"dfsmount/node"
)

// source is the verified bytes of one segment on their way to a node.
type source struct {
	io.ReaderAt
	size  int64
	sum   node.Sum
	close func()
}

func (s *source) Close() { s.close() }

// source finds the bytes of s: here, or, if the segment is not here or its file is damaged, on another node, or at last
// on the very node whose acknowledgement is missing: after the loss of the index nobody knows any more that it has the
// segment, and it may be the only one. Every error is an objectError but those of ctx: without its bytes a segment
// waits, visibly, and holds up no other.
func (r *Replicator) source(ctx context.Context, w *worker, s sealedSegment) (*source, error) {
	src, err := r.localSource(s)
	if err == nil {
		r.mended(s)
		return src, nil
	}
	var damage *damageError
	if errors.As(err, &damage) {
		r.damage(s, damage)
	}
	src, far := r.nodeSource(ctx, w, s)
	if far == nil {
		return src, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return nil, &objectError{object: s.object(), err: fmt.Errorf("no copy to send: %w; %w", err, far)}
}

// localSource verifies the local file once (lesson: what is sent must be what was sealed) and opens it.
func (r *Replicator) localSource(s sealedSegment) (*source, error) {
	f, err := r.local.open(s.number)
	if errors.Is(err, errNotHere) {
		return nil, err
	}
	if err != nil {
		return nil, &damageError{err}
	}
	sum, err := r.digests.get(s.number, func() (node.Sum, error) { return r.verifyLocal(s, f) })
	if err != nil {
		f.Close()
		return nil, &damageError{err}
	}
	size, err := f.Size()
	if err != nil {
		f.Close()
		return nil, &damageError{err}
	}
	return &source{f, size, sum, func() { f.Close() }}, nil
}

func (r *Replicator) verifyLocal(s sealedSegment, f localFile) (node.Sum, error) {
	size, err := f.Size()
	if err != nil {
		return node.Sum{}, err
	}
	if s.size != 0 && !s.guessed && size != s.size {
		return node.Sum{}, fmt.Errorf("file has %d bytes, want %d", size, s.size)
	}
	if err := r.local.verify(s, f); err != nil {
		return node.Sum{}, err
	}
	return sumOf(f)
}

// nodeSource fetches the whole segment from a node into RAM, w's own last; a few at a time.
func (r *Replicator) nodeSource(ctx context.Context, w *worker, s sealedSegment) (*source, error) {
	select {
	case r.copies <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	release := func() { <-r.copies }
	var body []byte
	length := s.size
	if s.guessed || length == 0 {
		length = -1
	}
	err := r.fetch(ctx, s, 0, length, w, func(b []byte) error {
		body = b
		return r.local.verify(s, byteSource{bytes.NewReader(b)})
	})
	if err != nil {
		release()
		return nil, err
	}
	src := byteSource{bytes.NewReader(body)}
	sum, err := sumOf(src)
	if err != nil {
		release()
		return nil, err
	}
	return &source{src, int64(len(body)), sum, release}, nil
}

// byteSource is a segment in RAM.
type byteSource struct{ *bytes.Reader }

func (b byteSource) Size() (int64, error) { return b.Reader.Size(), nil }

// Damage is the fault of a local copy.
type Damage struct {
	Segment uint64    `json:"segment"`
	Error   string    `json:"error"`
	Since   time.Time `json:"since"`
}

func (r *Replicator) damage(s sealedSegment, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.damaged[s.number]; known {
		return
	}
	r.opts.Log.Error("local copy of a segment is missing or damaged", "segment", s.object(), "err", err)
	r.damaged[s.number] = Damage{uint64(s.number), err.Error(), time.Now()}
	r.changedLocked()
}

func (r *Replicator) mended(s sealedSegment) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.damaged[s.number]; !known {
		return
	}
	r.opts.Log.Info("local copy of a segment is whole again", "segment", s.object())
	delete(r.damaged, s.number)
	r.changedLocked()
}
