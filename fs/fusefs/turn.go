package fusefs

import (
	"sync/atomic"
	"time"
)

// turn says which reader may read, and whether it is at work on a request it answers itself. A reader whose request takes long is relieved:
// another takes the turn, and the first one ends when it has answered. So a mount never waits for one operation longer than two ticks, and the
// choice between keeping the turn and passing it on is one of speed only, never of progress.
//
// The word holds the reader's generation in the upper half and counts its requests in the lower: odd while at work. Only the reader of
// that generation changes it, but for the relief, which may do so while it is odd: hence the compare-and-swap on leaving.
type turn struct {
	word     atomic.Uint64
	op       atomic.Uint32 // opcode at work
	watched  atomic.Bool   // the relief is looking
	wake     chan struct{} // makes it look
	finished chan struct{} // ends it
	gone     chan struct{} // it has ended
}

func newTurn() *turn {
	return &turn{wake: make(chan struct{}, 1), finished: make(chan struct{}), gone: make(chan struct{})}
}

// enter is called by the reader before it works on a request. It returns what leave wants.
func (t *turn) enter(op uint32) uint64 {
	t.op.Store(op)
	v := t.word.Add(1)
	if !t.watched.Load() && t.watched.CompareAndSwap(false, true) {
		t.wake <- struct{}{}
	}
	return v
}

// leave tells whether the reader still has the turn.
func (t *turn) leave(v uint64) bool {
	return t.word.CompareAndSwap(v, v+1)
}

const (
	// tick is the relief's. An operation answered from memory takes a hundredth of it.
	tick = time.Millisecond
	// idleTicks without a request send the relief to sleep, so that an idle mount uses no CPU.
	idleTicks = 3
)

// relieve calls next with the opcode of a request that takes long, after its reader has lost the turn. It returns at finish.
func (t *turn) relieve(next func(op uint32)) {
	defer close(t.gone)
	for {
		select {
		case <-t.wake:
			t.watch(next)
		case <-t.finished:
			return
		}
	}
}

// watch looks once a tick until the readers have been idle. The order at the end matters: a reader that enters between the last look and the store
// sees watched still true and does not wake us, so we look again after the store.
func (t *turn) watch(next func(op uint32)) {
	for {
		last := t.untilIdle(next)
		t.watched.Store(false)
		if t.word.Load() == last || !t.watched.CompareAndSwap(false, true) {
			return
		}
	}
}

func (t *turn) untilIdle(next func(op uint32)) uint64 {
	last := t.word.Load()
	for idle := 0; idle < idleTicks; {
		time.Sleep(tick)
		now := t.word.Load()
		switch {
		case now != last:
			idle, last = 0, now
		case now&1 == 0:
			idle++
		default:
			last = (now>>32 + 1) << 32
			if t.word.CompareAndSwap(now, last) {
				next(t.op.Load())
			}
		}
	}
	return last
}

// finish ends the relief: when it returns, next is not called any more.
func (t *turn) finish() {
	close(t.finished)
	<-t.gone
}
