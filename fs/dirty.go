package fs

import (
	"slices"
	"sort"
	"sync"
	"sync/atomic"
)

// fileData is the dirty data of one file. Guarded by the inode's mu.
//
// A write lands in dirty. What is to be sealed moves to flying, where it is still read from but never changed; a later write over it
// makes a new dirty chunk, which covers it and stays within its range. So chunks of one list never overlap each other, and a
// dirty chunk overlaps at most one flying chunk, which contains it.
type fileData struct {
	dirty, flying []*chunk // sorted
	todo          []*chunk // of flying, in chunkTodo
	sealing       int      // of flying, in chunkSealing
	sealed        int      // of flying, in chunkSealed
	sealedBytes   int64
	seq           uint64 // of the last write
	err           error  // why data could not be sealed or committed
	final         bool   // err is for good
	again         bool   // dirty chunks wait for the flying ones they cover
	aged          bool   // the ager will come
	settled       *sync.Cond
	bytes         int64         // length of all chunks
	inFlight      *atomic.Int64 // memory of the flying chunks of all files
}

func (d *fileData) empty() bool { return len(d.dirty) == 0 && len(d.flying) == 0 }

// end is the end of the dirty data.
func (d *fileData) end() int64 {
	var end int64
	for _, l := range [...][]*chunk{d.dirty, d.flying} {
		if n := len(l); n > 0 {
			end = max(end, l[n-1].end())
		}
	}
	return end
}

// from returns the index of the first chunk that ends behind off.
func from(l []*chunk, off int64) int {
	return sort.Search(len(l), func(i int) bool { return l[i].end() > off })
}

func insert(l []*chunk, c *chunk) []*chunk { return slices.Insert(l, from(l, c.off), c) }

// covers tells whether any chunk of l has bytes in [off, end).
func covers(l []*chunk, off, end int64) bool {
	i := from(l, off)
	return i < len(l) && l[i].off < end
}

// zone is the range around off that a dirty chunk there must stay within: its slot, and the flying chunk over it or the gap between.
func (d *fileData) zone(off int64) (lo, hi int64) {
	lo = off &^ (slot - 1)
	hi = lo + min(slot, MaxSize-lo)
	i := from(d.flying, off)
	if i > 0 {
		lo = max(lo, d.flying[i-1].end())
	}
	if i < len(d.flying) {
		if f := d.flying[i]; f.off <= off {
			return max(lo, f.off), min(hi, f.end())
		}
		hi = min(hi, d.flying[i].off)
	}
	return lo, hi
}

// put copies p into the dirty chunks at off and returns how many bytes and how much memory were added.
func (d *fileData) put(p []byte, off int64) (bytes, cost int64) {
	d.seq++
	for len(p) > 0 {
		lo, hi := d.zone(off)
		n := min(int64(len(p)), hi-off)
		b, c := d.putZone(p[:n], off, lo)
		bytes, cost = bytes+b, cost+c
		p, off = p[n:], off+n
	}
	d.bytes += bytes
	return bytes, cost
}

// putZone is put within one zone, which starts at lo.
func (d *fileData) putZone(p []byte, off, lo int64) (bytes, cost int64) {
	end := off + int64(len(p))
	i := from(d.dirty, off)
	if i > 0 && d.dirty[i-1].end() == off && d.dirty[i-1].off >= lo {
		i-- // continues the one before
	}
	j := i
	for j < len(d.dirty) && d.dirty[j].off < end {
		j++
	}
	if i == j {
		d.dirty = slices.Insert(d.dirty, i, newChunk(off, d.room(i, off, len(p)), d.seq))
		d.dirty[i].buf = append(d.dirty[i].buf, p...)
		return int64(len(p)), d.dirty[i].cost()
	}
	for _, c := range d.dirty[i:j] {
		bytes, cost = bytes-int64(len(c.buf)), cost-c.cost()
	}
	c := merge(d.dirty[i:j], p, off)
	d.dirty[i] = c
	d.dirty = slices.Delete(d.dirty, i+1, j)
	return bytes + int64(len(c.buf)), cost + c.cost()
}

// room is how big a new chunk's buffer should be: all of a slot for a stream that filled the one before.
func (d *fileData) room(i int, off int64, n int) int {
	if off&(slot-1) != 0 {
		return n
	}
	if i > 0 && d.dirty[i-1].end() == off && len(d.dirty[i-1].buf) >= eager {
		return slot
	}
	if k := from(d.flying, off-1); k < len(d.flying) && d.flying[k].end() == off && len(d.flying[k].buf) >= eager {
		return slot
	}
	return n
}

// launch moves the dirty chunk at index i to flying unless a chunk flies below it.
func (d *fileData) launch(i int) bool {
	c := d.dirty[i]
	if covers(d.flying, c.off, c.end()) {
		d.again = true
		return false
	}
	d.dirty = slices.Delete(d.dirty, i, i+1)
	d.fly(c)
	return true
}

func (d *fileData) fly(c *chunk) {
	c.state = chunkTodo
	d.flying = insert(d.flying, c)
	d.todo = append(d.todo, c)
	d.inFlight.Add(c.cost())
}

