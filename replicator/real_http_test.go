package replicator

import (
	"context"
	stdnet "net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dfsmount/cache"
	"dfsmount/node"
	"dfsmount/node/dirnode"
	"dfsmount/node/httpnode"
	"dfsmount/seal"
)

// httpServer is one node server that can be stopped and started at the same address.
type httpServer struct {
	t    *testing.T
	dir  string
	addr string
	id   httpnode.Identity
	stop func()
}

func newHTTPServer(t *testing.T) *httpServer {
	t.Helper()
	s := &httpServer{t: t, dir: t.TempDir(), addr: "127.0.0.1:0"}
	_, err := dirnode.Open(s.dir, dirnode.Options{Create: true})
	must(t, err)
	s.id, err = httpnode.LoadIdentity(filepath.Join(s.dir, ".node"))
	must(t, err)
	s.start()
	t.Cleanup(func() { s.stop() })
	return s
}

func (s *httpServer) start() {
	s.t.Helper()
	host, err := dirnode.Open(s.dir, dirnode.Options{})
	must(s.t, err)
	l, err := stdnet.Listen("tcp", s.addr)
	must(s.t, err)
	s.addr = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- httpnode.NewServer(host, httpnode.ServerOptions{Identity: s.id, Grace: 50 * time.Millisecond}).Serve(ctx, l)
	}()
	s.stop = func() {
		cancel()
		<-done
		s.stop = func() {}
	}
}

func openHTTPNode(c NodeConfig) (node.Node, error) {
	h, err := httpnode.Open(c.URL)
	if err != nil {
		return nil, err
	}
	return h.Volume(volume()), nil
}

// The same over the network: a node stops, the writer goes on, the node returns and catches up; then the machine is lost, and one node.
func TestRealNetwork(t *testing.T) {
	servers := []*httpServer{newHTTPServer(t), newHTTPServer(t)}
	m := &machine{t: t, dir: t.TempDir(), openNode: openHTTPNode}
	var err error
	m.store, err = cache.Create(t.Context(), m.dir, seal.TestKeys(), smallSegments)
	must(t, err)
	m.set, err = Change(m.store, func(s *Settings) error {
		s.Copies = 2
		for _, h := range servers {
			if _, err := s.Add(h.id.URL(h.addr), ""); err != nil {
				return err
			}
		}
		return nil
	})
	must(t, err)
	t.Cleanup(m.close)
	m.start()
	m.write("first", 10)
	m.sync(2)

	servers[1].stop()
	m.write("second", 10)
	m.sync(1)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err = m.repl.Sync(ctx, 2)
	if err == nil || !strings.Contains(err.Error(), `"127.0.0.1-2" is`) || strings.Contains(err.Error(), m.set.Nodes[1].URL) {
		t.Errorf("Sync with a node away: %v", err)
	}
	servers[1].start()
	m.repl.Kick()
	m.sync(2)
	want := m.files()
	m.close()
	must(t, os.RemoveAll(m.dir))
	servers[0].stop()

	o := CloneOptions{
		URLs: []string{m.set.Nodes[1].URL}, Dir: filepath.Join(t.TempDir(), "volume"), OpenHost: httpnode.Open, Hostname: "there",
		Unlock: func(context.Context, []byte) (*seal.Keys, error) { return seal.TestKeys(), nil }, Cache: smallSegments,
	}
	res, err := Clone(t.Context(), o)
	must(t, err)
	if f := finding(t, res, "127.0.0.1"); f.Error == "" || strings.Contains(f.Sentence+f.Error+f.URL, "@") {
		t.Errorf("%+v", f)
	}
	c := openMachineWith(t, o.Dir, openHTTPNode)
	equalFiles(t, c.files(), want)
}
