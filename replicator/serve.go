package replicator

import (
	"context"
	"errors"
	"time"

	"dfsmount/node"
	"dfsmount/segment"
)

// outcome of one upload.
type outcome struct {
	seg sealedSegment
	err error
}

// serve sends the node what it lacks, oldest first, a few at a time, until one fails for a reason that is the node's. Uploads under way
// then are waited for: what they achieved is recorded.
func (w *worker) serve(ctx context.Context, n node.Node) error {
	results := make(chan outcome, w.r.opts.Uploads) // what ends while others are recorded waits here
	inFlight := map[segment.ID]bool{}
	var failure error
	for {
		for failure == nil && len(inFlight) < w.r.opts.Uploads {
			if failure = w.preface(ctx, n); failure != nil {
				break
			}
			s, reread, ok := w.next(inFlight)
			if !ok {
				break
			}
			inFlight[s.number] = true
			go func() { results <- outcome{s, w.upload(ctx, n, s, reread)} }()
		}
		if len(inFlight) == 0 {
			if failure != nil {
				return failure
			}
			w.backoff.Reset()
			if err := w.idle(ctx, n); err != nil {
				return err
			}
			continue
		}
		select {
		case <-w.wake:
		case o := <-results:
			if err := w.settle(ctx, n, gather(o, results), inFlight); err != nil && failure == nil {
				failure = err
			}
		}
	}
}

// gather takes the outcomes that are there already along with the first, so that one transaction records them all.
func gather(first outcome, more chan outcome) []outcome {
	all := []outcome{first}
	for {
		select {
		case o := <-more:
			all = append(all, o)
		default:
			return all
		}
	}
}

// settle records what uploads came to. It returns the first error that is the node's or the store's.
func (w *worker) settle(ctx context.Context, n node.Node, all []outcome, inFlight map[segment.ID]bool) error {
	var done []sealedSegment
	var failure error
	for _, o := range all {
		delete(inFlight, o.seg.number)
		var aside *objectError
		switch {
		case o.err == nil:
			done = append(done, o.seg)
		case errors.As(o.err, &aside):
			w.setAside(aside)
		case failure == nil:
			failure = o.err
		}
	}
	if len(done) == 0 {
		return failure
	}
	if err := w.stillOurs(ctx, n); err != nil {
		return err // nothing is lost by not recording: it is put again, which is no error
	}
	w.backoff.Reset()
	// R2: the record comes after Put returned nil, never before. A crash in between puts the object again.
	if err := w.acknowledge(done); err != nil {
		return err
	}
	return failure
}

// idle waits for something to do. Now and then, and when kicked, it looks whether the node still answers and whether
// another writer was there: a node that is current and gone should not look current for ever.
func (w *worker) idle(ctx context.Context, n node.Node) error {
	look := time.NewTimer(idleLook)
	defer look.Stop()
	var later <-chan time.Time
	if at := w.nextFault(); !at.IsZero() {
		t := time.NewTimer(time.Until(at))
		defer t.Stop()
		later = t.C
	}
	select {
	case <-w.wake:
		return nil
	case <-later:
		return nil
	case <-w.kick:
	case <-look.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return w.greet(ctx, n)
}
