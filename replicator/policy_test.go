package replicator

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"dfsmount/segment"
)

func TestShortages(t *testing.T) {
	for _, c := range []struct {
		name   string
		within span
		sets   []idSet
		copies int
		want   []shortage
	}{
		{"no node", span{1, 3}, nil, 1, []shortage{{span{1, 3}, 1}}},
		{"nothing sealed", span{1, 0}, []idSet{nil}, 1, nil},
		{"enough", span{1, 3}, []idSet{{{1, 3}}, {{1, 9}}}, 2, nil},
		{"one behind", span{1, 5}, []idSet{{{1, 5}}, {{1, 2}}}, 2, []shortage{{span{3, 5}, 1}}},
		{"hole", span{1, 5}, []idSet{{{1, 2}, {4, 5}}}, 1, []shortage{{span{3, 3}, 1}}},
		{"any two of three", span{1, 6}, []idSet{{{1, 4}}, {{3, 6}}, {{1, 2}, {5, 6}}}, 2, nil},
		{"both lacking", span{1, 2}, []idSet{nil, nil}, 2, []shortage{{span{1, 2}, 2}}},
		{"part of a history", span{4, 5}, []idSet{{{1, 4}}}, 1, []shortage{{span{5, 5}, 1}}},
	} {
		if got := shortages(c.within, c.sets, c.copies); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// The debt counted by spans is the debt counted one by one.
func TestDebtMatchesCounting(t *testing.T) {
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 2))
		var h history
		for i := range 30 {
			h.extend([]sealedSegment{{number: segment.ID(i + 1), size: rng.Int64N(100), sealed: time.Unix(int64(i), 0)}})
		}
		sets := make([]idSet, 3)
		for i := range sets {
			for range 25 {
				sets[i].add(segment.ID(1 + rng.IntN(32)))
			}
		}
		copies := 1 + rng.IntN(3)
		var want debt
		for _, s := range h.segs {
			have := 0
			for _, set := range sets {
				if set.has(s.number) {
					have++
				}
			}
			if have < copies {
				want.segments++
				want.unsafe += s.size
				want.lacking += s.size * int64(copies-have)
				if want.oldest.IsZero() {
					want.oldest = s.sealed
				}
			}
		}
		if got := h.owed(h.all(), sets, copies); got != want {
			t.Fatalf("seed %d: %+v, want %+v", seed, got, want)
		}
	}
}
