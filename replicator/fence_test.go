package replicator

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// takeOver claims an epoch on one node, as a clone does.
func (g *rig) takeOver(i int, epoch uint64) {
	g.t.Helper()
	c, err := newClaim(epoch, "laptop-2")
	if err != nil {
		g.t.Fatal(err)
	}
	if err := putSmall(context.Background(), g.nodes[i].host.Volume(testVolume), epochObject(epoch), c.text); err != nil {
		g.t.Fatal(err)
	}
}

func wantFenced(t *testing.T, g *rig) {
	t.Helper()
	st := g.repl.Status()
	if st.Fenced == nil || st.Fenced.Host != "laptop-2" || st.Fenced.Time.IsZero() || st.Safe {
		t.Fatalf("status %+v", st)
	}
	err := g.repl.Sync(t.Context(), 1)
	if !errors.Is(err, ErrFenced) || !strings.Contains(err.Error(), "laptop-2") {
		t.Errorf("Sync: %v", err)
	}
	before := len(g.nodes[0].names("segment/"))
	g.store.add(3)
	g.after(time.Hour)
	if after := len(g.nodes[0].names("segment/")); after != before {
		t.Errorf("%d segments were sent after the fence", after-before)
	}
}

func TestFencedAtStart(t *testing.T) {
	inBubble(t, 2, 1, func(t *testing.T, g *rig) {
		told := make(chan Fence, 2)
		g.opts.OnFenced = func(f Fence) { told <- f }
		g.takeOver(0, 2)
		g.start()
		wantFenced(t, g)
		if f := <-told; f.Epoch != 2 || f.Node != "n1" {
			t.Errorf("told %+v", f)
		}
		if len(told) > 0 {
			t.Error("told twice")
		}
	})
}

func TestFencedWhileIdle(t *testing.T) {
	inBubble(t, 2, 1, func(t *testing.T, g *rig) {
		g.store.add(2)
		g.start()
		g.takeOver(1, 5)
		g.after(2 * time.Minute)
		wantFenced(t, g)
	})
}

func TestFencedAfterReconnect(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, g *rig) {
		g.start()
		g.nodes[0].Partition(true)
		g.store.add(1)
		g.after(time.Minute)
		g.takeOver(0, 2)
		g.nodes[0].Partition(false)
		g.after(2 * time.Minute)
		if n := len(g.nodes[0].names("segment/")); n != 0 {
			t.Errorf("%d segments were sent by the old writer", n)
		}
		wantFenced(t, g)
	})
}

// A Put that meets another object asks who else writes before it calls the object a fault.
func TestFencedByConflict(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, g *rig) {
		g.start()
		g.takeOver(0, 2)
		g.nodes[0].tamper(object(1), func([]byte) []byte { return []byte("other") })
		g.store.add(1)
		synctest.Wait()
		wantFenced(t, g)
	})
}

// R4: a claim made while a Put is under way ends in no acknowledgement: whoever claimed may have listed before the object was there.
func TestFencedDuringAnUpload(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, g *rig) {
		g.nodes[0].delay = 10 * time.Second
		g.start()
		g.after(time.Minute)
		g.store.add(1)
		g.after(5 * time.Second)
		g.takeOver(0, 2)
		g.after(time.Minute)
		if g.nodes[0].object(object(1)) == nil {
			t.Fatal("the upload did not end: this shows nothing")
		}
		if acks := g.acked(0); len(acks) > 0 {
			t.Errorf("acknowledged behind the claim: %v", acks)
		}
		wantFenced(t, g)
	})
}

// Two clones that claimed the same epoch on different nodes both stop when they meet.
func TestFencedBySameEpoch(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, g *rig) {
		g.takeOver(0, 1)
		g.start()
		wantFenced(t, g)
	})
}

func TestOwnClaimSurvivesRestart(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, g *rig) {
		g.start()
		g.stop()
		g.after(time.Hour)
		g.store.add(1)
		g.start()
		g.wantWhole(0)
		if f := g.repl.Status().Fenced; f != nil {
			t.Errorf("fenced by itself: %+v", f)
		}
	})
}

// A node that lost the epoch's object gets it again before it gets segments.
func TestClaimIsPutAgain(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, g *rig) {
		g.start()
		g.stop()
		g.nodes[0].tamper(epochObject(1), func([]byte) []byte { return nil })
		g.store.add(1)
		g.start()
		g.wantWhole(0)
		if len(g.nodes[0].object(epochObject(1))) == 0 {
			t.Error("the claim is gone")
		}
	})
}
