package fs

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
)

// TestDirtyAgainstBytes runs random writes, launches, commits and cuts on a file's dirty data, and compares with a plain array; what the
// state would show is kept beside it, and must never have zeros where bytes had been accepted.
func TestDirtyAgainstBytes(t *testing.T) {
	seeds := uint64(10)
	if raceEnabled {
		seeds = 2
	}
	for seed := range seeds {
		d := &fileData{inFlight: new(atomic.Int64)}
		rng := rand.New(rand.NewPCG(seed, 9))
		const size = 4 * slot
		want, state := make([]byte, size), make([]byte, size)
		stateSize := 0
		var sealing []*chunk
		for step := range 800 {
			switch rng.IntN(7) {
			case 0, 1, 2:
				off := rng.IntN(size - 1)
				p := bytes.Repeat([]byte{byte(1 + step%255)}, 1+rng.IntN(min(size-off, 70<<10)))
				d.put(p, int64(off))
				copy(want[off:], p)
			case 3:
				if n := len(d.dirty); n > 0 {
					d.launch(rng.IntN(n))
				}
			case 4:
				if rng.IntN(4) == 0 {
					d.launchAll()
				}
			case 5:
				if c := d.popTodo(); c != nil {
					sealing = append(sealing, c)
				}
				if len(sealing) > 0 && rng.IntN(2) == 0 {
					i := rng.IntN(len(sealing)) // in any order
					sealing[i].state = chunkSealed
					d.sealing--
					sealing = slices.Delete(sealing, i, i+1)
				}
			case 6:
				ready, blocker := d.committable(int64(stateSize))
				old := stateSize
				for _, c := range ready {
					copy(state[c.off:], c.buf)
					stateSize = max(stateSize, int(c.end()))
				}
				d.drop(ready)
				if blocker >= 0 && !d.launch(blocker) {
					t.Fatalf("seed %d: what a commit waits for cannot be launched", seed)
				}
				for i := old; i < stateSize; i++ {
					if state[i] == 0 && want[i] != 0 {
						t.Fatalf("seed %d, step %d: the state grew from %d to %d bytes with a zero at %d, where %d was accepted", seed, step, old, stateSize, i, want[i])
					}
				}
			}
			if off, n := rng.IntN(size), rng.IntN(slot); step%20 == 0 && !d.busy(int64(off), int64(off+n)) {
				end := min(off+n, size)
				d.cut(int64(off), int64(end))
				clear(want[off:end])
				clear(state[off:end])
			}
			sound(t, d, seed)
			if step%8 > 0 {
				continue
			}
			seen := bytes.Clone(state)
			d.overlay(seen, 0)
			if !bytes.Equal(seen, want) {
				t.Fatalf("seed %d, step %d: reads differ", seed, step)
			}
		}
	}
}

// sound fails unless the chunks are sorted, apart, within their slots, and counted right.
func sound(t *testing.T, d *fileData, seed uint64) {
	t.Helper()
	var flying int64
	bytes := int64(0)
	for _, l := range [...][]*chunk{d.dirty, d.flying} {
		end := int64(0)
		for _, c := range l {
			if c.off < end || len(c.buf) == 0 || c.off/slot != (c.end()-1)/slot {
				t.Fatalf("seed %d: chunk at %d of %d bytes", seed, c.off, len(c.buf))
			}
			end = c.end()
			bytes += int64(len(c.buf))
		}
	}
	for _, c := range d.flying {
		flying += c.cost()
	}
	for _, c := range d.dirty {
		i := from(d.flying, c.off)
		if i < len(d.flying) && d.flying[i].off < c.end() && (d.flying[i].off > c.off || d.flying[i].end() < c.end()) {
			t.Fatalf("seed %d: a dirty chunk reaches out of the flying one below", seed)
		}
	}
	if flying != d.inFlight.Load() || bytes != d.bytes {
		t.Fatalf("seed %d: %d bytes and %d in flight counted, there are %d and %d", seed, d.bytes, d.inFlight.Load(), bytes, flying)
	}
}
