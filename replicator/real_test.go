package replicator

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dfsmount/cache"
	"dfsmount/node"
	"dfsmount/node/dirnode"
	"dfsmount/seal"
	"dfsmount/segment"
)

// machine is a real store on a real disk, with nodes in directories.
type machine struct {
	t     *testing.T
	dir   string
	store *cache.Store
	set   Settings
	repl  *Replicator
	stop  func()

	openNode func(NodeConfig) (node.Node, error)
}

var smallSegments = cache.Options{SegmentSize: 64 << 10, SealAge: 50 * time.Millisecond, CheckpointMin: 16 << 10}

func openDir(url string) (node.Host, error) {
	return dirnode.Open(strings.TrimPrefix(url, "dir:"), dirnode.Options{})
}

func openDirNode(c NodeConfig) (node.Node, error) {
	h, err := openDir(c.URL)
	if err != nil {
		return nil, err
	}
	return h.Volume(volume()), nil
}

// newMachine makes a volume with n nodes.
func newMachine(t *testing.T, n, copies int) *machine {
	t.Helper()
	m := &machine{t: t, dir: t.TempDir(), openNode: openDirNode}
	var err error
	m.store, err = cache.Create(t.Context(), m.dir, seal.TestKeys(), smallSegments)
	must(t, err)
	m.set, err = Change(m.store, func(s *Settings) error {
		s.Copies = copies
		for i := range n {
			dir := filepath.Join(t.TempDir(), fmt.Sprintf("node%d", i+1))
			must(t, os.Mkdir(dir, 0o700))
			if _, err := dirnode.Open(dir, dirnode.Options{Create: true}); err != nil {
				return err
			}
			if _, err := s.Add("dir:"+dir, ""); err != nil {
				return err
			}
		}
		return nil
	})
	must(t, err)
	t.Cleanup(m.close)
	m.start()
	return m
}

// openMachine opens the state directory a clone made.
func openMachine(t *testing.T, dir string) *machine {
	t.Helper()
	return openMachineWith(t, dir, openDirNode)
}

func openMachineWith(t *testing.T, dir string, open func(NodeConfig) (node.Node, error)) *machine {
	t.Helper()
	m := &machine{t: t, dir: dir, openNode: open}
	var err error
	m.store, err = cache.Open(t.Context(), dir, seal.TestKeys(), smallSegments)
	must(t, err)
	t.Cleanup(m.close)
	m.set, err = Load(m.store)
	must(t, err)
	m.start()
	return m
}

func (m *machine) start() {
	m.repl = New(m.store, volume(), m.set, Options{Open: m.openNode, Hostname: "here"})
	m.repl.SetHeader(1, []byte("the header"))
	m.store.SetFetcher(m.repl)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.repl.Run(ctx) }()
	m.stop = func() {
		cancel()
		if err := <-done; err != nil {
			m.t.Errorf("Run: %v", err)
		}
	}
}

func (m *machine) close() {
	if m.stop == nil {
		return
	}
	m.stop()
	m.stop = nil
	if err := m.store.Close(); err != nil {
		m.t.Errorf("close: %v", err)
	}
}

// write stores n files of random bytes, with a name made from prefix, as fs does: extents, then their places as one transaction.
func (m *machine) write(prefix string, n int) {
	m.t.Helper()
	for i := range n {
		data := make([]byte, 20<<10)
		rand.Read(data)
		l, err := m.store.Append(data)
		must(m.t, err)
		must(m.t, m.store.Update(func(tx *cache.Tx) error {
			tx.Put(fmt.Appendf(nil, "F%s%04d", prefix, i), fmt.Appendf(nil, "%d %d %d %x", l.Segment, l.Offset, l.Length, data[:16]))
			return nil
		}))
	}
}

