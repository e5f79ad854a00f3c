package replicator

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// R7: what was written before the call is on as many nodes as asked.
func TestSyncSealsAndWaits(t *testing.T) {
	inBubble(t, 3, 2, func(t *testing.T, g *rig) {
		g.nodes[0].delay, g.nodes[1].delay, g.nodes[2].delay = time.Second, 2*time.Second, time.Hour
		g.start()
		g.after(time.Minute)
		g.store.write(5000)
		if st := g.repl.Status(); st.Safe || st.Unsafe != 5000 {
			t.Fatalf("before: %+v", st)
		}
		var last [2]int64
		calls := 0
		err := g.repl.SyncProgress(t.Context(), 0, func(done, total int64) {
			calls++
			if done < last[0] {
				t.Errorf("progress went back from %d to %d", last[0], done)
			}
			last = [2]int64{done, total}
		})
		if err != nil {
			t.Fatal(err)
		}
		if want := int64(2 * 5032); last != [2]int64{want, want} || calls < 2 {
			t.Errorf("progress ended at %v after %d calls", last, calls)
		}
		st := g.repl.Status()
		if !st.Safe || st.Nodes[0].State != StateCurrent || st.Nodes[1].State != StateCurrent {
			t.Errorf("after: %+v", st)
		}
	})
}

func TestSyncNamesWhoIsBehind(t *testing.T) {
	inBubble(t, 3, 2, func(t *testing.T, g *rig) {
		g.start()
		g.nodes[1].Partition(true)
		g.nodes[2].Partition(true)
		g.store.write(100)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := g.repl.Sync(ctx, 2)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Sync: %v", err)
		}
		for _, want := range []string{`node "n2" is unreachable`, `node "n3" is unreachable`, "partitioned", "1 segment is (132 bytes) on fewer than 2 nodes"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("the error does not say %q: %v", want, err)
			}
		}
		if strings.Contains(err.Error(), `"n1"`) {
			t.Errorf("the error names a node that is current: %v", err)
		}
		if err := g.repl.Sync(t.Context(), 1); err != nil {
			t.Errorf("one copy is there: %v", err)
		}
		g.nodes[1].Partition(false)
		g.nodes[2].Partition(false)
		if err := g.repl.Sync(t.Context(), 3); err != nil {
			t.Errorf("after they came back: %v", err)
		}
	})
}

func TestSyncForMoreCopiesThanNodes(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, g *rig) {
		g.start()
		if err := g.repl.Sync(t.Context(), 2); err == nil || !strings.Contains(err.Error(), "2 copies asked for, but the volume has 1 node") {
			t.Errorf("Sync: %v", err)
		}
	})
}

// Callers that come while a seal runs share the next one; a caller never gets the seal that began before it.
func TestConcurrentSyncsShareSeals(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, g *rig) {
		g.start()
		hold := make(chan struct{})
		g.store.hold = hold
		g.store.write(10)
		var wg sync.WaitGroup
		call := func() {
			if err := g.repl.Sync(t.Context(), 1); err != nil {
				t.Error(err)
			}
			if g.repl.Status().Unsafe > 0 {
				t.Error("Sync returned before what was written was safe")
			}
		}
		wg.Go(call)
		synctest.Wait()
		g.store.write(10)
		for range 50 {
			wg.Go(call)
		}
		synctest.Wait()
		close(hold)
		wg.Wait()
		if g.store.seals != 2 {
			t.Errorf("%d seals for 51 callers, want 2", g.store.seals)
		}
	})
}

// The end of a caller's context ends his wait, not the seal.
func TestSyncCancelled(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, g *rig) {
		g.start()
		hold := make(chan struct{})
		g.store.hold = hold
		g.store.write(10)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.repl.Sync(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Sync: %v", err)
		}
		close(hold)
		synctest.Wait()
		g.wantWhole(0)
		if st := g.repl.Status(); !st.Safe {
			t.Errorf("the seal was cancelled: %+v", st)
		}
	})
}

func TestSyncGrowsWithLoss(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, g *rig) {
		g.store.add(2)
		g.start()
		g.nodes[0].Partition(true)
		g.store.write(10)
		done := make(chan error)
		go func() { done <- g.repl.Sync(t.Context(), 1) }()
		g.after(time.Minute)
		g.nodes[0].tamper(object(1), func([]byte) []byte { return nil })
		g.nodes[0].Partition(false)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		g.wantWhole(0)
	})
}

// Whoever ends Run closes the store next: a seal that a given-up Sync left behind must not run any more.
func TestRunWaitsForSeals(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, g *rig) {
		repl := newReplicator(g.store, testVolume, g.set, g.opts)
		hold := make(chan struct{})
		g.store.hold = hold
		runCtx, end := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- repl.Run(runCtx) }()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := repl.Sync(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Sync: %v", err)
		}
		end()
		synctest.Wait()
		select {
		case <-done:
			t.Error("Run returned while the store seals")
		default:
		}
		close(hold)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
