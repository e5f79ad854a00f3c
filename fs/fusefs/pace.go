package fusefs

import "time"

const (
	// quick is what an operation may take and be answered by the reader itself the next time. Passing the turn costs about 15 µs of CPU.
	quick = 150 * time.Microsecond
	// inlineBytes is the most file data of a READ or WRITE that the reader handles itself: more takes long by its size alone.
	inlineBytes = 32 << 10

	passMin = 16
	passMax = 1024
)

// waits are the operations that wait by their nature.
var waits = [opCount]bool{opFsync: true, opFsyncDir: true, opSyncFS: true, opFallocate: true, opCopyRange: true, opLseek: true}

// pace remembers of each operation how it went: after one that took long the turn is passed before the next requests of its kind, more of them
// each time it happens again, and then one is tried once more. Only the reader that has the turn uses it.
type pace [opCount]struct{ left, span uint32 }

// atOnce tells whether the reader should keep the turn while it answers r.
func (p *pace) atOnce(r request) bool {
	op := r.opcode()
	if op >= opCount {
		return true // refused at once
	}
	if waits[op] || r.payload() > inlineBytes {
		return false
	}
	if p[op].left == 0 {
		return true
	}
	p[op].left--
	return false
}

// took records how long a request took that was answered at once.
func (p *pace) took(op uint32, d time.Duration) {
	if op >= opCount {
		return
	}
	s := &p[op]
	if d < quick {
		s.span /= 2
		return
	}
	s.span = min(max(2*s.span, passMin), passMax)
	s.left = s.span
}
