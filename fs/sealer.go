package fs

import (
	"dfsmount/cache"
	"dfsmount/segment"
	"errors"
	"fmt"
	"sync"
	"syscall"
)

// sealers is the queue of inodes that have chunks to seal. A leaf.
type sealers struct {
	mu     sync.Mutex
	more   *sync.Cond
	queue  []*inode
	closed bool
}

func newSealers() *sealers {
	s := &sealers{}
	s.more = sync.NewCond(&s.mu)
	return s
}

func (s *sealers) add(in *inode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, in)
	s.more.Signal()
}

// next waits for an inode; nil when closed.
func (s *sealers) next() *inode {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) == 0 {
		if s.closed {
			return nil
		}
		s.more.Wait()
	}
	in := s.queue[0]
	s.queue = s.queue[1:]
	return in
}

func (s *sealers) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.more.Broadcast()
}

// seal is a background sealer: chunk by chunk, so that several share one big file.
func (f *FS) seal() {
	for in := f.sealers.next(); in != nil; in = f.sealers.next() {
		in.mu.Lock()
		f.sealSome(in)
		in.mu.Unlock()
	}
}

// sealSome seals what the inode has for sealers until nothing is left. in.mu is held, and given up while sealing.
func (f *FS) sealSome(in *inode) {
	for in.data != nil {
		d := in.data
		c := d.popTodo()
		if c == nil {
			return
		}
		if len(d.todo) > 0 {
			f.sealers.add(in)
		}
		f.sealChunk(in, d, c)
	}
}

// sealChunk writes one chunk to the log, and to the state what can be. in.mu is held, and given up while sealing.
func (f *FS) sealChunk(in *inode, d *fileData, c *chunk) {
	fresh := c.loc == (segment.Location{})
	in.mu.Unlock()
	var loc segment.Location
	var err error
	if fresh {
		loc, err = f.store.Append(c.buf)
	}
	in.mu.Lock()
	if fresh && err == nil {
		c.loc = loc // under mu: others ask whether a chunk is in the log
		f.store.Release(len(c.buf))
	}
	d.sealing--
	if err != nil {
		c.state = chunkParked
		f.failed(d, fmt.Errorf("seal inode %d at %d: %w", in.id, c.off, err))
		return
	}
	c.state = chunkSealed
	d.sealed++
	d.sealedBytes += int64(len(c.buf))
	if d.err == nil && d.due() {
		f.commit(in, d)
	}
	d.settled.Broadcast()
}

// failed notes that data could not reach the state: fsync tells, and writers do not wait for memory that cannot come. A full disk may
// pass and the data is kept to try again; any other error of the store is for good. The data stays readable.
func (f *FS) failed(d *fileData, err error) {
	if errors.Is(err, cache.ErrFull) || errors.Is(err, syscall.ENOSPC) {
		err = syscall.ENOSPC
	} else {
		d.final = true
	}
	d.err = err
	d.park()
	f.budget.setStuck(err)
	d.settled.Broadcast()
	f.o.Log.Error("written data is not yet safe", "error", err)
}
