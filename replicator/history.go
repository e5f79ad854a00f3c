package replicator

import (
	"sort"
	"time"

	"dfsmount/segment"
)

// sealedSegment is one segment of the accepted history, as the store on this machine knows it.
type sealedSegment struct {
	number segment.ID
	epoch  uint64
	size   int64     // 0 if not known: the segment was never here
	sealed time.Time // zero if not known

	guessed bool // size is what a node listed
}

func (s sealedSegment) object() string { return segment.ObjectName(s.number, s.epoch) }

// history is the accepted history in RAM, ascending, with running sums of sizes: how far a node is behind is a few
// subtractions, not a walk over every segment there ever was.
type history struct {
	segs []sealedSegment
	sums []int64 // sums[i]: bytes of segs[:i+1]
}

// extend takes the segments of more that are newer than what is known.
func (h *history) extend(more []sealedSegment) {
	for _, s := range more {
		if s.number <= h.last() {
			continue
		}
		h.sums = append(h.sums, h.total()+s.size)
		h.segs = append(h.segs, s)
	}
}

// cut forgets what is newer than last.
func (h *history) cut(last segment.ID) {
	n := h.index(last + 1)
	h.segs, h.sums = h.segs[:n], h.sums[:n]
}

// learn takes sizes that nodes list for segments whose size the store does not know. They serve to show how much is
// where, and to ask for a whole object; nothing is judged by them.
func (h *history) learn(sizes map[segment.ID]int64) {
	total := int64(0)
	for i := range h.segs {
		s := &h.segs[i]
		if n := sizes[s.number]; s.size == 0 && n > 0 {
			s.size, s.guessed = n, true
		}
		total += s.size
		h.sums[i] = total
	}
}

// last is the newest number; 0 if there is none.
func (h *history) last() segment.ID {
	if len(h.segs) == 0 {
		return 0
	}
	return h.segs[len(h.segs)-1].number
}

func (h *history) total() int64 {
	if len(h.sums) == 0 {
		return 0
	}
	return h.sums[len(h.sums)-1]
}

// all is the span of everything known; empty (first after last) if there is nothing.
func (h *history) all() span {
	if len(h.segs) == 0 {
		return span{1, 0}
	}
	return span{h.segs[0].number, h.last()}
}

// index is the place of the first segment numbered id or higher.
func (h *history) index(id segment.ID) int {
	return sort.Search(len(h.segs), func(i int) bool { return h.segs[i].number >= id })
}

func (h *history) find(id segment.ID) (sealedSegment, bool) {
	i := h.index(id)
	if i == len(h.segs) || h.segs[i].number != id {
		return sealedSegment{}, false
	}
	return h.segs[i], true
}

// in is the segments of one span, ascending. The slice is the history's own: read it under the lock that guards it.
func (h *history) in(s span) []sealedSegment {
	return h.segs[h.index(s.first):h.index(s.last+1)]
}

func (h *history) bytes(s span) int64 {
	from, to := h.index(s.first), h.index(s.last+1)
	return h.before(to) - h.before(from)
}

func (h *history) before(i int) int64 {
	if i == 0 {
		return 0
	}
	return h.sums[i-1]
}

// missing is what of the history is not in acked.
func (h *history) missing(acked idSet) idSet { return acked.gaps(h.all()) }
