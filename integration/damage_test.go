package integration

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"dfsmount/integration/harness"
)

// damages are what can happen to a node's objects without the node noticing. Each returns the names of the objects it changed.
var damages = []struct {
	name string
	do   func(t *testing.T, c *cluster, objects []harness.Object) (changed []string)
}{
	{"flipped bits", func(t *testing.T, c *cluster, objects []harness.Object) (changed []string) {
		for _, o := range objects {
			b := c.Read(o)
			for at := len(b) / 7; at < len(b); at += max(1, len(b)/5) {
				b[at] ^= 0x10
			}
			c.Write(o, b)
			changed = append(changed, o.Name)
		}
		return changed
	}},
	{"truncated", func(t *testing.T, c *cluster, objects []harness.Object) (changed []string) {
		for _, o := range objects {
			b := c.Read(o)
			c.Write(o, b[:len(b)/3])
			changed = append(changed, o.Name)
		}
		return changed
	}},
	{"swapped", func(t *testing.T, c *cluster, objects []harness.Object) (changed []string) {
		for i := 0; i+1 < len(objects); i += 2 {
			a, b := c.Read(objects[i]), c.Read(objects[i+1])
			c.Write(objects[i], b)
			c.Write(objects[i+1], a)
			changed = append(changed, objects[i].Name, objects[i+1].Name)
		}
		return changed
	}},
	{"emptied", func(t *testing.T, c *cluster, objects []harness.Object) (changed []string) {
		for _, o := range objects {
			c.Write(o, nil)
			changed = append(changed, o.Name)
		}
		return changed
	}},
	{"zeroed", func(t *testing.T, c *cluster, objects []harness.Object) (changed []string) {
		for _, o := range objects {
			c.Write(o, make([]byte, len(c.Read(o))))
			changed = append(changed, o.Name)
		}
		return changed
	}},
	{"removed", func(t *testing.T, c *cluster, objects []harness.Object) (changed []string) {
		for _, o := range objects {
			if err := os.Remove(o.Path); err != nil {
				t.Fatal(err)
			}
			changed = append(changed, o.Name)
		}
		return changed
	}},
	{"rolled back", func(t *testing.T, c *cluster, objects []harness.Object) (changed []string) {
		for _, o := range objects[len(objects)/2:] {
			if err := os.Remove(o.Path); err != nil {
				t.Fatal(err)
			}
			changed = append(changed, o.Name)
		}
		return changed
	}},
}

// filledCluster has several segments, everything on all nodes, and nobody mounting.
func filledCluster(t *testing.T) (*cluster, snapshot) {
	t.Helper()
	c := newCluster(t)
	growTree(t, c.mount.Dir)
	for i := range 6 { // a segment each
		writeFile(t, filepath.Join(c.mount.Dir, "more-"+string(rune('a'+i))), record(50, uint64(i), 300<<10))
		c.mount.Sync("--copies", "3")
	}
	want := snap(t, c.mount.Dir)
	c.mount.Unmount()
	if n := len(c.nodes[0].Objects()); n < 4 {
		t.Fatalf("the node keeps %d objects only", n)
	}
	return c, want
}

// One node's objects are damaged, in every way. A machine that has the volume from the nodes reads everything right from another, and says
// which object of which node was bad (contract C6).
func TestDamagedNodeIsNeverBelieved(t *testing.T) {
	for _, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			c, want := filledCluster(t)
			bad, good := c.nodes[0], c.nodes[1]
			c.nodes[2].Kill()
			changed := d.do(t, c, bad.Objects())
			if len(changed) == 0 {
				t.Fatal("nothing was damaged")
			}
			// Asking the bad node first: it is the first in the volume's settings, and named on the command line.
			v := c.Opened("clone")
			if r := c.TryClone("clone", bad.URL); r.Code != 0 { // with nothing to start from, saying so is right
				if !strings.Contains(r.Err, "dfsmount: error: ") {
					t.Errorf("clone from the bad node: %v", r)
				}
				v = c.Clone("clone from the good node", good.URL)
			}
			m := v.Mount()
			want.same(t, m.Dir)
			m.Unmount()
		})
	}
}

