package cache

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// space answers in nanoseconds whether the disk could take more file data. The truth is the disk's free bytes and what is allocated
// to the open and the next segment, less what is kept back; it is asked for after each segment, and whenever the answer would be no.
type space struct {
	s      *Store
	claims atomic.Int64 // bytes promised and not yet appended
	avail  atomic.Int64 // what claims may reach

	mu    sync.Mutex // held while the disk is asked
	asked time.Time
	free  int64 // of the disk, when asked
	total int64
}

// Reserve claims room for n bytes of file data that will be appended later; ErrFull if the disk could not take them. Release gives a
// claim back, in part or whole: after the Append of those bytes, or when they are not needed any more.
func (s *Store) Reserve(n int) error {
	if err := s.Err(); err != nil {
		return err
	}
	s.space.claims.Add(int64(n))
	if s.space.claimed() <= s.space.avail.Load() {
		return nil
	}
	s.space.refresh(50 * time.Millisecond)
	if s.space.claimed() <= s.space.avail.Load() {
		return nil
	}
	s.space.claims.Add(-int64(n))
	return ErrFull
}

// Release gives back n bytes of what Reserve claimed.
func (s *Store) Release(n int) { s.space.claims.Add(-int64(n)) }

// claimed is what the claims take: the data, its packages and frames, and the extent records, which stand in the log twice
// and in the index once.
func (p *space) claimed() int64 { n := p.claims.Load(); return n + n/32 }

// spent tells that allocated room was used up.
func (p *space) spent(n int64) { p.avail.Add(-n) }

// refresh asks the disk unless it was asked less than age ago.
func (p *space) refresh(age time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.asked) < age {
		return
	}
	if err := p.askLocked(); err != nil {
		p.s.opts.Log.Warn("cannot tell how much the disk can take", "err", err)
	}
}

// askLocked counts what is allocated before it asks for what is free: what moves from one to the other in between is then missing from the
// answer, not in it twice.
func (p *space) askLocked() error {
	allocated, missing := p.s.log.allocated()
	free, total, err := p.s.disk.Free()
	if err != nil {
		return fmt.Errorf("ask the disk for its free space: %w", err)
	}
	p.asked, p.free, p.total = time.Now(), free, total
	p.avail.Store(max(free-missing-p.kept(total), 0) + max(allocated-commitCost(p.s.waiting.Load())-segmentBase, 0))
	return nil
}

// allocated is the room of the open and of the next segment, and missing what the reserve still wants. No segment changes from next to
// open in between.
func (l *log) allocated() (room, missing int64) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.roomLocked() + l.prep.ready.Load(), l.prep.keep - l.prep.stock.Load()
}

// kept is what file data may not take: room for the index and for records of the state.
func (p *space) kept(total int64) int64 { return min(32<<20, total/16) }

// room is what the open segment still has for anything.
func (l *log) room() int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.roomLocked()
}

func (l *log) roomLocked() int64 {
	if l.cur == nil || l.cur.reserve {
		return 0
	}
	return max(l.cur.room.Load(), 0)
}

// Space tells what the disk can still take of file data, its size, and how much the log holds here, in bytes.
func (s *Store) Space() (free, total, used int64) {
	s.space.refresh(time.Second)
	free = max(s.space.avail.Load()-s.space.claimed(), 0)
	s.space.mu.Lock()
	total = s.space.total
	s.space.mu.Unlock()
	return free, total, s.segs.localBytes() + s.log.openBytes()
}

// openBytes is the size of what is not sealed.
func (l *log) openBytes() (n int64) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, c := range l.closing {
		n += c.end
	}
	if l.cur != nil {
		n += l.cur.w.Size()
	}
	return n
}
