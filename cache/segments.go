package cache

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"sync"
	"time"

	"dfsmount/segment"
)

// segmentEntry is what is known of one sealed segment.
type segmentEntry struct {
	size   int64 // 0: not known, it was never here
	epoch  uint64
	sealed int64 // nanoseconds since 1970
	local  bool  // its file is here
}

// segmentTable lists the sealed segments of the accepted history. It is rebuilt from the index, from the names in segments/ and
// from replay.
type segmentTable struct {
	mu    sync.Mutex
	list  []segmentEntry  // of segment 1, 2, 3 …
	local int64           // bytes of those that are here
	dirty map[uint64]bool // chunks to be written by the next flush
	going map[uint64]bool // and those the flush under way writes
	moved chan struct{}   // closed, and made anew, when a segment is sealed or the store fails
	news  chan struct{}   // holds a value after that
}

// segmentChunk entries are one value of the index.
const segmentChunk = 512

// SegmentInfo describes a sealed segment.
type SegmentInfo struct {
	Number segment.ID
	Epoch  uint64
	Size   int64     // in bytes; 0 if not known, for a segment that was never here
	Local  bool      // readable here, without a node
	Sealed time.Time // zero if not known
}

// Segments lists the sealed segments from number from on.
func (s *Store) Segments(from segment.ID) []SegmentInfo {
	t := &s.segs
	t.mu.Lock()
	defer t.mu.Unlock()
	var infos []SegmentInfo
	for n := max(from, 1); uint64(n) <= uint64(len(t.list)); n++ {
		i := t.infoLocked(n)
		i.Epoch = or(i.Epoch, s.epochs.of(n))
		infos = append(infos, i)
	}
	return infos
}

func (t *segmentTable) infoLocked(n segment.ID) SegmentInfo {
	e := t.list[n-1]
	i := SegmentInfo{Number: n, Epoch: e.epoch, Size: e.size, Local: e.local}
	if e.sealed != 0 {
		i.Sealed = time.Unix(0, e.sealed)
	}
	return i
}

// Newest is the number of the newest sealed segment, 0 if there is none.
func (s *Store) Newest() segment.ID {
	t := &s.segs
	t.mu.Lock()
	defer t.mu.Unlock()
	return segment.ID(len(t.list))
}

// News gets a value after a segment was sealed, or the store failed. It holds one, for one reader, who looks at Segments
// and Err again and not at the value.
func (s *Store) News() <-chan struct{} { return s.segs.news }

func (t *segmentTable) init() {
	t.dirty, t.going = map[uint64]bool{}, map[uint64]bool{}
	t.moved, t.news = make(chan struct{}), make(chan struct{}, 1)
}

// get returns a segment's entry; ok is false beyond the newest.
func (t *segmentTable) get(n segment.ID) (e segmentEntry, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n == 0 || uint64(n) > uint64(len(t.list)) {
		return e, false
	}
	return t.list[n-1], true
}

// add appends or replaces an entry and tells those who wait.
func (t *segmentTable) add(n segment.ID, e segmentEntry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for uint64(len(t.list)) < uint64(n) {
		t.list = append(t.list, segmentEntry{})
	}
	t.local += localSize(e) - localSize(t.list[n-1])
	t.list[n-1] = e
	t.dirty[uint64(n-1)/segmentChunk] = true
	t.wakeLocked()
}

// setEpoch notes a segment's epoch, as its successor's footer says.
func (t *segmentTable) setEpoch(n segment.ID, epoch uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list[n-1].epoch = epoch
	t.dirty[uint64(n-1)/segmentChunk] = true
}

func localSize(e segmentEntry) int64 {
	if e.local {
		return e.size
	}
	return 0
}

func (t *segmentTable) localBytes() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.local
}

// wake lets everyone who waits look again.
func (t *segmentTable) wake() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wakeLocked()
}

func (t *segmentTable) wakeLocked() {
	close(t.moved)
	t.moved = make(chan struct{})
	wake(t.news)
}

// wait returns when segment n is sealed, failed has an error, or ctx ends.
func (t *segmentTable) wait(ctx context.Context, n segment.ID, failed func() error) error {
	for {
		t.mu.Lock()
		done, moved := uint64(len(t.list)) >= uint64(n), t.moved
		t.mu.Unlock()
		if done {
			return nil
		}
		if err := failed(); err != nil {
			return err
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func chunkKey(n uint64) []byte { return binary.BigEndian.AppendUint64([]byte("s"), n) }

// save writes the chunks that changed. A chunk is a uvarint triple per segment: size, epoch, time of sealing.
func (t *segmentTable) save(c *catalog, w indexWriter) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.going, t.dirty = t.dirty, map[uint64]bool{}
	for n := range t.going {
		var b []byte
		for _, e := range t.list[n*segmentChunk : min((n+1)*segmentChunk, uint64(len(t.list)))] {
			b = binary.AppendUvarint(b, uint64(e.size))
			b = binary.AppendUvarint(b, e.epoch)
			b = binary.AppendUvarint(b, uint64(e.sealed))
		}
		if err := c.putLocal(w, chunkKey(n), b); err != nil {
			return err
		}
	}
	return nil
}

// saved tells whether the update that save was part of is durable; if not, its chunks are written again.
func (t *segmentTable) saved(ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !ok {
		maps.Copy(t.dirty, t.going)
	}
	t.going = map[uint64]bool{}
}

// load reads the chunks until the first that is missing.
func (t *segmentTable) load(c *catalog) error {
	for n := uint64(0); ; n++ {
		b, err := c.getLocal(chunkKey(n))
		if err != nil {
			return fmt.Errorf("read segment table: %w", err)
		}
		if b == nil {
			return nil
		}
		if len(t.list) != int(n)*segmentChunk {
			return fmt.Errorf("read segment table: %w: chunk %d is short", errIndex, n-1)
		}
		r := reader{b: b}
		for len(r.b) > 0 {
			t.list = append(t.list, segmentEntry{size: int64(r.uvarint()), epoch: r.uvarint(), sealed: int64(r.uvarint())})
		}
		if r.err != nil || len(t.list) > int(n+1)*segmentChunk {
			return fmt.Errorf("read segment table: %w: %w", errIndex, r.err)
		}
	}
}
