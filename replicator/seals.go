package replicator

import (
	"context"
	"sync"

	"dfsmount/segment"
)

// sealGroup lets any number of callers share seals of the open segment. Who comes while a seal runs cannot rely on it, as it may have begun
// before his last write: all of those share the next one.
type sealGroup struct {
	seal func(ctx context.Context) (segment.ID, error)

	mu      sync.Mutex
	running *sealCall
	waiting *sealCall
}

type sealCall struct {
	done chan struct{} // closed once id and err are set
	id   segment.ID
	err  error
}

// do returns the newest sealed segment after a seal that began after the call.
func (g *sealGroup) do(ctx context.Context) (segment.ID, error) {
	call := g.join()
	select {
	case <-call.done:
		return call.id, call.err
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

func (g *sealGroup) join() *sealCall {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running == nil {
		g.running = &sealCall{done: make(chan struct{})}
		go g.run(g.running)
		return g.running
	}
	if g.waiting == nil {
		g.waiting = &sealCall{done: make(chan struct{})}
	}
	return g.waiting
}

// run seals for one call after the other until nobody waits. No caller's context reaches the seal: durability work is never cancelled.
func (g *sealGroup) run(call *sealCall) {
	for call != nil {
		call.id, call.err = g.seal(context.Background())
		close(call.done)
		call = g.advance()
	}
}

func (g *sealGroup) advance() *sealCall {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running, g.waiting = g.waiting, nil
	return g.running
}
