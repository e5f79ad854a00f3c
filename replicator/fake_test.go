package replicator

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dfsmount/node"
	"dfsmount/node/nodetest"
	"dfsmount/segment"
)

// fakeStore is a local store in RAM. What it holds survives a "restart": a second replicator on the same fakeStore.
type fakeStore struct {
	mu      sync.Mutex
	values  map[string][]byte
	segs    []sealedSegment
	files   map[segment.ID][]byte
	acked   map[NodeID]idSet
	pending int64
	since   time.Time
	writes  uint64 // epoch
	seals   int
	broken  map[segment.ID]error // reads of these fail
	hold    chan struct{}        // sealNow waits for it, if set
	ackErr  error
	ackTime time.Duration // that a record takes
	batches []int         // sizes of recordAcks
	signal  chan struct{}
}

func newFakeStore() *fakeStore {
	return &fakeStore{values: map[string][]byte{}, files: map[segment.ID][]byte{}, acked: map[NodeID]idSet{}, writes: 1,
		signal: make(chan struct{}, 1)}
}

// fakeSegment makes bytes that fakeStore.verify knows as whole: a body and its hash.
func fakeSegment(id segment.ID, size int) []byte {
	body := make([]byte, size)
	rng := rand.NewChaCha8([32]byte{byte(id), byte(id >> 8)})
	rng.Read(body)
	sum := sha256.Sum256(body)
	return append(body, sum[:]...)
}

func (f *fakeStore) write(n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pending == 0 {
		f.since = time.Now()
	}
	f.pending += n
}

// add seals n more segments of about 1 KiB.
func (f *fakeStore) add(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range n {
		f.sealLocked(1000)
	}
	signal(f.signal)
}

func (f *fakeStore) sealLocked(size int) {
	id := segment.ID(len(f.segs) + 1)
	data := fakeSegment(id, size)
	f.files[id] = data
	f.segs = append(f.segs, sealedSegment{number: id, epoch: f.writes, size: int64(len(data)), sealed: time.Now()})
}

func (f *fakeStore) get(key string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.values[key], nil
}

func (f *fakeStore) change(key string, fn func([]byte) ([]byte, error)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	v, err := fn(f.values[key])
	if err == nil {
		f.values[key] = v
	}
	return err
}

func (f *fakeStore) sync(context.Context) error { return nil }

func (f *fakeStore) segments(from segment.ID) []sealedSegment {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.segs, func(s sealedSegment) bool { return s.number >= from })
	if i < 0 {
		return nil
	}
	return slices.Clone(f.segs[i:])
}

func (f *fakeStore) news() <-chan struct{} { return f.signal }

type memFile struct {
	byteSource
	broken error // of every read
}

func (m memFile) ReadAt(p []byte, off int64) (int, error) {
	if m.broken != nil {
		return 0, m.broken
	}
	return m.byteSource.ReadAt(p, off)
}

func (memFile) Close() error { return nil }

func (f *fakeStore) open(id segment.ID) (localFile, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	data, ok := f.files[id]
	if !ok {
		return nil, errNotHere
	}
	return memFile{byteSource{bytes.NewReader(data)}, f.broken[id]}, nil
}

func (f *fakeStore) verify(s sealedSegment, src segment.Source) error {
	size, _ := src.Size()
	if size < 32 {
		return errors.New("too short")
	}
	data := make([]byte, size)
	if _, err := src.ReadAt(data, 0); err != nil && err != io.EOF {
		return err
	}
	if sum := sha256.Sum256(data[:size-32]); !bytes.Equal(sum[:], data[size-32:]) {
		return errors.New("checksum of a frame does not match")
	}
	return nil
}

func (f *fakeStore) acks(n NodeID) (idSet, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.acked[n].clone(), nil
}

func (f *fakeStore) recordAcks(n NodeID, ids []segment.ID) error {
	time.Sleep(f.ackTime) // in a bubble
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ackErr != nil {
		return f.ackErr
	}
	f.batches = append(f.batches, len(ids))
	set := f.acked[n].clone()
	for _, id := range ids {
		set.add(id)
	}
	f.acked[n] = set
	return nil
}

func (f *fakeStore) dropAcks(n NodeID, ids []segment.ID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	set := f.acked[n].clone()
	for _, id := range ids {
		set.remove(id)
	}
	f.acked[n] = set
	return nil
}

func (f *fakeStore) removeNode(n NodeID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.acked, n)
	return nil
}

