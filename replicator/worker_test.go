package replicator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dfsmount/node"
	"dfsmount/node/nodetest"
	"dfsmount/segment"
)

var errDown = errors.New("connection refused")

func TestEverythingGoesToEveryNode(t *testing.T) {
	inBubble(t, 3, 2, func(t *testing.T, g *rig) {
		g.store.add(20)
		g.start().SetHeader(7, []byte("header"))
		g.store.add(5)
		synctest.Wait()
		for i := range g.nodes {
			g.wantWhole(i)
			if got := string(g.nodes[i].object("header/0000000000000007")); got != "header" {
				t.Errorf("node %d: header is %q", i, got)
			}
			if got := g.nodes[i].names("epoch/"); !slices.Equal(got, []string{"epoch/00000001"}) {
				t.Errorf("node %d: epochs %v", i, got)
			}
		}
		if st := g.repl.Status(); !st.Safe || st.Unsafe != 0 || st.Segments != 25 || st.UnsafeAge != 0 {
			t.Errorf("status %+v", st)
		}
	})
}

func TestHeaderComesBeforeSegments(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, g *rig) {
		g.store.add(3)
		g.repl = newReplicator(g.store, testVolume, g.set, g.opts)
		g.repl.SetHeader(1, []byte("one"))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- g.repl.Run(ctx) }()
		synctest.Wait()
		want := []string{"epoch/00000001", "header/0000000000000001"}
		if got := g.nodes[0].ended[:2]; !slices.Equal(got, want) {
			t.Errorf("first objects %v, want %v", got, want)
		}
		g.repl.SetHeader(2, []byte("two"))
		synctest.Wait()
		if got := string(g.nodes[0].object("header/0000000000000002")); got != "two" {
			t.Errorf("second header is %q", got)
		}
		cancel()
		<-done
	})
}

// R5: oldest first.
func TestNodeIsSentTheOldestFirst(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, g *rig) {
		g.opts.Uploads = 3
		g.nodes[0].delay = time.Second
		g.store.add(30)
		g.start()
		g.after(time.Minute)
		g.wantWhole(0)
		began := segmentsOf(g.nodes[0].began)
		for i, id := range began {
			// A segment may begin at most Uploads-1 places early.
			if early := int(id) - 1 - i; early >= 3 {
				t.Errorf("segment %d began as number %d: %v", id, i+1, began)
			}
		}
	})
}

func segmentsOf(names []string) []segment.ID {
	var ids []segment.ID
	for _, n := range names {
		if id, _, ok := segment.ParseObjectName(n); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// R1: being away has no time limit.
func TestTwoDaysOffline(t *testing.T) {
	inBubble(t, 2, 2, func(t *testing.T, g *rig) {
		g.store.add(3)
		g.start()
		g.nodes[1].Partition(true)
		for range 48 {
			g.store.add(2)
			g.after(time.Hour)
			st := g.wantState(1, StateUnreachable)
			if !strings.Contains(st.LastError, "partitioned") || time.Until(st.NextTry) > time.Minute {
				t.Fatalf("status %+v", st)
			}
		}
		st := g.repl.Status()
		n := st.Nodes[1]
		if st.Safe || n.BehindSegments != 96 || n.Position != 3 || n.BehindFor < 48*time.Hour || st.UnsafeAge < 48*time.Hour {
			t.Errorf("status %+v", st)
		}
		g.nodes[1].mu.Lock()
		g.nodes[1].began = nil
		g.nodes[1].mu.Unlock()
		g.nodes[1].Partition(false)
		g.after(time.Minute)
		g.wantWhole(1)
		if began := segmentsOf(g.nodes[1].began); began[0] > 7 || len(began) < 96 {
			t.Errorf("catching up began with %v", began[:4])
		}
		if !g.repl.Status().Safe {
			t.Error("not safe after the node came back")
		}
	})
}

func TestKickAsksAtOnce(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, g *rig) {
		g.nodes[0].Partition(true)
		g.store.add(1)
		g.start()
		g.after(time.Hour)
		g.nodes[0].Partition(false)
		g.repl.Kick()
		synctest.Wait()
		g.wantWhole(0)
	})
}

func TestFlappingNode(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, g *rig) {
		g.store.add(200)
		for i := 3; i < 200; i += 7 {
			g.nodes[0].On(nodetest.Put, object(i)).Times(2).Fail(errDown)
		}
		g.start()
		g.after(10 * time.Minute)
		g.wantWhole(0)
		if lists := g.nodes[0].Calls(nodetest.List); lists > 2000 {
			t.Errorf("%d listings", lists)
		}
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, g *rig) {
		g.nodes[0].On(nodetest.Put, object(1)).RetryAfter(10 * time.Minute)
		g.store.add(1)
		g.start()
		g.after(10*time.Minute - time.Second)
		g.wantState(0, StateUnreachable)
		if n := g.nodes[0].Calls(nodetest.Put); n != 2 { // the epoch and one try
			t.Errorf("%d puts during the pause the node asked for", n)
		}
		g.after(2 * time.Second)
		g.wantWhole(0)
	})
}

