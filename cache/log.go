package cache

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"dfsmount/seal"
	"dfsmount/segment"
)

// Room is counted before anything is written: every frame pays, from the bytes allocated to its segment, for itself and for
// what it adds to the footer. So neither a frame nor a footer ever meets a full disk half written.
const (
	segmentBase = 4 << 10 // header, trailer and an empty footer
	frameBase   = 256     // frame header, package headers of the frame and of the footer, the footer's line about it
)

// frameCost is what an extent, page or manifest of n bytes takes.
func frameCost(n int) int64 { return int64(seal.SealedSize(n)) + frameBase }

// commitCost is what a commit of n bytes of changes takes: it stands in the footer once more.
func commitCost(n int64) int64 { return 2*(n+n/1024+64) + 2*frameBase }

// openSegment is one segment that is being written or waits for its footer.
type openSegment struct {
	id    segment.ID
	epoch uint64
	w     *segment.Writer
	file  *handle // what w writes to; the segment is its user until it is sealed

	size        int64        // bytes allocated
	reserve     bool         // its file was the reserve: for commits only
	room        atomic.Int64 // of which not yet spoken for
	commits     bool         // holds a commit; guarded by log.mu (write) or the committer
	started     time.Time
	firstCommit time.Time
	checkpoint  segment.Location // newest manifest up to its end; set when it is closed
	lastSeq     uint64           // of the last commit up to its end; set when it is closed
	end         int64            // of its frames; set when it is closed

	sync   sync.Mutex
	synced bool // everything it will ever hold but the footer is durable
}

// take speaks for n bytes of its room.
func (c *openSegment) take(n int64) bool {
	if c.room.Add(-n) >= 0 {
		return true
	}
	c.room.Add(n)
	return false
}

// recount replaces the estimates of what its frames take by what they took. log.mu is held for writing: nothing is on its way.
func (c *openSegment) recount() int64 {
	room := c.size - c.w.Size() - c.w.FooterSize() - segmentBase
	c.room.Store(room)
	return room
}

// makeDurable syncs what was appended so far. last says that nothing will be appended any more.
func (c *openSegment) makeDurable(last bool) error {
	c.sync.Lock()
	defer c.sync.Unlock()
	if c.synced {
		return nil
	}
	if err := c.w.Sync(); err != nil {
		return fmt.Errorf("sync segment %d: %w", c.id, err)
	}
	c.synced = last
	return nil
}

// log is the open end of the log.
type log struct {
	s    *Store
	prep *preparer

	// mu is held for reading while a frame is sealed and written, for writing while the current segment changes. It is taken for
	// no state transaction; a roll under it takes a file that is ready.
	mu         sync.RWMutex
	cur        *openSegment   // nil: the next append starts one
	last       segment.ID     // newest segment started
	lastEnd    int64          // end of its frames, once it is closed
	lastEpoch  uint64         // its epoch
	epoch      uint64         // of segments to come
	seq        uint64         // last commit appended; written by the committer under mu for reading
	closing    []*openSegment // in order; the sealer works on the first
	checkpoint segment.Location

	backlog sync.Cond     // signals that closing got shorter, or that the store failed
	kick    chan struct{} // wakes the sealer
}

// maxClosing bounds the segments that wait for their footers: beyond it writers wait for the disk.
const maxClosing = 8

// append writes one frame other than a commit.
func (l *log) append(kind seal.Kind, plain []byte) (segment.Location, error) {
	cost := frameCost(len(plain))
	for {
		loc, full, err := l.tryAppend(kind, plain, cost)
		if err != nil || full == nil {
			return loc, err
		}
		if err := l.advance(full.seg, cost, false); err != nil {
			return segment.Location{}, err
		}
	}
}

// spareFor tells whether a frame of this cost may go into the open segment: not if that was the reserve, nor if what pends could not
// be committed there any more, while the disk gives no other segment.
func (l *log) spareFor(cost int64) bool {
	return !l.cur.reserve && (!l.tight() || l.cur.room.Load() >= cost+commitCost(l.s.waiting.Load()))
}

// noRoom names the segment that had no room; nil inside if there is none open.
type noRoom struct{ seg *openSegment }

func (l *log) tryAppend(kind seal.Kind, plain []byte, cost int64) (segment.Location, *noRoom, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if err := l.s.Err(); err != nil {
		return segment.Location{}, nil, err
	}
	if l.cur == nil || !l.spareFor(cost) || !l.cur.take(cost) {
		return segment.Location{}, &noRoom{l.cur}, nil
	}
	loc, err := l.cur.w.Append(kind, plain)
	if err != nil {
		return loc, nil, l.s.fail(fmt.Errorf("append to segment %d: %w", l.cur.id, err))
	}
	l.s.space.spent(cost)
	if kind == segment.KindManifest {
		l.checkpoint = loc // one checkpoint at a time; who reads it holds mu for writing
	}
	return loc, nil, nil
}