// files reads every file and returns its first bytes, after comparing them with what was written.
func (m *machine) files() map[string]string {
	m.t.Helper()
	found := map[string]string{}
	places := map[string]segment.Location{}
	must(m.t, m.store.View(func(tx *cache.Tx) error {
		return tx.Scan([]byte("F"), []byte("G"), func(k, v []byte) bool {
			var l segment.Location
			var start []byte
			if _, err := fmt.Sscanf(string(v), "%d %d %d %x", &l.Segment, &l.Offset, &l.Length, &start); err != nil {
				m.t.Errorf("%s: %v", k, err)
			}
			found[string(k)], places[string(k)] = string(start), l
			return true
		})
	}))
	for name, l := range places {
		got := make([]byte, l.Length)
		if err := m.store.Read(m.t.Context(), l, 0, got); err != nil {
			m.t.Errorf("read %s: %v", name, err)
		} else if !bytes.HasPrefix(got, []byte(found[name])) {
			m.t.Errorf("%s: other bytes", name)
		}
	}
	return found
}

func (m *machine) sync(copies int) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), time.Minute)
	defer cancel()
	must(m.t, m.repl.Sync(ctx, copies))
}

func cloneReal(t *testing.T, urls ...string) (*CloneResult, *machine) {
	t.Helper()
	o := CloneOptions{
		URLs: urls, Dir: filepath.Join(t.TempDir(), "volume"), OpenHost: openDir, Hostname: "there", Cache: smallSegments,
		Unlock: func(context.Context, []byte) (*seal.Keys, error) { return seal.TestKeys(), nil },
	}
	must(t, os.Mkdir(o.Dir, 0o700)) // an empty one may be there
	o.Dir += "/"
	res, err := Clone(t.Context(), o)
	must(t, err)
	return res, openMachine(t, o.Dir)
}

func equalFiles(t *testing.T, got, want map[string]string) {
	t.Helper()
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s differs, or is missing", name)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d files, want %d", len(got), len(want))
	}
}

func TestRealCloneFromOneNode(t *testing.T) {
	m := newMachine(t, 3, 2)
	m.write("first", 30)
	m.sync(3)
	must(t, m.store.Checkpoint(t.Context()))
	m.write("second", 30)
	m.sync(3)
	if st := m.repl.Status(); !st.Safe || st.Unsafe != 0 {
		t.Errorf("status %+v", st)
	}
	want := m.files()
	head := m.store.Head()
	m.close()
	must(t, os.RemoveAll(m.dir))

	res, c := cloneReal(t, m.set.Nodes[1].URL)
	if res.Head.Number < head.Number || res.Epoch != 2 || res.Missing != 0 || len(res.Skipped) != 0 || len(res.Nodes) != 3 {
		t.Errorf("result %+v, head was %+v", res, head)
	}
	equalFiles(t, c.files(), want)
	c.write("third", 5)
	c.sync(3)
	want = c.files()
	if st := c.repl.Status(); !st.Safe || st.Fenced != nil {
		t.Errorf("status of the clone %+v", st)
	}
	c.close()

	_, again := cloneReal(t, m.set.Nodes[0].URL, m.set.Nodes[2].URL)
	equalFiles(t, again.files(), want)
}

// The old machine goes on after a clone took over: it is fenced, and the clone's history stands.
func TestRealTakeover(t *testing.T) {
	m := newMachine(t, 2, 1)
	m.write("common", 10)
	m.sync(2)
	want := m.files()

	_, c := cloneReal(t, m.set.Nodes[0].URL)
	m.write("late", 3)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := m.repl.Sync(ctx, 1); err == nil || !strings.Contains(err.Error(), "there, epoch 2") {
		t.Errorf("the old writer's sync: %v", err)
	}
	equalFiles(t, c.files(), want)
	if len(m.files()) != 13 {
		t.Error("the fenced writer lost its tail")
	}
}

// The worker's record survives the process; only what is missing is sent.
func TestRealRestart(t *testing.T) {
	m := newMachine(t, 2, 2)
	m.write("a", 20)
	m.sync(2)
	m.close()
	n := openMachine(t, m.dir)
	n.sync(2)
	for _, c := range n.set.Nodes {
		acked, err := n.repl.local.acks(c.ID)
		if err != nil || len(acked) != 1 || acked[0].first != 1 || acked[0].last != n.store.Newest() {
			t.Errorf("acknowledgements %v, %v, newest %d", acked, err, n.store.Newest())
		}
	}
}

