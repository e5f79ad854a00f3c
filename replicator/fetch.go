package replicator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"dfsmount/node"
	"dfsmount/segment"
)

// suspectFor is how long a node that failed a read is asked last.
const suspectFor = 30 * time.Second

// Fetch reads length bytes at off of a segment that is not here, and gives them to accept; the range must lie in the
// segment. Nodes that acknowledged the segment come first, the nearest of them before the others, then nodes that did
// not, and nodes that do not answer last. accept authenticates the bytes (the slice is its own): if it returns an error,
// that node's object is marked bad, loses its acknowledgement, and the next node is asked. When every node failed, the
// error names each and its reason. Implements cache.Fetcher. It works without Run.
func (r *Replicator) Fetch(ctx context.Context, id segment.ID, epoch uint64, off, length int64, accept func([]byte) error) error {
	return r.fetch(ctx, sealedSegment{number: id, epoch: epoch}, off, length, nil, accept)
}

// fetch is Fetch that asks the node of after, if given, after all others. A length of -1 asks each node for the whole
// object, as large as the node says it is.
func (r *Replicator) fetch(ctx context.Context, s sealedSegment, off, length int64, after *worker, accept func([]byte) error) error {
	var reasons []string
	var last error
	for _, w := range r.nearest(s, after) {
		err := w.read(ctx, s, off, length, accept)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("fetch %s: %w", s.object(), context.Cause(ctx))
		}
		last = err
		reasons = append(reasons, fmt.Sprintf("node %q: %v", w.conf.Name, err))
	}
	if last == nil {
		return fmt.Errorf("fetch %s: the volume has no node", s.object())
	}
	return &fetchError{s.object(), reasons, last}
}

// fetchError names every node's reason.
type fetchError struct {
	object  string
	reasons []string
	last    error
}

func (e *fetchError) Error() string {
	return fmt.Sprintf("fetch %s: no node has it whole: %s", e.object, strings.Join(e.reasons, "; "))
}

func (e *fetchError) Unwrap() error { return e.last }

// nearest orders the nodes for a read of s; after comes last.
func (r *Replicator) nearest(s sealedSegment, after *worker) []*worker {
	type rank struct {
		w       *worker
		class   int
		latency time.Duration
	}
	r.mu.Lock()
	now := time.Now()
	ranks := make([]rank, 0, len(r.workers))
	for _, w := range r.workers {
		class := w.classLocked(s, now)
		if w == after {
			class = classLast
		}
		ranks = append(ranks, rank{w, class, w.latency})
	}
	r.mu.Unlock()
	slices.SortStableFunc(ranks, func(a, b rank) int {
		return cmp.Or(cmp.Compare(a.class, b.class), cmp.Compare(a.latency, b.latency))
	})
	workers := make([]*worker, len(ranks))
	for i, k := range ranks {
		workers[i] = k.w
	}
	return workers
}

// classLast is behind every class that classLocked knows.
const classLast = 4

// classLocked sorts nodes by hope: 0 answers and has s, 1 answers, 2 has s, 3 neither.
func (w *worker) classLocked(s sealedSegment, now time.Time) int {
	class := 0
	if w.reach == reachUnreachable || w.suspect.After(now) {
		class += 2
	}
	if !w.acked.has(s.number) {
		class++
	}
	return class
}

// read asks one node.
func (w *worker) read(ctx context.Context, s sealedSegment, off, length int64, accept func([]byte) error) error {
	n, err := w.open()
	if err != nil {
		return err
	}
	if length < 0 {
		info, err := n.Stat(ctx, s.object())
		if err != nil {
			return fmt.Errorf("stat: %w", err)
		}
		if length = info.Size; length > segment.MaxSize {
			return fmt.Errorf("object of %d bytes is larger than any segment", length)
		}
	}
	began := time.Now()
	bytes, err := getRange(ctx, n, s.object(), off, length, func() { w.measured(time.Since(began)) })
	switch {
	case err == nil:
		w.heard()
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, node.ErrNotExist):
		return errors.Join(err, w.bad(s, err))
	default:
		w.suspected()
		return err
	}
	if int64(len(bytes)) != length {
		err = fmt.Errorf("object ends early: %d bytes of %d at offset %d", len(bytes), length, off)
	} else {
		err = accept(bytes)
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	return errors.Join(err, w.bad(s, err))
}

// getRange reads a range into RAM, calling first when the answer begins.
func getRange(ctx context.Context, n node.Node, object string, off, length int64, first func()) ([]byte, error) {
	body, err := n.Get(ctx, object, off, length)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	first()
	bytes, err := io.ReadAll(io.LimitReader(body, length+1))
	if err != nil {
		return nil, err
	}
	if int64(len(bytes)) > length {
		return nil, fmt.Errorf("node sent more than the %d bytes asked for", length)
	}
	return bytes, nil
}

// measured smooths the node's latency.
func (w *worker) measured(d time.Duration) {
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	if w.latency == 0 {
		w.latency = d
	}
	w.latency += (d - w.latency) / 4
}

// suspected makes reads ask this node last for a while. Its worker looks at once, if it believed the node to be there;
// one that knows better keeps to its pauses however many reads fail.
func (w *worker) suspected() {
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	w.suspect = time.Now().Add(suspectFor)
	if w.reach == reachOK {
		signal(w.kick)
	}
}

// heard makes the worker of a node that answered a read while it was thought to be away look at once.
func (w *worker) heard() {
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	if w.reach == reachUnreachable {
		signal(w.kick)
	}
}

// bad records that the node's object of s is missing or not what was put. If it had been acknowledged, that is taken
// back: a copy that cannot be used is none. Its worker reads the object back and compares before it may count again.
func (w *worker) bad(s sealedSegment, why error) error {
	missing := errors.Is(why, node.ErrNotExist)
	w.r.mu.Lock()
	known, ok := w.r.hist.find(s.number)
	acked := ok && known.epoch == s.epoch && w.acked.has(s.number)
	if !missing || acked {
		w.r.opts.Log.Error("node gave a bad answer for a segment", "node", w.conf.Name, "object", s.object(), "err", why)
	}
	if acked && !missing {
		w.setAsideLocked(&objectError{object: s.object(), err: why, reread: true})
		w.faults[s.object()].retry = time.Time{}
	}
	if acked && missing {
		w.losses, w.lastLoss = w.losses+1, s.object()
	}
	w.r.mu.Unlock()
	if !acked {
		return nil
	}
	return w.retract([]sealedSegment{known})
}
