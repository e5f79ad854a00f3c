package httpnode

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"dfsmount/node"
	"dfsmount/node/dirnode"
	"dfsmount/node/nodetest"
)

// logBuffer collects what a server logs.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// running is a server on loopback.
type running struct {
	dir  string
	id   Identity
	addr string
	log  *logBuffer
	stop context.CancelFunc // ends Serve; the error comes on done
	done chan error
}

func (r *running) url() string { return r.id.URL(r.addr) }

func (r *running) client(t *testing.T) node.Host {
	t.Helper()
	c, err := Open(r.url())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func (r *running) volume(t *testing.T) node.Node { return r.client(t).Volume(nodetest.VolumeID) }

// serveDir serves a new directory node.
func serveDir(t *testing.T, o ServerOptions) *running {
	t.Helper()
	dir := t.TempDir()
	host, err := dirnode.Open(dir, dirnode.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	r := serve(t, host, o)
	r.dir = dir
	return r
}

func serve(t *testing.T, host node.Host, o ServerOptions) *running {
	t.Helper()
	id, err := LoadIdentity(filepath.Join(t.TempDir(), "id"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &running{id: id, addr: l.Addr().String(), log: &logBuffer{}, done: make(chan error, 1)}
	o.Identity = id
	o.Log = slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if o.Grace == 0 {
		o.Grace = 50 * time.Millisecond
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	go func() { r.done <- NewServer(host, o).Serve(ctx, l); close(r.done) }()
	t.Cleanup(func() {
		cancel()
		<-r.done
		wantNoToken(t, "log", r.log.String(), id)
	})
	return r
}

// wantNoToken holds H3.
func wantNoToken(t *testing.T, what, text string, id Identity) {
	t.Helper()
	if strings.Contains(text, id.token.text()) || strings.Contains(text, url.QueryEscape(id.token.text())) {
		t.Errorf("the token is in the %s: %s", what, text)
	}
}

func TestConformance(t *testing.T) {
	nodetest.TestHost(t, func(t *testing.T) node.Host { return serveDir(t, ServerOptions{}).client(t) })
}

// TestConformanceMemory is over a host that cannot tell more than it must.
func TestConformanceMemory(t *testing.T) {
	nodetest.TestHost(t, func(t *testing.T) node.Host { return serve(t, nodetest.NewMemory(), ServerOptions{}).client(t) })
}

func put(n node.Node, name string, data []byte) error {
	return n.Put(context.Background(), name, bytes.NewReader(data), int64(len(data)), sha256.Sum256(data))
}

func TestManyClients(t *testing.T) {
	r := serveDir(t, ServerOptions{MaxConns: 4})
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			c, err := Open(r.url())
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			name := fmt.Sprintf("a/%d", i)
			n, data := c.Volume(nodetest.VolumeID), nodetest.Bytes(name, 100_000)
			if err := put(n, name, data); err != nil {
				t.Error(err)
			}
			if got, err := nodetest.Read(n, name, 0, -1); err != nil || !bytes.Equal(got, data) {
				t.Errorf("get %s: %d bytes, %v", name, len(got), err)
			}
		})
	}
	wg.Wait()
}

func TestListPages(t *testing.T) {
	m := nodetest.NewMemory()
	r := serve(t, m, ServerOptions{})
	var want []string
	for i := range maxLimit + 2 {
		want = append(want, fmt.Sprintf("a/%05d", i))
		m.Tamper(nodetest.VolumeID, want[i], func([]byte) []byte { return []byte{} })
	}
	got, err := nodetest.Names(r.volume(t), "", "")
	if err != nil || strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("list: %d names, %v; want %d", len(got), err, len(want))
	}
}

func TestIdentityStays(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "id")
	first, err := LoadIdentity(dir)
	if err != nil {
		t.Fatal(err)
	}
	again, err := LoadIdentity(dir)
	if err != nil || again.URL("h:1") != first.URL("h:1") {
		t.Errorf("the second time: %v, %v", again, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("files: %v, %v; want two", entries, err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v; want mode 0600", e.Name(), info.Mode(), err)
		}
	}
}

func TestIdentityAtOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "id")
	urls := make([]string, 8)
	var wg sync.WaitGroup
	for i := range urls {
		wg.Go(func() {
			id, err := LoadIdentity(dir)
			if err != nil {
				t.Error(err)
			}
			urls[i] = id.URL("h:1")
		})
	}
	wg.Wait()
	for _, u := range urls {
		if u != urls[0] {
			t.Error("two first starts made two identities")
		}
	}
}

func TestIdentityDamaged(t *testing.T) {
	for file, text := range map[string]string{identityFile: "", tokenFile: "abc\n"} {
		dir := filepath.Join(t.TempDir(), "id")
		if _, err := LoadIdentity(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadIdentity(dir); err == nil || !strings.Contains(err.Error(), file+" is damaged") {
			t.Errorf("%s: %v, want an error that names it", file, err)
		}
		if got, err := os.ReadFile(filepath.Join(dir, file)); err != nil || string(got) != text {
			t.Errorf("%s was replaced: %v", file, err)
		}
	}
}

func TestZeroIdentityServesNobody(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := NewServer(nodetest.NewMemory(), ServerOptions{}).Serve(context.Background(), l); err == nil {
		t.Error("served without an identity")
	}
	if (token{}).matches("") {
		t.Error("the zero token lets in who has none")
	}
}

// TestNodeAway: opening does not connect, and a node that is away is a transient error.
func TestNodeAway(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	id, err := LoadIdentity(filepath.Join(t.TempDir(), "id"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Open(id.URL(l.Addr().String()))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Volumes(context.Background())
	if err == nil || errors.Is(err, node.ErrPermanent) {
		t.Errorf("volumes: %v, want a transient error", err)
	}
	wantNoToken(t, "error", fmt.Sprint(err), id)
}
