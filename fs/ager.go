package fs

import (
	"sync"
	"time"
)

// ager knows the inodes with dirty data, oldest first. A leaf.
type ager struct {
	mu    sync.Mutex
	dirty map[*inode]struct{} // with any chunk at all
	fifo  []aging             // with a dirty chunk, by age; may name inodes that are clean by now
	wake  chan struct{}
}

type aging struct {
	in    *inode
	since time.Time
}

func newAger() *ager {
	return &ager{dirty: map[*inode]struct{}{}, wake: make(chan struct{}, 1)}
}

// add notes that in has data that nobody seals yet.
func (a *ager) add(in *inode) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.dirty[in] = struct{}{}
	a.fifo = append(a.fifo, aging{in, time.Now()})
	if len(a.fifo) == 1 {
		select {
		case a.wake <- struct{}{}:
		default:
		}
	}
}

func (a *ager) clean(in *inode) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.dirty, in)
}

func (a *ager) all() []*inode {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := make([]*inode, 0, len(a.dirty))
	for in := range a.dirty {
		l = append(l, in)
	}
	return l
}

// pop takes the oldest inode if it is dirty since before t, or tells since when it is.
func (a *ager) pop(t time.Time) (in *inode, since time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.fifo) == 0 {
		return nil, time.Time{}
	}
	if o := a.fifo[0]; o.since.After(t) {
		return nil, o.since
	}
	in = a.fifo[0].in
	a.fifo[0] = aging{}
	a.fifo = a.fifo[1:]
	return in, time.Time{}
}

// age seals what is dirty for longer than DirtyAge.
func (f *FS) age() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-f.stop:
			return
		case <-timer.C:
		case <-f.ager.wake:
		case <-f.budget.nudge:
			f.relieve()
		}
		for {
			in, since := f.ager.pop(time.Now().Add(-f.o.DirtyAge))
			if in != nil {
				f.expire(in)
				continue
			}
			if !since.IsZero() {
				timer.Reset(time.Until(since.Add(f.o.DirtyAge)))
			}
			break
		}
	}
}

// relieve hands the oldest dirty data to the sealers whatever its age, while there is pressure.
func (f *FS) relieve() {
	for f.budget.pressed() {
		in, _ := f.ager.pop(time.Now())
		if in == nil {
			return
		}
		f.expire(in)
	}
}

// expire hands an inode's dirty data to the sealers. What has to wait for something comes up again.
func (f *FS) expire(in *inode) {
	in.mu.Lock()
	defer in.mu.Unlock()
	d := in.data
	if d == nil {
		return
	}
	d.aged = false
	f.again(in, d)
	if in.data != d {
		return
	}
	f.launchAll(in, d)
	if d.again || d.err != nil {
		f.ageing(in, d)
	}
}

// ageing makes sure that the ager comes for an inode. in.mu is held.
func (f *FS) ageing(in *inode, d *fileData) {
	if !d.aged {
		d.aged = true
		f.ager.add(in)
	}
}
