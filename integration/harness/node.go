package harness

import (
	"strings"
)

// Node is a node process with a directory of its own.
type Node struct {
	Dir string
	URL string // with its token, as `dfsmount node` prints it

	w      *World
	name   string
	listen string
	p      *process
}

// Node starts a node. It ends with the test.
func (w *World) Node(name string) *Node {
	w.t.Helper()
	n := &Node{Dir: w.Path(name), w: w, name: name, listen: "127.0.0.1:0"}
	n.Start()
	w.t.Cleanup(n.Kill)
	return n
}

// Start starts it again, on the address it had.
func (n *Node) Start() {
	n.w.t.Helper()
	n.p = n.w.start("node "+n.name, "node", "--dir", n.Dir, "--listen", n.listen)
	line, ok := n.p.await(func(line string) bool { return strings.HasPrefix(line, "https://") })
	if !ok {
		n.w.t.Fatalf("node %s did not start: %v: %s", n.name, n.p.err, n.p.errs.text())
	}
	if n.URL != "" && line != n.URL {
		n.w.t.Errorf("node %s was %s and came back as %s", n.name, n.URL, line)
	}
	n.URL = line
	_, rest, _ := strings.Cut(line, "@")
	n.listen, _, _ = strings.Cut(rest, "/")
}

// Address is HOST:PORT: how status and logs name the node.
func (n *Node) Address() string { return n.listen }

// Kill ends its process as a crash would. Killing a dead one is fine.
func (n *Node) Kill() { n.p.kill() }

// Log is what it wrote to standard error.
func (n *Node) Log() string { return n.p.errs.text() }