// Reading finds the damage while mounted: a line in the log names object and node. With a good node back the same file reads right.
func TestDamageIsNamed(t *testing.T) {
	c, want := filledCluster(t)
	bad, good := c.nodes[0], c.nodes[1]
	c.nodes[2].Kill()
	m := c.Clone("clone", good.URL).Mount()
	var all []string
	for _, o := range bad.Objects() {
		b := c.Read(o)
		for at := 200; at < len(b); at += 1000 {
			b[at] ^= 1
		}
		c.Write(o, b)
		all = append(all, o.Name)
	}
	good.Kill()
	if _, err := os.ReadFile(filepath.Join(m.Dir, "more-a")); !errors.Is(err, syscall.EIO) {
		t.Errorf("the only node that is there has bad bytes, and reading says %v, want EIO", err)
	}
	checkLog(t, m.Log(), all, c.names[0])
	good.Start()
	want.same(t, m.Dir)
}

// checkLog wants at least one error that names one of the objects and the node.
func checkLog(t *testing.T, log string, objects []string, node string) {
	t.Helper()
	for line := range strings.Lines(log) {
		for _, o := range objects {
			if node != "" && strings.Contains(line, "level=ERROR") && strings.Contains(line, o) && strings.Contains(line, "node="+node+" ") {
				return
			}
		}
	}
	t.Errorf("no error in the log names one of the damaged objects %q and the node %q:\n%s", objects, node, log)
}

// Every copy is bad: an error, and never other bytes than those written.
func TestDamageEverywhereIsEIO(t *testing.T) {
	c, want := filledCluster(t)
	v := c.Clone("clone", c.nodes[0].URL)
	m := v.Mount()
	before := files(t, c, want, m)
	m.Unmount()
	v = c.Clone("second clone", c.nodes[0].URL)
	m = v.Mount()
	var all []string
	for _, n := range c.nodes {
		for _, o := range n.Objects() {
			b := c.Read(o)
			for at := 200; at < len(b); at += 100 {
				b[at] ^= 1
			}
			c.Write(o, b)
			all = append(all, o.Name)
		}
	}
	failed := 0
	for name, content := range before {
		b, err := os.ReadFile(filepath.Join(m.Dir, name))
		switch {
		case errors.Is(err, syscall.EIO):
			failed++
		case err != nil:
			t.Errorf("%s: %v, want EIO", name, err)
		case !bytes.Equal(b, content):
			t.Errorf("%s: WRONG BYTES", name)
		}
	}
	if failed == 0 {
		t.Error("every object of every node is damaged, and nothing failed: nothing was read from nodes")
	}
	for _, name := range c.names {
		checkLog(t, m.Log(), all, name)
	}
	// A damaged file takes nothing along: its directory lists, and it can be removed.
	if entries, err := os.ReadDir(m.Dir); err != nil || len(entries) == 0 {
		t.Errorf("list the directory: %d entries, %v", len(entries), err)
	}
	if err := os.Remove(filepath.Join(m.Dir, "more-a")); err != nil {
		t.Errorf("remove a damaged file: %v", err)
	}
}

// files reads the largest files of the tree.
func files(t *testing.T, c *cluster, want snapshot, m *harness.Mount) map[string][]byte {
	t.Helper()
	want.same(t, m.Dir)
	all := map[string][]byte{}
	for _, name := range []string{"more-a", "more-b", "more-c", "more-d", "more-e", "more-f", "size-262144", "size-3145745"} {
		b, err := os.ReadFile(filepath.Join(m.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		all[name] = b
	}
	return all
}

// A node that acknowledged objects and no longer has them is found out, by check and by the next mount, which puts them there again.
func TestRolledBackNodeIsNoticed(t *testing.T) {
	c, want := filledCluster(t)
	all := c.nodes[0].Objects()
	var lost []string
	for _, o := range all[len(all)/2:] {
		if err := os.Remove(o.Path); err != nil {
			t.Fatal(err)
		}
		lost = append(lost, o.Name)
	}
	r := c.Run("check", c.volume.Dir, "--data", "--passphrase-file", c.Passphrase)
	if r.Code == 0 || !strings.Contains(r.Out+r.Err, c.names[0]) {
		t.Errorf("check --data with a node that lost half of its objects: %v", r)
	}
	m := c.volume.Mount()
	c.Await("the node has its objects again", func() bool { return len(c.nodes[0].Objects()) >= len(all) })
	checkLog(t, m.Log(), lost, c.names[0])
	want.same(t, m.Dir)
}
