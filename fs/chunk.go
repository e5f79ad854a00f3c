package fs

import (
	"dfsmount/cache"
	"dfsmount/segment"
	"math/bits"
	"sync"
)

// slot is the aligned range of a file that one chunk stays within.
const slot = cache.MaxExtent

// eager is the least length of a chunk at its slot's end that is sealed at once: a stream has passed it.
const eager = 64 << 10

type chunkState uint8

const (
	chunkDirty   chunkState = iota // takes writes
	chunkTodo                      // waits for a sealer; immutable from here on
	chunkSealing                   // a sealer has it
	chunkParked                    // could not be sealed
	chunkSealed                    // in the log; not yet in the state
)

// chunk is a run of dirty bytes within one slot.
type chunk struct {
	off   int64
	buf   []byte // the bytes
	mem   []byte // the buffer they are in
	seq   uint64 // of the first write in it
	state chunkState
	loc   segment.Location
	skip  uint32
}

func (c *chunk) end() int64 { return c.off + int64(len(c.buf)) }

// chunkOverhead is what a chunk costs beside its buffer, so that a bound on the memory of many tiny ones holds.
const chunkOverhead = 256

func (c *chunk) cost() int64 { return int64(len(c.mem)) + chunkOverhead }

const (
	minClass = 10 // 1 KiB
	maxClass = 18 // slot
)

// pools has buffers by size: powers of two from 1 KiB to a slot.
var pools [maxClass + 1]sync.Pool

func class(n int) int { return max(bits.Len(uint(n-1)), minClass) }

// newChunk returns a chunk with room for n bytes at least.
func newChunk(off int64, n int, seq uint64) *chunk {
	k := class(n)
	c, _ := pools[k].Get().(*chunk)
	if c == nil {
		c = &chunk{mem: make([]byte, 1<<k)}
	}
	*c = chunk{off: off, buf: c.mem[:0], mem: c.mem, seq: seq}
	return c
}

// recycle gives the buffer of a chunk that nobody uses any more to the next one.
func (c *chunk) recycle() {
	k := class(len(c.mem))
	if len(c.mem) == 1<<k {
		pools[k].Put(c)
	}
}

// without returns what is left of a chunk when [off, end) is taken out of it.
func (c *chunk) without(off, end int64) (left []*chunk) {
	if c.off < off {
		left = append(left, c.copyOf(c.off, off))
	}
	if c.end() > end {
		left = append(left, c.copyOf(end, c.end()))
	}
	c.recycle()
	return left
}

func (c *chunk) copyOf(off, end int64) *chunk {
	mem := make([]byte, end-off) // no more than the part had of the old buffer
	copy(mem, c.buf[off-c.off:])
	n := &chunk{off: off, buf: mem, mem: mem, seq: c.seq, state: c.state, loc: c.loc, skip: c.skip}
	if c.loc != (segment.Location{}) {
		n.skip += uint32(off - c.off)
	}
	return n
}

// merge puts p over the chunks of l, which it touches, and returns the one that has it all.
func merge(l []*chunk, p []byte, off int64) *chunk {
	c, last := l[0], l[len(l)-1]
	lo, hi := min(c.off, off), max(last.end(), off+int64(len(p)))
	if lo == c.off && hi-lo <= int64(len(c.mem)) {
		l = l[1:]
	} else {
		c = newChunk(lo, int(hi-lo), c.seq)
	}
	c.buf = c.mem[:hi-lo]
	for _, o := range l {
		copy(c.buf[o.off-lo:], o.buf)
		c.seq = min(c.seq, o.seq)
		o.recycle()
	}
	copy(c.buf[off-lo:], p)
	return c
}

// join makes one chunk of neighbours, in a buffer of just their size.
func join(l []*chunk) (c *chunk, freed int64) {
	if len(l) == 1 {
		return l[0], 0
	}
	n := l[len(l)-1].end() - l[0].off
	c = &chunk{off: l[0].off, mem: make([]byte, n), seq: l[0].seq}
	c.buf = c.mem[:0]
	for _, o := range l {
		c.buf = append(c.buf, o.buf...)
		c.seq = min(c.seq, o.seq)
		freed += o.cost()
		o.recycle()
	}
	return c, freed - c.cost()
}
