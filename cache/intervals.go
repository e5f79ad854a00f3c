package cache

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sort"

	"dfsmount/segment"
)

// Interval is a run of segment numbers, both ends included.
type Interval struct{ First, Last segment.ID }

// IntervalSet is a set of segment numbers: ascending intervals that neither touch nor overlap. What a node acknowledged is nearly always
// one interval, however long the history. The zero value is empty.
type IntervalSet []Interval

// at is the first interval that ends at id or later.
func (s IntervalSet) at(id segment.ID) int {
	return sort.Search(len(s), func(i int) bool { return s[i].Last >= id })
}

// Has tells whether id is in the set.
func (s IntervalSet) Has(id segment.ID) bool {
	i := s.at(id)
	return i < len(s) && s[i].First <= id
}

// Add puts id into the set.
func (s *IntervalSet) Add(id segment.ID) {
	in := Interval{id, id}
	from := s.at(id)
	if from > 0 && (*s)[from-1].Last+1 == id {
		from--
	}
	to := from
	for ; to < len(*s) && (*s)[to].First <= id+1; to++ {
		in.First, in.Last = min(in.First, (*s)[to].First), max(in.Last, (*s)[to].Last)
	}
	*s = slices.Replace(*s, from, to, in)
}

// Remove takes id out of the set.
func (s *IntervalSet) Remove(id segment.ID) {
	i := s.at(id)
	if i == len(*s) || (*s)[i].First > id {
		return
	}
	old, rest := (*s)[i], IntervalSet(nil)
	if old.First < id {
		rest = append(rest, Interval{old.First, id - 1})
	}
	if id < old.Last {
		rest = append(rest, Interval{id + 1, old.Last})
	}
	*s = slices.Replace(*s, i, i+1, rest...)
}

// append encodes the set: for each interval, as uvarints, the distance of its first number from the end of the interval before, and its
// length less one.
func (s IntervalSet) append(b []byte) []byte {
	end := segment.ID(0)
	for _, in := range s {
		b = binary.AppendUvarint(b, uint64(in.First-end))
		b = binary.AppendUvarint(b, uint64(in.Last-in.First))
		end = in.Last
	}
	return b
}

func parseIntervals(b []byte) (s IntervalSet, err error) {
	r, end := reader{b: b}, segment.ID(0)
	for len(r.b) > 0 {
		first := end + segment.ID(r.uvarint())
		in := Interval{first, first + segment.ID(r.uvarint())}
		if r.err != nil || in.First == 0 || len(s) > 0 && in.First <= end+1 || in.Last < in.First {
			return nil, fmt.Errorf("%w: set of acknowledgements", errIndex)
		}
		s, end = append(s, in), in.Last
	}
	return s, nil
}
