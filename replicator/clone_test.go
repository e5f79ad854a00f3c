package replicator

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dfsmount/internal/disk"
	"dfsmount/internal/disk/simdisk"
	"dfsmount/node"
	"dfsmount/node/nodetest"
	"dfsmount/seal"
	"dfsmount/segment"
)

// writer seals real segments, as a machine does, into RAM.
type writer struct {
	t     *testing.T
	epoch uint64
	seq   uint64
	last  segment.Sealed
	log   map[string][]byte // by object name
	order []string
}

func newWriter(t *testing.T) *writer { return &writer{t: t, epoch: 1, log: map[string][]byte{}} }

// fork goes on after what w has sealed, as another writer.
func (w *writer) fork(epoch uint64) *writer {
	return &writer{t: w.t, epoch: epoch, seq: w.seq, last: w.last, log: map[string][]byte{}}
}

// seal seals one segment with one commit that sets a key, and returns its object's name.
func (w *writer) seal(key, value string) string {
	w.t.Helper()
	f, err := simdisk.New().Open("s", disk.Create)
	must(w.t, err)
	h := segment.Header{Number: w.last.Header.Number + 1, Epoch: w.epoch, FirstSeq: w.seq + 1}
	sw, err := segment.NewWriter(f, seal.TestKeys(), h)
	must(w.t, err)
	_, err = sw.Append(segment.KindExtent, bytes.Repeat([]byte("file data "), 100))
	must(w.t, err)
	w.seq++
	c := segment.Commit{Seq: w.seq, Time: time.Now(), Changes: []segment.Change{{Key: []byte(key), Value: []byte(value)}}}
	must(w.t, sw.AppendCommit(&c))
	must(w.t, sw.Sync())
	s, err := sw.Seal(segment.Footer{Prev: w.last.Hash, PrevEpoch: w.last.Header.Epoch, Sealed: time.Now()})
	must(w.t, err)
	data := make([]byte, s.Size)
	if _, err := f.ReadAt(data, 0); err != nil {
		w.t.Fatal(err)
	}
	w.last = s
	name := segment.ObjectName(h.Number, h.Epoch)
	w.log[name] = data
	w.order = append(w.order, name)
	return name
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// net is hosts by URL.
type net struct {
	t     *testing.T
	hosts map[string]*nodetest.Memory
	down  map[string]bool
	wrap  map[string]func(node.Node) node.Node
	older bool // accept an older head
}

func missing(t *testing.T, n node.Node, name string) bool {
	_, err := n.Stat(t.Context(), name)
	return errors.Is(err, node.ErrNotExist)
}

func newNet(t *testing.T, urls ...string) *net {
	n := &net{t: t, hosts: map[string]*nodetest.Memory{}, down: map[string]bool{}, wrap: map[string]func(node.Node) node.Node{}}
	for _, u := range urls {
		n.hosts[u] = nodetest.NewMemory()
	}
	return n
}

type netHost struct {
	node.Host
	wrap func(node.Node) node.Node
}

func (h netHost) Volume(id string) node.Node {
	if h.wrap == nil {
		return h.Host.Volume(id)
	}
	return h.wrap(h.Host.Volume(id))
}

func (n *net) open(url string) (node.Host, error) {
	if n.down[url] {
		return nil, errDown
	}
	h, ok := n.hosts[url]
	if !ok {
		return nil, fmt.Errorf("no such host %s", url)
	}
	return netHost{h, n.wrap[url]}, nil
}

// volume is the id that belongs to the test keys.
func volume() string {
	id := seal.TestKeys().Volume()
	return hex.EncodeToString(id[:])
}

func (n *net) put(url, name string, data []byte) {
	n.t.Helper()
	must(n.t, putSmall(context.Background(), n.hosts[url].Volume(volume()), name, data))
}

// replicate puts the first count segments of w on the hosts, with a header.
func (n *net) replicate(w *writer, count int, urls ...string) {
	n.t.Helper()
	for _, u := range urls {
		n.put(u, headerName(1), []byte("the header"))
		for _, name := range w.order[:count] {
			n.put(u, name, w.log[name])
		}
	}
}

func settingsJSON(t *testing.T, copies int, urls ...string) string {
	t.Helper()
	s := Settings{Version: 1, Copies: copies}
	for i, u := range urls {
		s.Nodes = append(s.Nodes, NodeConfig{ID: NodeID{byte(i + 1)}, Name: fmt.Sprintf("n%d", i+1), URL: u})
	}
	text, err := json.Marshal(s)
	must(t, err)
	return string(text)
}

// fakeCloned is a store recovered by replaying footers, which is enough of what cache does to judge a clone by.
type fakeCloned struct {
	*fakeStore
	closed *bool
}

func (f fakeCloned) Close() error { *f.closed = true; return nil }

// fakeCreate recovers from segment 1 on. It keeps the last store it made in last.
func fakeCreate(last *fakeCloned) creator {
	return func(ctx context.Context, dir string, k *seal.Keys, h Head, epoch uint64, f *placesFetcher) (clonedStore, error) {
		if err := os.WriteFile(filepath.Join(dir, "index.db"), nil, 0o600); err != nil {
			return nil, err
		}
		s := newFakeStore()
		s.writes = epoch
		at := objectKey{h.Number, h.Epoch}
		for at.number > 0 {
			footer, size, err := fetchFooter(ctx, k, f, at)
			if err != nil {
				return nil, err
			}
			for _, c := range footer.Changes {
				if _, newer := s.values[string(c.Key)]; !newer {
					s.values[string(c.Key)] = c.Value
				}
			}
			s.segs = append(s.segs, sealedSegment{number: at.number, epoch: at.epoch, size: size, sealed: footer.Sealed})
			at = objectKey{at.number - 1, footer.PrevEpoch}
		}
		slices.Reverse(s.segs)
		*last = fakeCloned{s, new(bool)}
		return *last, nil
	}
}

func fetchFooter(ctx context.Context, k *seal.Keys, f *placesFetcher, at objectKey) (footer segment.Footer, size int64, err error) {
	if size, err = f.Size(ctx, at.number, at.epoch); err != nil {
		return footer, 0, err
	}
	err = f.Fetch(ctx, at.number, at.epoch, 0, size, func(b []byte) error {
		_, s, err := segment.OpenSealed(byteSource{bytes.NewReader(b)}, k, at.number, at.epoch)
		footer = s.Footer
		return err
	})
	return footer, size, err
}

// cloneFrom clones from urls into a fresh directory.
func (n *net) cloneFrom(urls ...string) (*CloneResult, fakeCloned, error) {
	n.t.Helper()
	var store fakeCloned
	o := CloneOptions{
		URLs: urls, Dir: filepath.Join(n.t.TempDir(), "volume"), OpenHost: n.open, Hostname: "laptop-2", AcceptOlder: n.older,
		Unlock: func(ctx context.Context, header []byte) (*seal.Keys, error) {
			if string(header) != "the header" {
				return nil, errors.New("wrong passphrase")
			}
			return seal.TestKeys(), nil
		},
		Finish: func(dir string, header []byte) error {
			return os.WriteFile(filepath.Join(dir, "volume.json"), header, 0o600)
		},
	}
	res, err := clone(n.t.Context(), o, fakeCreate(&store))
	parent, readErr := os.ReadDir(filepath.Dir(o.Dir))
	must(n.t, readErr)
	if err != nil {
		if len(parent) != 0 {
			n.t.Errorf("a clone that failed left %v", parent)
		}
		return res, store, err
	}
	if len(parent) != 1 || !*store.closed {
		n.t.Errorf("left %v, closed %v", parent, *store.closed)
	}
	if text, err := os.ReadFile(filepath.Join(o.Dir, "volume.json")); err != nil || string(text) != "the header" {
		n.t.Errorf("volume.json: %q, %v", text, err)
	}
	return res, store, nil
}

// standard is three nodes of one volume with five segments, the first of which holds the settings.
func standard(t *testing.T) (*net, *writer) {
	n := newNet(t, "mem://n1", "mem://n2", "mem://n3")
	w := newWriter(t)
	w.seal(settingsKey, settingsJSON(t, 2, "mem://n1", "mem://n2", "mem://n3"))
	for i := range 4 {
		w.seal("a file", fmt.Sprintf("version %d", i+1))
	}
	return n, w
}

func finding(t *testing.T, res *CloneResult, name string) Finding {
	t.Helper()
	for _, f := range res.Nodes {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("nothing was found of node %s: %+v", name, res.Nodes)
	return Finding{}
}

func TestCloneFromOneNodeFindsTheOthers(t *testing.T) {
	n, w := standard(t)
	n.replicate(w, 5, "mem://n1", "mem://n2", "mem://n3")
	res, store, err := n.cloneFrom("mem://n2")
	must(t, err)
	if res.Head.Number != 5 || res.Epoch != 2 || res.Segments != 5 || res.Missing != 0 || res.Volume != volume() || len(res.Nodes) != 3 {
		t.Errorf("result %+v", res)
	}
	if got := string(store.values["a file"]); got != "version 4" {
		t.Errorf("the file is %q", got)
	}
	for i, u := range []string{"mem://n1", "mem://n2", "mem://n3"} {
		if got := store.ackedBy(NodeID{byte(i + 1)}); !slices.Equal(got, idSet{{1, 5}}) {
			t.Errorf("acknowledgements of %s: %v", u, got)
		}
		text, err := getSmall(t.Context(), n.hosts[u].Volume(volume()), epochObject(2))
		if err != nil || !bytes.Equal(text, store.values[claimKey]) {
			t.Errorf("claim on %s: %q, %v; in the store %q", u, text, err, store.values[claimKey])
		}
		if f := finding(t, res, fmt.Sprintf("n%d", i+1)); !f.Claimed || f.Sentence != "has everything" {
			t.Errorf("%+v", f)
		}
	}
}

// R9: the node that was named is behind; one that only the settings name has the newest head.
func TestCloneTakesTheNewestHeadOfAllNodes(t *testing.T) {
	n, w := standard(t)
	n.replicate(w, 3, "mem://n1")
	n.replicate(w, 5, "mem://n2")
	n.down["mem://n3"] = true
	res, store, err := n.cloneFrom("mem://n1")
	must(t, err)
	if res.Head.Number != 5 || string(store.values["a file"]) != "version 4" {
		t.Errorf("head %+v", res.Head)
	}
	if f := finding(t, res, "n1"); f.Lacking != 2 || !strings.Contains(f.Sentence, "lacks the newest 2 segments: it is behind, or was rolled back") {
		t.Errorf("%+v", f)
	}
	if f := finding(t, res, "n3"); !strings.Contains(f.Error, errDown.Error()) || f.Claimed || !strings.Contains(f.Sentence, "could not be asked (open node: connection refused)") {
		t.Errorf("%+v", f)
	}
	if got := store.ackedBy(NodeID{1}); !slices.Equal(got, idSet{{1, 3}}) {
		t.Errorf("acknowledgements of n1: %v", got)
	}
}

// Settings changed after the segments that the first node has: a node only the newer ones name is found too.
func TestCloneFollowsSettingsThatChanged(t *testing.T) {
	n := newNet(t, "mem://n1", "mem://n2", "mem://n3")
	w := newWriter(t)
	w.seal(settingsKey, settingsJSON(t, 1, "mem://n1", "mem://n2"))
	w.seal(settingsKey, settingsJSON(t, 1, "mem://n1", "mem://n2", "mem://n3"))
	w.seal("a file", "newest")
	n.replicate(w, 1, "mem://n1")
	n.replicate(w, 2, "mem://n2")
	n.replicate(w, 3, "mem://n3")
	res, store, err := n.cloneFrom("mem://n1")
	must(t, err)
	if res.Head.Number != 3 || string(store.values["a file"]) != "newest" || len(res.Settings.Nodes) != 3 {
		t.Errorf("result %+v", res)
	}
}

func TestCloneUsesAnotherCopyOfAFlippedSegment(t *testing.T) {
	n, w := standard(t)
	n.replicate(w, 5, "mem://n1", "mem://n2")
	n.hosts["mem://n1"].Tamper(volume(), w.order[4], func(b []byte) []byte { b[len(b)-100] ^= 1; return b }) // in its footer
	res, store, err := n.cloneFrom("mem://n1", "mem://n2", "mem://n1")
	must(t, err)
	if res.Head.Number != 5 || len(res.Nodes) != 3 || len(res.Skipped) != 0 {
		t.Errorf("result %+v", res)
	}
	f := finding(t, res, "n1")
	if len(f.Faults) != 1 || !strings.Contains(f.Faults[0], w.order[4]) || !strings.Contains(f.Sentence, "1 object is altered") {
		t.Errorf("%+v", f)
	}
	if store.ackedBy(NodeID{1}).has(5) || !store.ackedBy(NodeID{2}).has(5) {
		t.Error("an altered object counts as a copy, or a good one does not")
	}
}

// The newest segment is nowhere whole: the one before it is the head, and the result says so.
func TestCloneSkipsASegmentThatIsNowhereWhole(t *testing.T) {
	n, w := standard(t)
	n.replicate(w, 4, "mem://n1", "mem://n2", "mem://n3")
	n.put("mem://n1", w.order[4], w.log[w.order[4]])
	n.hosts["mem://n1"].Tamper(volume(), w.order[4], func(b []byte) []byte { b[len(b)-100] ^= 1; return b })
	res, store, err := n.cloneFrom("mem://n3")
	must(t, err)
	if res.Head.Number != 4 || string(store.values["a file"]) != "version 3" {
		t.Errorf("head %+v", res.Head)
	}
	if len(res.Skipped) != 1 || res.Skipped[0].Object != w.order[4] {
		t.Errorf("skipped %+v", res.Skipped)
	}
	if warn := res.Warnings(); len(warn) != 1 || !strings.Contains(warn[0], w.order[4]+" is newer than what was recovered") {
		t.Errorf("warnings %q", warn)
	}
}

// Machine 1 sealed 4 and 5 in epoch 1 and reached one node with them; a clone had taken over at 3 and sealed its own 4 in epoch 2.
func TestCloneOfAForkTakesTheHigherEpoch(t *testing.T) {
	n := newNet(t, "mem://n1", "mem://n2")
	w := newWriter(t)
	w.seal(settingsKey, settingsJSON(t, 1, "mem://n1", "mem://n2"))
	w.seal("a file", "old")
	w.seal("a file", "common")
	clone := w.fork(2)
	w.seal("a file", "lost writer")
	w.seal("a file", "lost writer")
	forked := clone.seal("a file", "new writer")
	n.replicate(w, 5, "mem://n1")
	n.replicate(w, 3, "mem://n2")
	n.put("mem://n2", forked, clone.log[forked])
	n.put("mem://n2", epochObject(2), []byte(`{"version":1,"epoch":2}`))
	res, store, err := n.cloneFrom("mem://n1")
	must(t, err)
	if res.Head.Number != 4 || res.Head.Epoch != 2 || res.Epoch != 3 || string(store.values["a file"]) != "new writer" {
		t.Errorf("result %+v, file %s", res, store.values["a file"])
	}
	if got := store.ackedBy(NodeID{1}); !slices.Equal(got, idSet{{1, 3}}) {
		t.Errorf("a segment of the other history counts: %v", got)
	}
}

// A hole in the history: no node has segment 2 whole, so nothing after it can be trusted to be all there was; the chain ends the search.
func TestCloneRefusesABrokenChain(t *testing.T) {
	n, w := standard(t)
	n.replicate(w, 5, "mem://n1")
	n.hosts["mem://n1"].Tamper(volume(), w.order[1], func([]byte) []byte { return nil })
	if _, _, err := n.cloneFrom("mem://n1"); !errors.Is(err, ErrNewerExists) || !strings.Contains(err.Error(), w.order[4]) {
		t.Errorf("clone: %v", err)
	}
	if got := n.hosts["mem://n1"].Volume(volume()); !missing(t, got, epochObject(2)) {
		t.Error("the epoch was claimed by a clone that was refused")
	}
	n.older = true
	res, _, err := n.cloneFrom("mem://n1")
	must(t, err)
	if res.Head.Number != 1 || len(res.Skipped) != 3 || !strings.Contains(res.Skipped[0].Why, w.order[1]) {
		t.Errorf("result %+v", res)
	}
}

// A segment that authenticates but is not the one its successor follows (another life of the volume) breaks the chain on that node only.
func TestCloneFollowsTheChainOfHashes(t *testing.T) {
	n, w := standard(t)
	n.replicate(w, 5, "mem://n1", "mem://n2")
	other := newWriter(t)
	for range 4 {
		other.seal("a file", "another life")
	}
	n.hosts["mem://n1"].Tamper(volume(), w.order[3], func([]byte) []byte { return other.log[other.order[3]] })
	res, _, err := n.cloneFrom("mem://n1")
	must(t, err)
	if f := finding(t, res, "n1"); res.Head.Number != 5 || len(f.Faults) != 1 || !strings.Contains(f.Faults[0], "successor") {
		t.Errorf("head %+v, %+v", res.Head, f)
	}
}

func TestCloneClaimsAfterAnother(t *testing.T) {
	n, w := standard(t)
	n.replicate(w, 5, "mem://n1", "mem://n2", "mem://n3")
	n.put("mem://n3", epochObject(7), []byte("someone's"))
	res, store, err := n.cloneFrom("mem://n1")
	must(t, err)
	if res.Epoch != 8 || store.epoch() != 8 {
		t.Errorf("epoch %d", res.Epoch)
	}
}

// Another clone claims between our look and our claim.
func TestCloneLosesARaceForAnEpoch(t *testing.T) {
	n, w := standard(t)
	n.replicate(w, 5, "mem://n1", "mem://n2", "mem://n3")
	n.wrap["mem://n2"] = func(under node.Node) node.Node {
		return hookNode{under, func(name string) {
			if name == epochObject(2) {
				must(t, putSmall(t.Context(), under, name, []byte("the other clone's")))
			}
		}}
	}
	res, store, err := n.cloneFrom("mem://n1")
	must(t, err)
	if res.Epoch != 3 || store.epoch() != 3 {
		t.Errorf("epoch %d, store %d", res.Epoch, store.epoch())
	}
}

// hookNode calls before before each Put.
type hookNode struct {
	node.Node
	before func(name string)
}

func (h hookNode) Put(ctx context.Context, name string, body io.Reader, size int64, sum node.Sum) error {
	h.before(name)
	return h.Node.Put(ctx, name, body, size, sum)
}

// What the old writer had acknowledged just before our claim is part of the clone.
func TestCloneSeesWhatWasPutBeforeItsClaim(t *testing.T) {
	n, w := standard(t)
	n.replicate(w, 4, "mem://n1", "mem://n2", "mem://n3")
	n.wrap["mem://n3"] = func(under node.Node) node.Node {
		return hookNode{under, func(name string) {
			must(t, putSmall(t.Context(), under, w.order[4], w.log[w.order[4]]))
		}}
	}
	res, store, err := n.cloneFrom("mem://n1")
	must(t, err)
	if res.Head.Number != 5 || string(store.values["a file"]) != "version 4" {
		t.Errorf("head %+v", res.Head)
	}
}

// A node that stops answering half-way ends the clone: with what it listed there may be a newer head than without.
func TestCloneDoesNotTakeAnOlderHeadBecauseANodeWentAway(t *testing.T) {
	n, w := standard(t)
	n.replicate(w, 4, "mem://n1")
	n.replicate(w, 5, "mem://n2")
	n.wrap["mem://n2"] = func(under node.Node) node.Node {
		f := nodetest.NewFaulty(t, under)
		f.On(nodetest.Get, w.order[4]).Always().Fail(errDown)
		return f
	}
	_, _, err := n.cloneFrom("mem://n1", "mem://n2")
	if err == nil || !errors.Is(err, errDown) || !strings.Contains(err.Error(), w.order[4]) {
		t.Errorf("clone: %v", err)
	}
}

func TestCloneSentences(t *testing.T) {
	n, w := standard(t)
	n.replicate(w, 5, "mem://n1")
	n.hosts["mem://other"] = nodetest.NewMemory()
	must(t, putSmall(t.Context(), n.hosts["mem://other"].Volume(strings.Repeat("01", 16)), "header/0000000000000001", []byte("x")))
	n.hosts["mem://empty"] = nodetest.NewMemory()
	n.down["mem://n3"] = true
	for _, c := range []struct {
		name string
		urls []string
		want string
	}{
		{"dead", []string{"mem://n3"}, "no node answers: mem://n3: connection refused"},
		{"empty", []string{"mem://empty"}, "keeps any volume"},
		{"two volumes", []string{"mem://n1", "mem://other"}, "the nodes keep 2 volumes, name one of them: 0101"},
		{"nothing", nil, "no node was named"},
	} {
		if _, _, err := n.cloneFrom(c.urls...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestCloneWithTheWrongSecret(t *testing.T) {
	n, w := standard(t)
	n.replicate(w, 5, "mem://n1")
	n.hosts["mem://n1"].Tamper(volume(), headerName(1), func([]byte) []byte { return []byte("not for us") })
	if _, _, err := n.cloneFrom("mem://n1"); err == nil || !strings.Contains(err.Error(), "wrong passphrase") {
		t.Errorf("clone: %v", err)
	}
	n.put("mem://n1", headerName(0), []byte("the header")) // an older one that unlocks
	_, _, err := n.cloneFrom("mem://n1")
	must(t, err)
}

func TestCloneIntoADirectoryThatIsNotEmpty(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "mine"), nil, 0o600))
	_, err := clone(t.Context(), CloneOptions{Dir: dir}, nil)
	if err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("clone: %v", err)
	}
}