func TestRetryAfterIsBounded(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, g *rig) {
		g.nodes[0].On(nodetest.Put, object(1)).RetryAfter(10 * 365 * 24 * time.Hour)
		g.store.add(1)
		g.start()
		g.after(longestWait + time.Second)
		g.wantWhole(0)
	})
}

func TestRefusalIsAStateAndNoEnd(t *testing.T) {
	inBubble(t, 2, 1, func(t *testing.T, g *rig) {
		refusal := fmt.Errorf("token was revoked: %w", node.ErrPermanent)
		g.nodes[0].On(nodetest.Put, "segment/*").Times(4 * 13).Fail(refusal) // 13 tries of four uploads
		g.store.add(5)
		g.start()
		st := g.wantState(0, StateRefused)
		if !strings.Contains(st.LastError, "token was revoked") || st.BehindSegments != 5 {
			t.Errorf("status %+v", st)
		}
		if until := time.Until(st.NextTry); until < refusedRetry-time.Minute || until > refusedRetry {
			t.Errorf("next try in %v", until)
		}
		g.wantWhole(1)
		g.after(13*refusedRetry + time.Second)
		g.wantWhole(0)
	})
}

// ApplyThenFail is the answer that was lost: the object is there, nobody knows.
func TestLostAnswer(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, g *rig) {
		g.nodes[0].On(nodetest.Put, object(1)).ApplyThenFail(errDown)
		g.store.add(1)
		g.start()
		if g.acked(0).has(1) {
			t.Fatal("acknowledged though Put failed")
		}
		g.after(time.Minute)
		g.wantWhole(0)
	})
}

// R2: nothing counts before Put returned nil.
func TestAckIsRecordedOnlyAfterPutReturns(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, g *rig) {
		hang := g.nodes[0].On(nodetest.Put, object(1)).Hang()
		g.store.add(1)
		g.start()
		<-hang.Met()
		g.after(time.Hour)
		if acks := g.acked(0); len(acks) > 0 {
			t.Fatalf("acknowledged while Put hangs: %v", acks)
		}
		if g.repl.Status().Safe {
			t.Fatal("safe while Put hangs")
		}
		g.stop() // ends the hanging Put
		if acks := g.acked(0); len(acks) > 0 {
			t.Fatalf("acknowledged by ending: %v", acks)
		}
		g.start()
		g.wantWhole(0)
	})
}

// A crash between Put and its record: the record is missing, the object is there.
func TestCrashBetweenPutAndAck(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, g *rig) {
		g.store.add(4)
		g.start()
		g.stop()
		g.store.dropAcks(g.set.Nodes[0].ID, []segment.ID{2, 4})
		g.start()
		g.wantWhole(0)
	})
}

func TestRestartResumes(t *testing.T) {
	inBubble(t, 2, 2, func(t *testing.T, g *rig) {
		g.store.add(10)
		g.nodes[1].Partition(true)
		g.start()
		g.stop()
		g.nodes[1].Partition(false)
		puts := g.nodes[0].Calls(nodetest.Put)
		g.store.add(1)
		g.start()
		g.wantWhole(0)
		g.wantWhole(1)
		if more := g.nodes[0].Calls(nodetest.Put) - puts; more != 1 {
			t.Errorf("%d puts after the restart, want 1", more)
		}
	})
}

func TestAcksAreRecordedInBatches(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, g *rig) {
		g.nodes[0].delay = time.Second
		g.store.ackTime = time.Second // while it runs, others end
		g.store.add(40)
		g.start()
		g.after(time.Minute)
		g.wantWhole(0)
		g.stop()
		total := 0
		for _, n := range g.store.batches {
			total += n
		}
		if total != 40 || len(g.store.batches) >= 40 {
			t.Errorf("batches %v", g.store.batches)
		}
	})
}

// R6: what is gone does not count.
func TestNodeThatLostObjects(t *testing.T) {
	inBubble(t, 2, 2, func(t *testing.T, g *rig) {
		g.store.add(8)
		g.start()
		g.nodes[0].Partition(true)
		g.store.add(1)
		g.after(time.Minute)
		g.nodes[0].tamper(object(3), func([]byte) []byte { return nil })
		g.nodes[0].tamper(object(8), func([]byte) []byte { return nil })
		g.nodes[0].Partition(false)
		g.after(2 * time.Minute)
		g.wantWhole(0)
		if st := g.node(0); st.Losses != 2 || st.LastLoss != object(8) {
			t.Errorf("losses are not in the status: %+v", st)
		}
	})
}

