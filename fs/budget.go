package fs

import (
	"sync"
	"sync/atomic"
)

// budget bounds the memory of dirty data. A leaf.
type budget struct {
	bound int64

	mu      sync.Mutex
	freed   *sync.Cond
	used    int64
	highest int64
	waiting int
	stuck   error // why nothing can be freed at the moment
	closed  bool

	flying atomic.Int64  // of used, with the sealers
	nudge  chan struct{} // tells that more should be
}

func newBudget(bound int64) *budget {
	b := &budget{bound: bound, nudge: make(chan struct{}, 1)}
	b.freed = sync.NewCond(&b.mu)
	return b
}

// take takes n bytes if they are there.
func (b *budget) take(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.takeLocked(n)
}

func (b *budget) takeLocked(n int64) bool {
	if b.used+n > b.bound {
		return false
	}
	b.used += n
	b.highest = max(b.highest, b.used)
	return true
}

// wait takes n bytes when they are there. While dirty data cannot be written it fails, with the reason.
func (b *budget) wait(n int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting++
	defer func() { b.waiting-- }()
	for !b.takeLocked(n) {
		if b.closed {
			return errClosed
		}
		if b.stuck != nil {
			return b.stuck
		}
		b.relieveLocked()
		b.freed.Wait()
	}
	return nil
}

func (b *budget) free(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
	if b.waiting > 0 {
		b.freed.Broadcast()
	}
	b.relieveLocked()
}

// pressed tells whether dirty data should go to the sealers whatever its age: there is much that they do not have, or somebody waits and
// they will soon have nothing left to do. It is no reason that they are behind: breaking up streams would make them slower.
func (b *budget) pressed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.pressedLocked()
}

func (b *budget) pressedLocked() bool {
	flying := b.flying.Load()
	return b.used-flying > b.bound/2 || b.waiting > 0 && flying < b.bound/4
}

func (b *budget) relieveLocked() {
	if b.pressedLocked() {
		select {
		case b.nudge <- struct{}{}:
		default:
		}
	}
}

// setStuck notes that dirty data cannot be written (nil: that it can).
func (b *budget) setStuck(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stuck = err
	if err != nil {
		b.freed.Broadcast()
	}
}

func (b *budget) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.freed.Broadcast()
}
