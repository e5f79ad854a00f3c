package replicator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dfsmount/node/nodetest"
)

// R1, R2, R6: whatever fails, in whatever order, an acknowledgement that is recorded is true, what is called safe is on
// enough nodes, and once everything answers again every node has everything.
func TestModel(t *testing.T) {
	for seed := range uint64(25) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inBubble(t, 3, 2, func(t *testing.T, g *rig) { (&model{t: t, rig: g, rng: rand.New(rand.NewPCG(seed, 7))}).run() })
		})
	}
}

type model struct {
	t   *testing.T
	rng *rand.Rand
	*rig

	mu    sync.Mutex // the nodes' dice are thrown by workers
	dice  *rand.Rand
	rates [3]float64 // how often a node fails
	lost  [3]map[int]bool
}

func (m *model) run() {
	m.dice = rand.New(rand.NewPCG(m.rng.Uint64(), 1))
	for i, n := range m.nodes {
		m.lost[i] = map[int]bool{}
		n.flaky = func(nodetest.Op, string) (before, after error) { return m.throw(i) }
		n.delay = time.Duration(m.rng.IntN(3)) * time.Second
	}
	m.start()
	for range 60 {
		m.step()
		m.check()
	}
	m.mu.Lock()
	m.rates = [3]float64{}
	m.mu.Unlock()
	m.stop() // a start audits, which finds what was lost in silence
	m.start()
	m.after(time.Hour)
	for i := range m.nodes {
		m.wantWhole(i)
	}
	if st := m.repl.Status(); !st.Safe {
		m.t.Errorf("not safe in the end: %+v", st)
	}
}

// throw decides whether a call fails: never reaching the node, or after the node did it.
func (m *model) throw(i int) (before, after error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dice.Float64() >= m.rates[i] {
		return nil, nil
	}
	err := errors.New("connection reset")
	if m.dice.IntN(2) == 0 {
		return err, nil
	}
	return nil, err
}

func (m *model) step() {
	i := m.rng.IntN(3)
	switch m.rng.IntN(9) {
	case 0, 1, 2:
		m.store.add(1 + m.rng.IntN(5))
	case 3:
		m.mu.Lock()
		m.rates[i] = []float64{0, 0.3, 1}[m.rng.IntN(3)]
		m.mu.Unlock()
	case 4:
		m.after(time.Duration(m.rng.IntN(300)) * time.Second)
	case 5:
		m.repl.Kick()
	case 6:
		m.stop()
		m.start()
	case 7: // an object is gone; a read or an audit may notice
		if names := m.nodes[i].names("segment/"); len(names) > 0 {
			ids := segmentsOf(names)
			k := m.rng.IntN(len(names))
			m.nodes[i].tamper(names[k], func([]byte) []byte { return nil })
			m.lost[i][int(ids[k])] = true
		}
	case 8:
		m.read()
	}
}

// read fetches a segment; what it gets is right, or nothing.
func (m *model) read() {
	segs := m.store.segments(1)
	if len(segs) == 0 {
		return
	}
	s := segs[m.rng.IntN(len(segs))]
	ctx, cancel := context.WithTimeout(m.t.Context(), time.Minute)
	defer cancel()
	sure := false // some node has it now and answers
	for i, n := range m.nodes {
		m.mu.Lock()
		sure = sure || m.rates[i] == 0 && n.object(s.object()) != nil
		m.mu.Unlock()
	}
	err := m.repl.Fetch(ctx, s.number, s.epoch, 0, s.size, take(m.store.file(s.number)))
	if err != nil && sure {
		m.t.Errorf("a node has %s and answers, yet: %v", s.object(), err)
	}
}

// check compares what is recorded with what is there.
func (m *model) check() {
	synctest.Wait()
	st := m.repl.Status()
	for _, s := range m.store.segments(1) {
		holders := 0
		for i, n := range m.nodes {
			there := bytes.Equal(n.object(s.object()), m.store.file(s.number))
			acked := m.acked(i).has(s.number)
			if m.lost[i][int(s.number)] {
				if there {
					delete(m.lost[i], int(s.number)) // put again
				} else {
					there = true // we took it: the node cannot know yet
				}
			}
			if acked && !there {
				m.t.Fatalf("node %d is recorded to have %s, and has it not", i, s.object())
			}
			if acked {
				holders++
			}
		}
		if st.Safe && holders < 2 {
			m.t.Fatalf("safe, but %s is acknowledged by %d nodes", s.object(), holders)
		}
	}
}