// An object of another size was put by us, acknowledged, and changed: it is named, and does not count.
func TestNodeThatShortenedAnObject(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, g *rig) {
		g.store.add(3)
		g.start()
		g.stop()
		g.nodes[0].tamper(object(2), func(b []byte) []byte { return b[:10] })
		g.start()
		st := g.wantState(0, StateRefused)
		if len(st.Faults) != 1 || st.Faults[0].Object != object(2) || st.Behind == 0 || g.repl.Status().Safe {
			t.Fatalf("status %+v", st)
		}
		if g.acked(0).has(2) {
			t.Error("still acknowledged")
		}
		g.nodes[0].tamper(object(2), func([]byte) []byte { return g.store.file(2) })
		g.after(refusedRetry + time.Second)
		g.wantWhole(0)
	})
}

func TestOtherBytesUnderOurName(t *testing.T) {
	inBubble(t, 2, 1, func(t *testing.T, g *rig) {
		g.nodes[0].tamper(object(2), func([]byte) []byte { return []byte("somebody else's") })
		g.store.add(5)
		g.start()
		g.wantWhole(1)
		st := g.wantState(0, StateRefused)
		if !strings.Contains(st.LastError, object(2)) || !strings.Contains(st.LastError, "other bytes") {
			t.Errorf("last error %q", st.LastError)
		}
		if st.BehindSegments != 1 {
			t.Errorf("one bad object held up others: %+v", st)
		}
		if got := string(g.nodes[0].object(object(2))); got != "somebody else's" {
			t.Errorf("the other object was touched: %q", got)
		}
	})
}

// R3: damaged bytes are never sent.
func TestDamagedLocalSegment(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, g *rig) {
		g.store.add(5)
		whole := bytes.Clone(g.store.file(3))
		flip(g.store.file(3))
		g.start()
		g.after(24 * time.Hour)
		st := g.repl.Status()
		if st.Safe || len(st.Damaged) != 1 || st.Damaged[0].Segment != 3 || st.Nodes[0].BehindSegments != 1 {
			t.Fatalf("status %+v", st)
		}
		if g.nodes[0].object(object(3)) != nil {
			t.Fatal("damaged bytes were sent")
		}
		if err := g.repl.Sync(t.Context(), 0); err == nil || !strings.Contains(err.Error(), "segment 3 is damaged") {
			t.Errorf("Sync: %v", err)
		}
		g.store.mu.Lock()
		g.store.files[3] = whole
		g.store.mu.Unlock()
		g.repl.Kick()
		synctest.Wait()
		g.wantWhole(0)
		if st := g.repl.Status(); len(st.Damaged) > 0 || !st.Safe {
			t.Errorf("after mending: %+v", st)
		}
	})
}

// A segment that is not here (evicted, or this is a clone) reaches a new node from an old one.
func TestNewNodeIsFilledFromOthers(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, g *rig) {
		g.store.add(6)
		g.start()
		files := map[segment.ID][]byte{}
		for id, data := range g.store.files { // nobody writes it now
			files[id] = data
		}
		g.store.mu.Lock()
		delete(g.store.files, 2)
		delete(g.store.files, 5)
		g.store.mu.Unlock()
		n := g.addNode("mem://late")
		g.repl.Apply(g.set)
		synctest.Wait()
		g.wantState(1, StateCurrent)
		for id, data := range files {
			if !bytes.Equal(n.object(segment.ObjectName(id, 1)), data) {
				t.Errorf("segment %d on the new node is not what was sealed", id)
			}
		}
	})
}

func TestRemovedNodeIsForgotten(t *testing.T) {
	inBubble(t, 2, 1, func(t *testing.T, g *rig) {
		g.store.add(3)
		g.start()
		gone := g.set.Nodes[1].ID
		less := g.set
		less.Nodes = slices.Clone(g.set.Nodes[:1])
		g.repl.Apply(less)
		g.store.add(1)
		synctest.Wait()
		g.wantWhole(0)
		if len(g.repl.Status().Nodes) != 1 {
			t.Error("the removed node is in the status")
		}
		if acks := g.store.ackedBy(gone); len(acks) > 0 {
			t.Errorf("acknowledgements of a removed node: %v", acks)
		}
		if n := len(g.nodes[1].names("segment/")); n != 3 {
			t.Errorf("the removed node has %d segments, want the 3 it had", n)
		}
	})
}

