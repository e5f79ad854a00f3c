package replicator

import (
	"slices"
	"sort"

	"dfsmount/segment"
)

// span is a run of segment numbers, both ends included.
type span struct{ first, last segment.ID }

// idSet is a set of segment numbers as ascending spans that neither touch nor overlap. What one node acknowledged is nearly
// always one span, so a set costs next to nothing however long the history is. The zero value is empty.
type idSet []span

// at is the index of the first span that ends at id or later.
func (s idSet) at(id segment.ID) int {
	return sort.Search(len(s), func(i int) bool { return s[i].last >= id })
}

func (s idSet) has(id segment.ID) bool {
	i := s.at(id)
	return i < len(s) && s[i].first <= id
}

func (s *idSet) add(id segment.ID) { s.addSpan(span{id, id}) }

// addSpan joins in with every span it overlaps or touches.
func (s *idSet) addSpan(in span) {
	from := s.at(in.first)
	if from > 0 && (*s)[from-1].last+1 == in.first {
		from--
	}
	to := from
	for to < len(*s) && (*s)[to].first <= in.last+1 {
		in.first = min(in.first, (*s)[to].first)
		in.last = max(in.last, (*s)[to].last)
		to++
	}
	*s = slices.Replace(*s, from, to, in)
}

func (s *idSet) remove(id segment.ID) {
	i := s.at(id)
	if i == len(*s) || (*s)[i].first > id {
		return
	}
	old := (*s)[i]
	var rest idSet
	if old.first < id {
		rest = append(rest, span{old.first, id - 1})
	}
	if id < old.last {
		rest = append(rest, span{id + 1, old.last})
	}
	*s = slices.Replace(*s, i, i+1, rest...)
}

func (s idSet) clone() idSet { return slices.Clone(s) }

// minus is what is in s and not in other.
func (s idSet) minus(other idSet) idSet {
	var out idSet
	for _, in := range s {
		out = append(out, other.gaps(in)...)
	}
	return out
}

// gaps is what of within is not in s.
func (s idSet) gaps(within span) idSet {
	var out idSet
	next := within.first
	for i := s.at(within.first); i < len(s) && s[i].first <= within.last; i++ {
		if next < s[i].first {
			out = append(out, span{next, s[i].first - 1})
		}
		next = s[i].last + 1
	}
	if next <= within.last {
		out = append(out, span{next, within.last})
	}
	return out
}
