package replicator

import (
	"math/rand/v2"
	"testing"

	"dfsmount/segment"
)

func TestIDSetIsASet(t *testing.T) {
	const top = 40
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var s, other idSet
		model, otherModel := map[segment.ID]bool{}, map[segment.ID]bool{}
		for range 60 {
			id := segment.ID(1 + rng.IntN(top))
			switch rng.IntN(4) {
			case 0, 1:
				s.add(id)
				model[id] = true
			case 2:
				s.remove(id)
				delete(model, id)
			case 3:
				last := id + segment.ID(rng.IntN(5))
				other.addSpan(span{id, last})
				for i := id; i <= last; i++ {
					otherModel[i] = true
				}
			}
			checkSpans(t, seed, s)
			checkSpans(t, seed, other)
			rest := s.minus(other)
			for i := segment.ID(0); i <= top+6; i++ {
				if s.has(i) != model[i] || other.has(i) != otherModel[i] || rest.has(i) != (model[i] && !otherModel[i]) {
					t.Fatalf("seed %d: at %d: %v %v minus %v", seed, i, s, other, rest)
				}
			}
		}
	}
}

func checkSpans(t *testing.T, seed uint64, s idSet) {
	t.Helper()
	for i, in := range s {
		if in.first > in.last || i > 0 && s[i-1].last+1 >= in.first {
			t.Fatalf("seed %d: spans touch or are out of order: %v", seed, s)
		}
	}
}
