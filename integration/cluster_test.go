package integration

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dfsmount/integration/harness"
	"dfsmount/internal/testenv"
)

// cluster is a mounted volume with three nodes, two of which make it safe.
type cluster struct {
	*harness.World
	nodes  [3]*harness.Node
	names  [3]string // of the nodes, in status and log
	volume *harness.Volume
	mount  *harness.Mount
}

func newCluster(t *testing.T, options ...string) *cluster {
	t.Helper()
	testenv.NeedFUSE(t)
	c := &cluster{World: harness.New(t)}
	var urls []string
	for i := range c.nodes {
		c.nodes[i] = c.Node(fmt.Sprintf("n%d", i+1))
		urls = append(urls, c.nodes[i].URL)
	}
	c.volume = c.Init("v", 2, urls...)
	c.mount = c.volume.Mount(options...)
	s := c.volume.Status()
	for i, n := range c.nodes {
		c.names[i] = s.Node(n.Address()).Name
	}
	return c
}

func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// A node is killed: writing goes on, and so does safety, with the two others. It comes back, and catches up.
func TestNodeKilledAndReturned(t *testing.T) {
	c := newCluster(t)
	growTree(t, c.mount.Dir)
	c.mount.Sync("--copies", "3")
	lost := c.nodes[2]
	lost.Kill()
	for i := range 20 {
		writeFile(t, filepath.Join(c.mount.Dir, fmt.Sprintf("while away %d", i)), record(1, uint64(i), 100<<10))
	}
	c.mount.Sync()
	s := c.volume.Status()
	if n := s.Node(lost.Address()); !s.Replication.Safe || n.State != "unreachable" || n.Behind == 0 || n.LastError == "" {
		t.Errorf("two of three nodes have everything, and the status is %+v", s)
	}
	if r := c.Run("sync", c.mount.Dir, "--copies", "3", "--timeout", "1s"); r.Code != 8 {
		t.Errorf("sync to three nodes while one is dead: %v, want exit code 8", r)
	}
	lost.Start()
	c.mount.Sync("--copies", "3")
	s = c.volume.Status()
	if n := s.Node(lost.Address()); n.State != "current" || n.Behind != 0 {
		t.Errorf("the node is back and has everything, and its status is %+v", n)
	}
	if a, b := c.nodes[0].Objects(), lost.Objects(); len(a) == 0 || len(a) != len(b) {
		t.Errorf("one node keeps %d objects, the one that was away %d", len(a), len(b))
	}
}

// The mount's process is killed with segments that a dead node lacks: the queue survives.
func TestQueueSurvivesCrash(t *testing.T) {
	c := newCluster(t)
	c.nodes[2].Kill()
	growTree(t, c.mount.Dir)
	c.mount.Sync()
	c.mount.Kill()
	c.nodes[2].Start()
	c.mount = c.volume.Mount()
	c.mount.Sync("--copies", "3")
	want := snap(t, c.mount.Dir)
	c.mount.Unmount()
	c.nodes[0].Kill()
	c.nodes[1].Kill()
	m := c.Clone("clone", c.nodes[2].URL).Mount()
	want.same(t, m.Dir)
}

// The machine is lost, and one node with it: two nodes and the passphrase have everything back.
func TestRecoverOnEmptyDirectory(t *testing.T) {
	c := newCluster(t)
	growTree(t, c.mount.Dir)
	want := snap(t, c.mount.Dir)
	c.mount.Unmount("--wait")
	if err := os.RemoveAll(c.volume.Dir); err != nil {
		t.Fatal(err)
	}
	c.nodes[0].Kill()
	v := c.Clone("other machine", c.nodes[1].URL)
	m := v.Mount()
	want.same(t, m.Dir)

	// It is the volume, not a copy: it goes on, and knows its nodes.
	writeFile(t, filepath.Join(m.Dir, "life goes on"), []byte("here"))
	m.Sync()
	if s := v.Status(); len(s.Replication.Nodes) != 3 || s.Replication.Copies != 2 {
		t.Errorf("the recovered volume has the settings %+v", s.Replication)
	}
	want = snap(t, m.Dir)
	m.Unmount()
	// Two nodes are sound; that the third could not be asked is no all-clear.
	const couldNotAsk = 11
	r := c.Run("check", v.Dir, "--data", "--passphrase-file", c.Passphrase)
	if r.Code != couldNotAsk || !strings.Contains(r.Out, "the filesystem are sound") || strings.Count(r.Out, "no fault") != 2 {
		t.Errorf("check with one node dead: %v", r)
	}
	m = c.Clone("third machine", c.nodes[2].URL).Mount()
	want.same(t, m.Dir)
}

// Killed right after `dfsmount sync` said yes, and the machine lost with it: what it said holds (contract C2).
func TestSyncedSurvivesMachine(t *testing.T) {
	c := newCluster(t)
	growTree(t, c.mount.Dir)
	want := snap(t, c.mount.Dir)
	c.mount.Sync()
	c.mount.Kill()
	// Of three nodes two have it. Whichever one is lost, and the one that may be behind stays.
	c.nodes[0].Kill()
	m := c.Clone("other machine", c.nodes[2].URL).Mount()
	want.same(t, m.Dir)
}

// `dfsmount sync` is about everything written, also to a file that is still open and that the kernel would keep to itself for a while.
func TestSyncCoversOpenFiles(t *testing.T) {
	c := newCluster(t)
	f, err := os.Create(filepath.Join(c.mount.Dir, "open"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := record(1, 1, 3<<20)
	if _, err := f.Write(want); err != nil {
		t.Fatal(err)
	}
	c.mount.Sync()
	c.mount.Kill()
	m := c.Clone("other machine", c.nodes[0].URL).Mount()
	if b, err := os.ReadFile(filepath.Join(m.Dir, "open")); err != nil || !bytes.Equal(b, want) {
		t.Errorf("synced, and then the machine was lost: %d of %d bytes, %v", len(b), len(want), err)
	}
}

// With fsync=nodes, fsync returns when the nodes have it; with the nodes away it says so at the deadline, and never lies.
func TestFsyncWaitsForNodes(t *testing.T) {
	c := newCluster(t, "fsync=nodes", "fsync_timeout=2s")
	f, err := os.Create(filepath.Join(c.mount.Dir, "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	write := func(version uint64) error {
		if _, err := f.WriteAt(record(1, version, 8<<10), 0); err != nil {
			t.Fatal(err)
		}
		return f.Sync()
	}
	if err := write(1); err != nil {
		t.Fatal(err)
	}
	if s := c.volume.Status(); !s.Replication.Safe {
		t.Errorf("fsync=nodes returned, and the status is %+v", s)
	}
	c.nodes[0].Kill()
	if err := write(2); err != nil {
		t.Errorf("two of three nodes are there, and fsync says %v", err)
	}
	c.nodes[1].Kill()
	start := time.Now()
	if err := write(3); !errors.Is(err, syscall.EIO) {
		t.Errorf("one of three nodes is there, two are asked for, and fsync says %v", err)
	}
	if waited := time.Since(start); waited < 2*time.Second || waited > 30*time.Second {
		t.Errorf("fsync waited %v, asked to wait 2 s", waited)
	}
	c.nodes[1].Start()
	c.mount.Sync()
	if err := write(4); err != nil {
		t.Errorf("the nodes are back, and fsync says %v", err)
	}
}
