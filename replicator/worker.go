package replicator

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"

	"dfsmount/node"
	"dfsmount/segment"
)

// worker brings one node up to date and keeps it so. run and what it calls belong to one goroutine; other goroutines read the fields
// under Replicator.mu and use the node.
type worker struct {
	r    *Replicator
	conf NodeConfig
	wake chan struct{} // there may be something to do
	kick chan struct{} // ask the node now, whatever the pause

	backoff  *backoff.ExponentialBackOff
	auditDue bool   // what the node holds must be compared with what it acknowledged
	headerAt uint64 // generation of the header the node has

	openMu sync.Mutex // held while the node is opened
	opened node.Node

	ackMu sync.Mutex // held over a change of acknowledgements in the index and then in RAM, so that both see one order

	// Under Replicator.mu:
	acked   idSet
	faults  map[string]*fault // by object
	reach   reach
	since   time.Time // of reach
	lastErr error
	lastAt  time.Time
	lastAck time.Time
	nextTry time.Time
	latency time.Duration // of the beginning of an answer to a read, smoothed; 0 if never measured
	suspect time.Time     // until then reads ask this node last
	down    time.Time     // since when it does not answer; zero while it does

	losses   uint64 // acknowledged segments that audits did not find
	lastLoss string
}

func newWorker(r *Replicator, conf NodeConfig) *worker {
	return &worker{
		r:        r,
		conf:     conf,
		wake:     make(chan struct{}, 1),
		kick:     make(chan struct{}, 1),
		backoff:  newBackOff(),
		auditDue: true,
		faults:   map[string]*fault{},
		since:    time.Now(),
	}
}

// serves tells whether w can go on for conf.
func (w *worker) serves(conf NodeConfig) bool {
	return w.conf.ID == conf.ID && w.conf.Name == conf.Name && w.conf.URL == conf.URL
}

// open returns the node, opening it at the first call that can.
func (w *worker) open() (node.Node, error) {
	w.openMu.Lock()
	defer w.openMu.Unlock()
	if w.opened != nil {
		return w.opened, nil
	}
	n, err := w.r.opts.Open(w.conf)
	if err != nil {
		return nil, fmt.Errorf("open node %q: %w", w.conf.Name, err)
	}
	w.opened = n
	return n, nil
}

// run works until ctx ends. It returns an error only for a failure of the local store: what a node does is state, never an end.
func (w *worker) run(ctx context.Context) error {
	if err := w.load(); err != nil {
		return err
	}
	for ctx.Err() == nil {
		err := w.session(ctx)
		var fatal *storeError
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &fatal):
			return err
		case errors.Is(err, ErrFenced):
			<-ctx.Done()
			return nil
		}
		w.pause(ctx, w.failed(err))
	}
	return nil
}

// load reads the acknowledgements again: a worker before this one, for the same node at another URL, may have changed
// them since New or Apply read them.
func (w *worker) load() error {
	w.ackMu.Lock()
	defer w.ackMu.Unlock()
	acked, err := w.r.local.acks(w.conf.ID)
	if err != nil {
		return &storeError{fmt.Errorf("read acknowledgements of node %q: %w", w.conf.Name, err)}
	}
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	w.acked = acked
	w.r.changedLocked()
	return nil
}

// storeError is a failure of the local store.
type storeError struct{ err error }

func (e *storeError) Error() string { return e.err.Error() }
func (e *storeError) Unwrap() error { return e.err }

// session is one stretch of contact with the node; it ends with the first error that is the node's.
func (w *worker) session(ctx context.Context) error {
	n, err := w.open()
	if err != nil {
		return err
	}
	if err := w.greet(ctx, n); err != nil {
		return err
	}
	w.answers()
	w.headerAt = 0 // it may have lost that too
	if w.auditDue {
		if err := w.audit(ctx, n); err != nil {
			return err
		}
		w.auditDue = false
	}
	return w.serve(ctx, n)
}

// failed records that the node failed and tells how long to leave it alone.
func (w *worker) failed(err error) time.Duration {
	pause := pauseAfter(w.backoff, err)
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	now := time.Now()
	w.lastErr, w.lastAt, w.nextTry = err, now, now.Add(pause)
	if w.down.IsZero() {
		w.down = now
	}
	w.moveLocked(classify(err), now)
	return pause
}

// answers records that the node answers. The backoff stays: a node that lists but cannot store would be asked without pause.
func (w *worker) answers() {
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	w.down, w.suspect = time.Time{}, time.Time{}
	w.moveLocked(reachOK, time.Now())
}

// moveLocked changes the node's state, with a line in the log.
func (w *worker) moveLocked(to reach, now time.Time) {
	if w.reach == to {
		return
	}
	log := w.r.opts.Log.With("node", w.conf.Name)
	switch to {
	case reachOK:
		log.Info("node answers", "after", now.Sub(w.since).Round(time.Millisecond))
		w.nextTry = time.Time{}
	case reachRefused:
		log.Error("node refuses", "err", w.lastErr, "next_try", w.nextTry)
	case reachFull:
		log.Error("node is full", "err", w.lastErr, "next_try", w.nextTry)
	default:
		log.Warn("node does not answer", "err", w.lastErr, "next_try", w.nextTry)
	}
	w.reach, w.since = to, now
	w.r.changedLocked()
}

// pause waits, unless it is kicked or ctx ends.
func (w *worker) pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-w.kick:
	case <-ctx.Done():
	}
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	if time.Since(w.down) >= auditAfter {
		w.auditDue = true
	}
}

// next picks the oldest segment that the node has not acknowledged, is not on its way, and is not put aside.
func (w *worker) next(inFlight map[segment.ID]bool) (s sealedSegment, reread, ok bool) {
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	now := time.Now()
	for _, missing := range w.r.hist.missing(w.acked) {
		for _, s := range w.r.hist.in(missing) {
			if inFlight[s.number] {
				continue
			}
			f := w.faultLocked(s)
			if f != nil && f.retry.After(now) {
				continue
			}
			return s, f != nil && f.reread, true
		}
	}
	return sealedSegment{}, false, false
}

func (w *worker) faultLocked(s sealedSegment) *fault {
	if len(w.faults) == 0 {
		return nil
	}
	return w.faults[s.object()]
}

// acknowledge records in the index, durably, and then in RAM, that the node has ids.
func (w *worker) acknowledge(segs []sealedSegment) error {
	w.ackMu.Lock()
	defer w.ackMu.Unlock()
	if err := w.r.local.recordAcks(w.conf.ID, numbers(segs)); err != nil {
		return &storeError{fmt.Errorf("record acknowledgements of node %q: %w", w.conf.Name, err)}
	}
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	for _, s := range segs {
		w.acked.add(s.number)
		delete(w.faults, s.object())
	}
	w.lastAck = time.Now()
	w.r.changedLocked()
	return nil
}

// retract takes acknowledgements back, in the index and then in RAM: the node does not have what it acknowledged.
func (w *worker) retract(segs []sealedSegment) error {
	w.ackMu.Lock()
	defer w.ackMu.Unlock()
	if err := w.r.local.dropAcks(w.conf.ID, numbers(segs)); err != nil {
		return &storeError{fmt.Errorf("take back acknowledgements of node %q: %w", w.conf.Name, err)}
	}
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	for _, s := range segs {
		w.acked.remove(s.number)
	}
	signal(w.wake)
	w.r.changedLocked()
	return nil
}

func numbers(segs []sealedSegment) []segment.ID {
	ids := make([]segment.ID, len(segs))
	for i, s := range segs {
		ids[i] = s.number
	}
	return ids
}