// A node added to a clone, which has no segment of the old history on its disk, is filled from the others.
func TestRealNewNodeOfAClone(t *testing.T) {
	m := newMachine(t, 1, 1)
	m.write("a", 20)
	m.sync(1)
	want := m.files()
	m.close()
	_, c := cloneReal(t, m.set.Nodes[0].URL)
	dir := filepath.Join(t.TempDir(), "late")
	must(t, os.Mkdir(dir, 0o700))
	_, err := dirnode.Open(dir, dirnode.Options{Create: true})
	must(t, err)
	set, err := Change(c.store, func(s *Settings) error { _, err := s.Add("dir:"+dir, ""); return err })
	must(t, err)
	c.repl.Apply(set)
	c.sync(2)
	c.close()
	must(t, os.RemoveAll(strings.TrimPrefix(m.set.Nodes[0].URL, "dir:")))
	_, d := cloneReal(t, "dir:"+dir)
	equalFiles(t, d.files(), want)
}

// objects lists a node's segment files, oldest first.
func objects(t *testing.T, c NodeConfig) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(strings.TrimPrefix(c.URL, "dir:"), volume(), "segment", "*"))
	must(t, err)
	if len(files) == 0 {
		t.Fatal("no segment on the node")
	}
	return files
}

// One node was rolled back, one flipped a bit in its newest segment, one in an old segment's file data; each is named,
// the state is the newest.
func TestRealCloneAmongBadNodes(t *testing.T) {
	m := newMachine(t, 3, 3)
	for i := range 4 {
		m.write(fmt.Sprint("part", i), 10)
		m.sync(3)
	}
	want := m.files()
	m.close()
	back := objects(t, m.set.Nodes[0])
	for _, f := range back[len(back)/2:] {
		must(t, os.Remove(f))
	}
	newest := objects(t, m.set.Nodes[1])
	flipFile(t, newest[len(newest)-1], -60)
	flipFile(t, objects(t, m.set.Nodes[2])[0], 2000)

	res, c := cloneReal(t, m.set.Nodes[0].URL)
	if f := finding(t, res, m.set.Nodes[0].Name); f.Lacking != uint64(len(back)-len(back)/2) || !strings.Contains(f.Sentence, "behind, or was rolled back") {
		t.Errorf("rolled back: %+v", f)
	}
	if f := finding(t, res, m.set.Nodes[1].Name); len(f.Faults) != 1 || !strings.Contains(f.Faults[0], filepath.Base(newest[len(newest)-1])) {
		t.Errorf("flipped: %+v", f)
	}
	if res.Head.Number != segment.ID(len(newest)) || res.Missing != 0 {
		t.Errorf("result %+v", res)
	}
	equalFiles(t, c.files(), want) // the old flipped one is found by reading, and read elsewhere
}

func flipFile(t *testing.T, path string, at int) {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	if at < 0 {
		at += len(data)
	}
	data[at] ^= 4
	must(t, os.WriteFile(path, data, 0o600))
}

// The machine had put segments on one node that a clone of the other could not see; both histories are there, and the clone's wins.
func TestRealFork(t *testing.T) {
	m := newMachine(t, 2, 1)
	m.write("common", 10)
	m.sync(2)
	away := strings.TrimPrefix(m.set.Nodes[0].URL, "dir:")
	must(t, os.Rename(away, away+".away"))
	_, c := cloneReal(t, m.set.Nodes[1].URL)
	c.write("clone", 5)
	c.sync(1)
	want := c.files()
	c.close()

	must(t, os.Rename(away+".away", away))
	must(t, os.Rename(strings.TrimPrefix(m.set.Nodes[1].URL, "dir:"), away+".other"))
	m.write("late", 5) // nobody told this machine: its only node has no claim
	m.sync(1)
	m.close()
	must(t, os.Rename(away+".other", strings.TrimPrefix(m.set.Nodes[1].URL, "dir:")))

	res, d := cloneReal(t, m.set.Nodes[0].URL)
	if res.Head.Epoch != 2 || res.Epoch != 3 {
		t.Errorf("result %+v", res)
	}
	equalFiles(t, d.files(), want)
}