func (f *fakeStore) sealNow(context.Context) (segment.ID, error) {
	f.mu.Lock()
	f.seals++
	hold := f.hold
	f.mu.Unlock()
	if hold != nil {
		<-hold
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pending > 0 {
		f.sealLocked(int(f.pending))
		f.pending = 0
		signal(f.signal)
	}
	return segment.ID(len(f.segs)), nil
}

func (f *fakeStore) unsealed() (int64, time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pending, f.since
}

func (f *fakeStore) epoch() uint64 { return f.writes }

const testVolume = "00112233445566778899aabbccddeeff"

// rig is a fake store and nodes in RAM, each behind a Faulty. All of it works in a synctest bubble.
type rig struct {
	t     *testing.T
	store *fakeStore
	set   Settings
	nodes []*rigNode
	opts  Options
	repl  *Replicator
	end   func()
}

// rigNode records what is put, and is the memory node behind.
type rigNode struct {
	*nodetest.Faulty
	host *nodetest.Memory

	flaky func(nodetest.Op, string) (before, after error) // may be nil

	mu    sync.Mutex
	began []string      // names of Puts as they began
	ended []string      // names of Puts that returned nil
	delay time.Duration // of every Put and Get
}

func (n *rigNode) Put(ctx context.Context, name string, body io.Reader, size int64, sum node.Sum) error {
	n.mu.Lock()
	n.began = append(n.began, name)
	delay := n.delay
	n.mu.Unlock()
	time.Sleep(delay) // in a bubble: no real time
	before, after := n.fails(nodetest.Put, name)
	if before != nil {
		return before
	}
	err := n.Faulty.Put(ctx, name, body, size, sum)
	if err == nil {
		err = after
	}
	if err == nil {
		n.mu.Lock()
		n.ended = append(n.ended, name)
		n.mu.Unlock()
	}
	return err
}

func (n *rigNode) Get(ctx context.Context, name string, off, length int64) (io.ReadCloser, error) {
	n.mu.Lock()
	delay := n.delay
	n.mu.Unlock()
	time.Sleep(delay)
	if before, _ := n.fails(nodetest.Get, name); before != nil {
		return nil, before
	}
	return n.Faulty.Get(ctx, name, off, length)
}

func (n *rigNode) List(ctx context.Context, prefix, from string, fn func(node.Info) error) error {
	before, after := n.fails(nodetest.List, prefix)
	if before != nil {
		return before
	}
	return errors.Join(n.Faulty.List(ctx, prefix, from, fn), after)
}

func (n *rigNode) fails(op nodetest.Op, name string) (before, after error) {
	if n.flaky == nil {
		return nil, nil
	}
	return n.flaky(op, name)
}

// tamper changes an object behind the node's back.
func (n *rigNode) tamper(name string, fn func([]byte) []byte) { n.host.Tamper(testVolume, name, fn) }

func (n *rigNode) object(name string) []byte {
	body, err := n.host.Volume(testVolume).Get(context.Background(), name, 0, -1)
	if err != nil {
		return nil
	}
	defer body.Close()
	data, _ := io.ReadAll(body)
	return data
}

func (n *rigNode) names(prefix string) []string {
	var names []string
	n.host.Volume(testVolume).List(context.Background(), prefix, "", func(i node.Info) error {
		names = append(names, i.Name)
		return nil
	})
	return names
}

// inBubble runs test with a rig of n nodes and that many copies in a synctest bubble.
func inBubble(t *testing.T, n, copies int, test func(t *testing.T, g *rig)) {
	synctest.Test(t, func(t *testing.T) {
		g := &rig{t: t, store: newFakeStore(), set: Settings{Version: 1, Copies: copies}}
		for i := range n {
			g.addNode(fmt.Sprintf("mem://n%d", i+1))
		}
		g.opts = Options{Open: g.open, Hostname: "here"}
		t.Cleanup(func() { g.stop() })
		test(t, g)
	})
}

func (g *rig) addNode(url string) *rigNode {
	if _, err := g.set.Add(url, ""); err != nil {
		g.t.Fatal(err)
	}
	host := nodetest.NewMemory()
	n := &rigNode{Faulty: nodetest.NewFaulty(g.t, host.Volume(testVolume)), host: host}
	g.nodes = append(g.nodes, n)
	return n
}

func (g *rig) open(c NodeConfig) (node.Node, error) {
	for i, have := range g.set.Nodes {
		if have.ID == c.ID {
			return g.nodes[i], nil
		}
	}
	return nil, fmt.Errorf("no node %s", c.Name)
}

// start makes a replicator, as at a mount, and waits until it has done what it can.
func (g *rig) start() *Replicator {
	g.t.Helper()
	g.repl = newReplicator(g.store, testVolume, g.set, g.opts)
	ctx, cancel := context.WithCancel(g.t.Context())
	done := make(chan error, 1)
	go func() { done <- g.repl.Run(ctx) }()
	g.end = func() {
		cancel()
		if err := <-done; err != nil {
			g.t.Errorf("Run: %v", err)
		}
	}
	synctest.Wait()
	return g.repl
}

// stop ends Run, as an umount does.
func (g *rig) stop() {
	if g.end != nil {
		g.end()
		g.end = nil
	}
}

// after lets d pass in the bubble.
func (g *rig) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// acked is what the store has recorded of node i.
func (g *rig) acked(i int) idSet { return g.store.ackedBy(g.set.Nodes[i].ID) }

func (f *fakeStore) ackedBy(n NodeID) idSet {
	set, _ := f.acks(n)
	return set
}

// file is the local bytes of a segment.
func (f *fakeStore) file(id segment.ID) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.files[id]
}

func (g *rig) node(i int) NodeStatus { return g.repl.Status().Nodes[i] }

func (g *rig) wantState(i int, want string) NodeStatus {
	g.t.Helper()
	st := g.node(i)
	if st.State != want {
		g.t.Fatalf("node %q is %s, want %s: %+v", st.Name, st.State, want, st)
	}
	return st
}

// wantWhole fails unless node i holds every segment, byte for byte, and the store knows it.
func (g *rig) wantWhole(i int) {
	g.t.Helper()
	g.wantState(i, StateCurrent)
	for _, s := range g.store.segments(1) {
		if !bytes.Equal(g.nodes[i].object(s.object()), g.store.file(s.number)) {
			g.t.Fatalf("node %d: %s is not what was sealed", i, s.object())
		}
		if !g.acked(i).has(s.number) {
			g.t.Fatalf("node %d: %s is not recorded as acknowledged", i, s.object())
		}
	}
}

func object(i int) string { return segment.ObjectName(segment.ID(i), 1) }

func flip(data []byte) []byte { data[len(data)/2] ^= 1; return data }
