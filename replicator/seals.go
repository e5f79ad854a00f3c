package replicator

import (
	"context"
	"sync"

	"dfsmount/segment"
)

// sealGroup lets any number of callers share seals of the open segment. Who comes while a seal runs cannot rely on it,
// as it may have begun before his last write: all of those share the next one.
type sealGroup struct {
	seal func(ctx context.Context) (segment.ID, error)

	mu      sync.Mutex
	running *sealCall
	waiting *sealCall
	idle    chan struct{} // closed when the last run that began has ended; nil before the first
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
		g.idle = make(chan struct{})
		go g.run(g.running, g.idle)
		return g.running
	}
	if g.waiting == nil {
		g.waiting = &sealCall{done: make(chan struct{})}
	}
	return g.waiting
}

// wait returns when no seal runs: the store may be closed then, if nobody begins another.
func (g *sealGroup) wait() {
	g.mu.Lock()
	idle := g.idle
	g.mu.Unlock()
	if idle != nil {
		<-idle
	}
}

// run seals for one call after the other until nobody waits. No caller's context reaches the seal: durability work is never cancelled.
func (g *sealGroup) run(call *sealCall, idle chan struct{}) {
	defer close(idle)
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