// appendCommit writes a commit of n bytes of changes and returns every segment that must be synced before it is durable, oldest first.
func (l *log) appendCommit(c *segment.Commit, n int64) ([]*openSegment, error) {
	cost := commitCost(n)
	for {
		sync, full, err := l.tryCommit(c, cost)
		if err != nil || full == nil {
			return sync, err
		}
		if err := l.advance(full.seg, cost, true); err != nil {
			return nil, err
		}
	}
}

func (l *log) tryCommit(c *segment.Commit, cost int64) ([]*openSegment, *noRoom, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.cur == nil || !l.cur.take(cost) {
		return nil, &noRoom{l.cur}, nil
	}
	c.Seq = l.seq + 1
	if err := l.cur.w.AppendCommit(c); err != nil {
		return nil, nil, l.s.fail(fmt.Errorf("append commit %d to segment %d: %w", c.Seq, l.cur.id, err))
	}
	l.seq = c.Seq
	l.s.space.spent(cost)
	if !l.cur.commits {
		l.cur.commits, l.cur.firstCommit = true, time.Now()
	}
	return append(l.closing[:len(l.closing):len(l.closing)], l.cur), nil, nil
}

// advance closes old, which had no room for need bytes, and starts the next segment. It does nothing if another caller was
// first. Without room for another segment old stays open for what still fits, and a commit (may) gets the reserve.
func (l *log) advance(old *openSegment, need int64, may bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.closing) >= maxClosing && l.cur == old && l.s.Err() == nil {
		l.backlog.Wait()
	}
	if l.cur != old {
		return nil
	}
	if err := l.s.Err(); err != nil {
		return err
	}
	if old != nil && old.recount() >= need && (may || l.spareFor(need)) { // it was an estimate that said no
		return nil
	}
	a, err := l.prep.take(need+segmentBase, may)
	if err != nil {
		return err
	}
	if old != nil {
		l.closeLocked(true)
	}
	return l.startLocked(a)
}

// closeLocked ends the current segment and hands it to the sealer.
func (l *log) closeLocked(full bool) {
	c := l.cur
	c.checkpoint, c.lastSeq, c.end = l.checkpoint, l.seq, c.w.Size()
	l.cur, l.lastEnd, l.lastEpoch = nil, c.end, c.epoch
	l.closing = append(l.closing, c)
	l.s.space.spent(max(c.room.Load(), 0))
	l.prep.rolled(full, time.Since(c.started))
	wake(l.kick)
}

func (l *log) startLocked(a allocation) error {
	h := segment.Header{
		Volume: l.s.keys.Volume(), Number: l.last + 1, Epoch: l.epoch, Suite: seal.DefaultSuite(),
		FirstSeq: l.seq + 1, PrevLength: uint32(l.lastEnd),
	}
	w, err := segment.NewWriter(a.f, l.s.keys, h)
	if err != nil {
		return l.s.fail(fmt.Errorf("start segment %d: %w", h.Number, err))
	}
	c := &openSegment{id: h.Number, epoch: h.Epoch, w: w, size: a.size, reserve: a.reserve, started: time.Now()}
	c.file = &handle{id: c.id, f: a.f, r: w.Reader(), users: 1, out: true}
	c.room.Store(a.size - segmentBase)
	l.cur, l.last = c, h.Number
	return nil
}

// closeIfAged closes the current segment if its first commit is older than age; with age 0 if it has any. It tells which one is the
// newest closed, and when to look again (zero: when the next commit comes).
func (l *log) closeIfAged(age time.Duration) (newest segment.ID, again time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.cur; c != nil && c.commits {
		if left := age - time.Since(c.firstCommit); left > 0 {
			return l.last - 1, left
		}
		l.closeLocked(false)
	}
	if l.cur != nil {
		return l.last - 1, 0
	}
	return l.last, 0
}

// sealed forgets a segment that the sealer finished.
func (l *log) sealed(c *openSegment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, o := range l.closing {
		if o == c {
			l.closing = append(l.closing[:i:i], l.closing[i+1:]...)
			l.backlog.Broadcast()
			return
		}
	}
}

// find returns the writer of a segment that is not sealed yet.
func (l *log) find(id segment.ID) *openSegment {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.cur != nil && l.cur.id == id {
		return l.cur
	}
	for _, c := range l.closing {
		if c.id == id {
			return c
		}
	}
	return nil
}

// tight tells whether the disk gave no further segment: then room must be counted.
func (l *log) tight() bool { return l.prep.dry.Load() }

// fits tells whether a commit of this cost has room here or, if it may use it, in the reserve.
func (l *log) fits(cost int64, may bool) bool {
	want := cost
	if !may {
		want += l.s.space.claimed()
	}
	if l.room() >= want || may && l.prep.spare(cost) {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cur != nil && (may || !l.cur.reserve) && l.cur.recount() >= want
}
