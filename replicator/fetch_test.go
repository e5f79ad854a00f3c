package replicator

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"dfsmount/node"
	"dfsmount/node/nodetest"
)

// take returns an accept that keeps the bytes if they are want.
func take(want []byte) func([]byte) error {
	return func(got []byte) error {
		if !bytes.Equal(got, want) {
			return errors.New("not authentic")
		}
		return nil
	}
}

func TestFetchPrefersTheNearest(t *testing.T) {
	inBubble(t, 3, 1, func(t *testing.T, g *rig) {
		g.store.add(1)
		g.start()
		for i, d := range []time.Duration{30, 10, 20} {
			g.nodes[i].delay = d * time.Millisecond
		}
		data := g.store.file(1)
		for range 6 { // measures each, then keeps to the nearest
			if err := g.repl.Fetch(t.Context(), 1, 1, 100, 50, take(data[100:150])); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		if err := g.repl.Fetch(t.Context(), 1, 1, 0, int64(len(data)), take(data)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 10*time.Millisecond {
			t.Errorf("the read took %v: not from the nearest node", took)
		}
	})
}

// R8: bytes that do not authenticate are not used, and their copy does not count.
func TestFetchGoesOnAfterBadBytes(t *testing.T) {
	inBubble(t, 2, 2, func(t *testing.T, g *rig) {
		g.store.add(3)
		g.start()
		g.nodes[0].tamper(object(2), flip)
		g.nodes[1].delay = time.Second // the first node is asked first
		data := g.store.file(2)
		if err := g.repl.Fetch(t.Context(), 2, 1, 0, int64(len(data)), take(data)); err != nil {
			t.Fatal(err)
		}
		g.after(time.Minute)
		st := g.wantState(0, StateRefused)
		if !strings.Contains(st.LastError, object(2)) || g.acked(0).has(2) || g.repl.Status().Safe {
			t.Errorf("a bad copy counts: %+v", st)
		}
		g.nodes[0].tamper(object(2), flip) // whole again
		g.after(2 * refusedRetry)
		g.wantWhole(0)
	})
}

// The bytes are bad on their way only: reading back finds the object whole.
func TestFetchBadOnTheWire(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, g *rig) {
		g.store.add(1)
		g.start()
		g.nodes[0].On(nodetest.Get, object(1)).FlipBit()
		data := g.store.file(1)
		err := g.repl.Fetch(t.Context(), 1, 1, 0, 10, take(data[:10]))
		if err == nil || !strings.Contains(err.Error(), `node "n1": not authentic`) {
			t.Errorf("Fetch: %v", err)
		}
		g.after(time.Minute)
		g.wantWhole(0)
	})
}

func TestFetchNamesEveryNode(t *testing.T) {
	inBubble(t, 3, 1, func(t *testing.T, g *rig) {
		g.store.add(1)
		g.start()
		g.nodes[0].Partition(true)
		g.nodes[1].tamper(object(1), func([]byte) []byte { return nil })
		g.nodes[2].On(nodetest.Get, object(1)).Truncate(1)
		err := g.repl.Fetch(t.Context(), 1, 1, 0, 100, take(g.store.file(1)[:100]))
		for _, want := range []string{object(1), `node "n1": `, "partitioned", `node "n2": `, "does not exist", `node "n3": object ends early: 99 bytes of 100`} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("the error does not say %q: %v", want, err)
			}
		}
	})
}

func TestFetchAsksNodesThatFailedLast(t *testing.T) {
	inBubble(t, 2, 1, func(t *testing.T, g *rig) {
		g.store.add(1)
		g.start()
		g.nodes[0].Partition(true)
		data := g.store.file(1)
		for range 10 {
			if err := g.repl.Fetch(t.Context(), 1, 1, 0, 10, take(data[:10])); err != nil {
				t.Fatal(err)
			}
		}
		if n := g.nodes[0].Calls(nodetest.Get); n > 2 {
			t.Errorf("an unreachable node was asked %d times", n)
		}
		g.after(time.Second)
		g.wantState(0, StateUnreachable) // the failed read made its worker look
	})
}

