package replicator

import (
	"context"
	"slices"
)

// crew is the workers that run. Only Run touches it.
type crew struct {
	ctx     context.Context
	running []hired
	errs    chan error
}

type hired struct {
	w    *worker
	stop context.CancelFunc
	done chan struct{}
}

// hire starts w unless it runs.
func (c *crew) hire(w *worker) {
	if slices.ContainsFunc(c.running, func(h hired) bool { return h.w == w }) {
		return
	}
	ctx, stop := context.WithCancel(c.ctx)
	h := hired{w, stop, make(chan struct{})}
	errs := c.failed()
	go func() {
		defer close(h.done)
		if err := w.run(ctx); err != nil {
			select {
			case errs <- err:
			default: // one is enough to end Run
			}
		}
	}()
	c.running = append(c.running, h)
}

// dismiss ends the workers that are not in keep, waits for them, and returns them.
func (c *crew) dismiss(keep []*worker) []*worker {
	var gone []*worker
	var left []hired
	for _, h := range c.running {
		if slices.Contains(keep, h.w) {
			left = append(left, h)
			continue
		}
		h.stop()
		gone = append(gone, h.w)
		defer func() { <-h.done }()
	}
	c.running = left
	return gone
}

// failed gets the first error of a worker: one of the local store, never of a node.
func (c *crew) failed() chan error {
	if c.errs == nil {
		c.errs = make(chan error, 1)
	}
	return c.errs
}
