package replicator

import "time"

// fault is an object put aside.
type fault struct {
	err    error
	since  time.Time
	retry  time.Time
	reread bool // see objectError
}

// setAside records the fault of one object and goes on with the others.
func (w *worker) setAside(e *objectError) {
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	w.setAsideLocked(e)
}

func (w *worker) setAsideLocked(e *objectError) {
	now := time.Now()
	f := w.faults[e.object]
	if f == nil {
		f = &fault{since: now}
		w.faults[e.object] = f
		w.r.opts.Log.Error("object put aside", "node", w.conf.Name, "object", e.object, "err", e.err)
	}
	f.err, f.retry, f.reread = e.err, now.Add(refusedRetry), f.reread || e.reread
	w.r.changedLocked()
}

// clear forgets the fault of an object.
func (w *worker) clear(object string) {
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	delete(w.faults, object)
}

// due tells whether an object put aside may be tried again.
func (w *worker) due(object string) bool {
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	f := w.faults[object]
	return f != nil && !f.retry.After(time.Now())
}

// nextFault is when the first object put aside may be tried again; zero if there is none. What could be tried already has been.
func (w *worker) nextFault() time.Time {
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	var first time.Time
	now := time.Now()
	for _, f := range w.faults {
		if !f.retry.After(now) {
			continue
		}
		if first.IsZero() || f.retry.Before(first) {
			first = f.retry
		}
	}
	return first
}