func TestFetchPrefersNodesThatHaveIt(t *testing.T) {
	inBubble(t, 2, 1, func(t *testing.T, g *rig) {
		g.nodes[0].On(nodetest.Put, "segment/*").Always().Hang()
		g.store.add(1)
		g.start()
		data := g.store.file(1)
		if err := g.repl.Fetch(t.Context(), 1, 1, 0, 10, take(data[:10])); err != nil {
			t.Fatal(err)
		}
		if n := g.nodes[0].Calls(nodetest.Get); n > 1 { // one is the look at the epoch
			t.Errorf("a node without the segment was asked before one that has it: %d gets", n)
		}
	})
}

func TestFetchEndsWithItsContext(t *testing.T) {
	inBubble(t, 2, 1, func(t *testing.T, g *rig) {
		g.store.add(1)
		g.start()
		for _, n := range g.nodes {
			n.On(nodetest.Get, object(1)).Always().Hang()
			break
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := g.repl.Fetch(ctx, 1, 1, 0, 10, take(nil))
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Fetch: %v", err)
		}
		for i := range g.nodes {
			g.wantState(i, StateCurrent) // the caller's hurry says nothing about a node
		}
	})
}

func TestFetchWithoutRun(t *testing.T) {
	inBubble(t, 2, 1, func(t *testing.T, g *rig) {
		g.store.add(1)
		g.start()
		g.stop()
		repl := newReplicator(g.store, testVolume, g.set, g.opts)
		data := g.store.file(1)
		if err := repl.Fetch(t.Context(), 1, 1, 3, 10, take(data[3:13])); err != nil {
			t.Error(err)
		}
	})
}

func TestFetchMissingObjectIsSentAgain(t *testing.T) {
	inBubble(t, 2, 2, func(t *testing.T, g *rig) {
		g.store.add(3)
		g.start()
		g.nodes[0].tamper(object(2), func([]byte) []byte { return nil })
		data := g.store.file(2)
		if err := g.repl.Fetch(t.Context(), 2, 1, 0, 10, take(data[:10])); err != nil {
			t.Fatal(err)
		}
		g.after(time.Second)
		g.wantWhole(0)
		if !slices.Contains(g.nodes[0].names("segment/"), object(2)) {
			t.Error("not put again")
		}
	})
}

// lazyNode answers a Put of a name it knows without looking at what it has, as a node that keeps checksums beside its objects would.
type lazyNode struct{ node.Node }

func (l lazyNode) Put(ctx context.Context, name string, body io.Reader, size int64, sum node.Sum) error {
	err := l.Node.Put(ctx, name, body, size, sum)
	if errors.Is(err, node.ErrExists) {
		return nil
	}
	return err
}

// R6: such a node's word is not enough once a read of its copy was bad: the copy is read back and compared before it counts.
func TestBadCopyOnANodeThatDoesNotLook(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, g *rig) {
		g.opts.Open = func(c NodeConfig) (node.Node, error) { return lazyNode{g.nodes[0]}, nil }
		g.store.add(2)
		g.start()
		g.nodes[0].tamper(object(1), flip)
		data := g.store.file(1)
		if err := g.repl.Fetch(t.Context(), 1, 1, 0, int64(len(data)), take(data)); err == nil {
			t.Fatal("bad bytes were taken")
		}
		g.after(24 * time.Hour)
		if st := g.wantState(0, StateRefused); g.acked(0).has(1) || st.BehindSegments != 1 || !strings.Contains(st.LastError, "other bytes") {
			t.Errorf("status %+v", st)
		}
		g.nodes[0].tamper(object(1), flip)
		g.after(2 * refusedRetry)
		g.wantWhole(0)
	})
}