func TestMovedNodeKeepsItsAcks(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, g *rig) {
		g.store.add(3)
		g.start()
		puts := g.nodes[0].Calls(nodetest.Put)
		g.set.Nodes = slices.Clone(g.set.Nodes)
		g.set.Nodes[0].URL = "mem://elsewhere"
		g.repl.Apply(g.set)
		synctest.Wait()
		g.wantWhole(0)
		if more := g.nodes[0].Calls(nodetest.Put) - puts; more != 0 {
			t.Errorf("%d puts after the move", more)
		}
	})
}

func TestChecksumErrorIsTriedAgain(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, g *rig) {
		g.nodes[0].On(nodetest.Put, object(1)).Times(2).FlipBit()
		g.store.add(1)
		g.start()
		g.after(time.Minute)
		g.wantWhole(0)
	})
}

// A node that cannot be opened, or a store that cannot record, is told.
func TestStoreThatCannotRecordEndsRun(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, g *rig) {
		g.store.ackErr = errors.New("index is broken")
		g.store.add(1)
		repl := newReplicator(g.store, testVolume, g.set, g.opts)
		if err := repl.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "index is broken") {
			t.Errorf("Run: %v", err)
		}
		if repl.Status().Safe {
			t.Error("safe without a record")
		}
	})
}

func TestNodeThatCannotBeOpened(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, g *rig) {
		tries := 0
		g.opts.Open = func(c NodeConfig) (node.Node, error) {
			if tries++; tries < 3 {
				return nil, errDown
			}
			return g.open(c)
		}
		g.store.add(1)
		g.start()
		g.wantState(0, StateUnreachable)
		g.after(time.Minute)
		g.wantWhole(0)
	})
}

// A disk that fails under an upload is this machine's fault: the node is not rested, the segment is named.
func TestLocalReadErrorIsNotTheNodes(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, g *rig) {
		g.nodes[0].On(nodetest.Put, object(1)).Fail(errDown)
		g.store.add(1)
		g.start() // the checksum is known now
		g.store.mu.Lock()
		g.store.broken = map[segment.ID]error{1: errors.New("input/output error")}
		g.store.mu.Unlock()
		g.store.add(1)
		g.after(time.Minute)
		st := g.repl.Status()
		if len(st.Damaged) != 1 || !strings.Contains(st.Damaged[0].Error, "input/output error") || st.Nodes[0].State != StateRefused {
			t.Errorf("status %+v", st)
		}
		if !g.acked(0).has(2) || g.acked(0).has(1) {
			t.Errorf("acknowledged %v", g.acked(0))
		}
		g.store.mu.Lock()
		g.store.broken = nil
		g.store.mu.Unlock()
		g.after(refusedRetry)
		g.wantWhole(0)
	})
}

func TestFullNode(t *testing.T) {
	inBubble(t, 2, 2, func(t *testing.T, g *rig) {
		var full atomic.Bool
		full.Store(true)
		g.nodes[0].flaky = func(op nodetest.Op, name string) (before, after error) {
			if full.Load() && op == nodetest.Put && strings.HasPrefix(name, "segment/") {
				return fmt.Errorf("disk is full: %w", node.ErrFull), nil
			}
			return nil, nil
		}
		g.store.add(3)
		g.start()
		if st := g.wantState(0, StateFull); !strings.Contains(st.LastError, "disk is full") {
			t.Errorf("status %+v", st)
		}
		g.wantWhole(1)
		g.after(time.Hour)
		g.wantState(0, StateFull)
		full.Store(false)
		g.after(time.Minute)
		g.wantWhole(0)
	})
}

// The index was lost, and with it what each node acknowledged; the segments are not here. They are read back, verified, and put again.
func TestAcksAreFoundAgain(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, g *rig) {
		g.store.add(5)
		g.start()
		g.stop()
		kept := g.store.files
		g.store.files = map[segment.ID][]byte{}
		must(t, g.store.removeNode(g.set.Nodes[0].ID))
		g.nodes[0].tamper(object(2), flip)
		g.start()
		g.after(time.Minute)
		if got := g.acked(0); !slices.Equal(got, idSet{{1, 1}, {3, 5}}) {
			t.Errorf("acknowledged %v", got)
		}
		if st := g.wantState(0, StateRefused); len(st.Faults) != 1 || st.Faults[0].Object != object(2) {
			t.Errorf("status %+v", st)
		}
		g.nodes[0].tamper(object(2), flip)
		g.after(2 * refusedRetry)
		g.store.mu.Lock()
		g.store.files = kept
		g.store.mu.Unlock()
		g.wantWhole(0)
	})
}
