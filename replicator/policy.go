package replicator

import (
	"cmp"
	"slices"
	"time"

	"dfsmount/segment"
)

// shortage is a run of segments that all lack the same number of acknowledgements.
type shortage struct {
	span
	lacking int
}

// shortages tells which segments of within have fewer than copies acknowledgements, and how many they lack. Its cost grows with the
// number of spans, not of segments.
func shortages(within span, sets []idSet, copies int) []shortage {
	type edge struct {
		at    segment.ID
		delta int
	}
	edges := []edge{}
	for _, set := range sets {
		for _, s := range set {
			edges = append(edges, edge{s.first, 1}, edge{s.last + 1, -1})
		}
	}
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Compare(a.at, b.at) })

	var out []shortage
	have, from := 0, within.first
	upTo := func(end segment.ID) { // judges [from, end)
		end = min(end, within.last+1)
		if from < end && have < copies {
			out = append(out, shortage{span{from, end - 1}, copies - have})
		}
		from = max(from, end)
	}
	for _, e := range edges {
		upTo(e.at)
		have += e.delta
	}
	upTo(within.last + 1)
	return out
}

// debt is how far a history is from the policy.
type debt struct {
	segments uint64    // on fewer than copies nodes: nothing but 0 is safe, for the size of a segment may not be known
	unsafe   int64     // bytes of those
	lacking  int64     // bytes still to be acknowledged: each as often as acknowledgements lack
	oldest   time.Time // when the oldest such segment was sealed; zero if that is not known
}

// owed measures the debt of everything in within.
func (h *history) owed(within span, sets []idSet, copies int) debt {
	var d debt
	for _, s := range shortages(within, sets, copies) {
		segs := h.in(s.span)
		if len(segs) == 0 {
			continue
		}
		n := h.bytes(s.span)
		d.segments += uint64(len(segs))
		d.unsafe += n
		d.lacking += n * int64(s.lacking)
		if d.oldest.IsZero() {
			d.oldest = segs[0].sealed
		}
	}
	return d
}