// launchAll moves all dirty chunks to flying that can be, neighbours joined to one. It returns by how much the memory shrank.
func (d *fileData) launchAll() (freed int64) {
	rest := d.dirty[:0]
	d.again = false
	for i := 0; i < len(d.dirty); {
		c := d.dirty[i]
		if covers(d.flying, c.off, c.end()) {
			d.again = true
			rest = append(rest, c)
			i++
			continue
		}
		j := i + 1
		for j < len(d.dirty) && d.dirty[j].off == d.dirty[j-1].end() && d.dirty[j].off&(slot-1) != 0 && !covers(d.flying, d.dirty[j].off, d.dirty[j].end()) {
			j++
		}
		c, n := join(d.dirty[i:j])
		freed += n
		d.fly(c)
		i = j
	}
	clear(d.dirty[len(rest):])
	d.dirty = rest
	return freed
}

// popTodo gives a chunk to a sealer; nil if there is none.
func (d *fileData) popTodo() *chunk {
	if len(d.todo) == 0 {
		return nil
	}
	c := d.todo[0]
	d.todo = d.todo[1:]
	c.state = chunkSealing
	d.sealing++
	return c
}

// park takes everything that waits out of the sealers' way after a failure.
func (d *fileData) park() {
	for _, c := range d.todo {
		c.state = chunkParked
	}
	d.todo = nil
}

// retry forgets a failure that may pass.
func (d *fileData) retry() {
	if d.err == nil || d.final {
		return
	}
	d.err = nil
	for _, c := range d.flying {
		if c.state == chunkParked {
			c.state = chunkTodo
			d.todo = append(d.todo, c)
		}
	}
}

// busy tells whether a chunk in [off, end) is on its way to the state.
func (d *fileData) busy(off, end int64) bool {
	for i := from(d.flying, off); i < len(d.flying) && d.flying[i].off < end; i++ {
		if c := d.flying[i]; d.err == nil || c.state == chunkSealing {
			return true
		}
	}
	return false
}

// pendingUpTo tells whether anything of the writes up to seq is not in the state.
func (d *fileData) pendingUpTo(seq uint64) bool {
	old := func(c *chunk) bool { return c.seq <= seq }
	return slices.ContainsFunc(d.flying, old) || slices.ContainsFunc(d.dirty, old)
}

// cut drops the bytes in [off, end), where nothing is busy, and returns how many bytes and how much memory that frees.
func (d *fileData) cut(off, end int64) (bytes, cost int64) {
	var b, c int64
	d.dirty, bytes, cost = cutList(d.dirty, off, end)
	d.flying, b, c = cutList(d.flying, off, end)
	d.inFlight.Add(-c)
	d.bytes -= bytes + b
	d.recount()
	return bytes + b, cost + c
}

func cutList(l []*chunk, off, end int64) (rest []*chunk, bytes, cost int64) {
	i := from(l, off)
	if i == len(l) || l[i].off >= end {
		return l, 0, 0
	}
	rest = slices.Clone(l[:i])
	for ; i < len(l) && l[i].off < end; i++ {
		c := l[i]
		bytes, cost = bytes+int64(len(c.buf)), cost+c.cost()
		for _, k := range c.without(off, end) {
			bytes, cost = bytes-int64(len(k.buf)), cost-k.cost()
			rest = append(rest, k)
		}
	}
	return append(rest, l[i:]...), bytes, cost
}

// recount counts flying chunks by state after some were cut.
func (d *fileData) recount() {
	d.todo, d.sealed, d.sealedBytes = d.todo[:0:0], 0, 0
	for _, c := range d.flying {
		switch c.state {
		case chunkTodo:
			d.todo = append(d.todo, c)
		case chunkSealed:
			d.sealed, d.sealedBytes = d.sealed+1, d.sealedBytes+int64(len(c.buf))
		}
	}
}

// committable returns the sealed chunks that may become part of the state, given the size it knows. Beyond that size a chunk has to
// wait for everything below it: or else a crash would leave the size of it all, and zeros where bytes had been accepted.
// blocker is a dirty chunk that one waits for.
func (d *fileData) committable(size int64) (ready []*chunk, blocker int) {
	for _, c := range d.flying {
		if c.end() <= size {
			if c.state == chunkSealed {
				ready = append(ready, c)
			}
			continue
		}
		if i := from(d.dirty, size); i < len(d.dirty) && d.dirty[i].off < c.off {
			return ready, i
		}
		if c.state != chunkSealed {
			return ready, -1
		}
		ready = append(ready, c)
		size = c.end()
	}
	return ready, -1
}

// drop removes chunks that are in the state from flying and returns the memory they had.
func (d *fileData) drop(gone []*chunk) (cost int64) {
	i := 0
	d.flying = slices.DeleteFunc(d.flying, func(c *chunk) bool {
		if i == len(gone) || gone[i] != c {
			return false
		}
		i++
		d.sealed--
		d.sealedBytes -= int64(len(c.buf))
		d.bytes -= int64(len(c.buf))
		cost += c.cost()
		return true
	})
	d.inFlight.Add(-cost)
	return cost
}
