package httpnode

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"dfsmount/node"
	"dfsmount/node/nodetest"
)

// lyingNode is a server with a node's key that answers what it likes.
func lyingNode(t *testing.T, fn http.HandlerFunc) *Client {
	t.Helper()
	id, err := LoadIdentity(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(fn)
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{id.certificate}}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	c := newClient(address{s.Listener.Addr().String(), id.token, id.pin}, patience{5 * time.Second, 500 * time.Millisecond, 500 * time.Millisecond})
	t.Cleanup(func() { c.Close(); s.CloseClientConnections() })
	return c
}

// TestAnswersThatLie: whatever a server with the right key says, the client does not take it for more than it is.
func TestAnswersThatLie(t *testing.T) {
	status := func(code int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(code)
			_, _ = io.WriteString(w, "0123456789")
		}
	}
	for what, fn := range map[string]http.HandlerFunc{
		"redirect":            status(307, "Location", "https://127.0.0.1:1/"),
		"another success":     status(203),
		"range of its choice": status(206, "Content-Range", "bytes 6-15/20"),
		"range too short":     status(206, "Content-Range", "bytes 5-14/21"),
		"range without size":  status(206, "Content-Range", "bytes 5-14/*"),
		"other length":        status(206, "Content-Range", "bytes 5-16/17"),
		"no range":            status(200),
		"teapot":              status(418),
	} {
		n := lyingNode(t, fn).Volume(nodetest.VolumeID)
		if got, err := nodetest.Read(n, "a", 5, 15); err == nil {
			t.Errorf("%s: get: %q", what, got)
		}
		if info, err := n.Stat(context.Background(), "a"); err == nil {
			t.Errorf("%s: stat: %v", what, info)
		}
		if err := put(n, "a", []byte("x")); err == nil {
			t.Errorf("%s: put is taken for stored", what)
		}
		if _, err := nodetest.Names(n, "", ""); err == nil {
			t.Errorf("%s: list is taken", what)
		}
		if err := n.Delete(context.Background(), "a"); err == nil {
			t.Errorf("%s: delete is taken for done", what)
		}
	}
}

// TestH5BodyCutOff: a body that ends early is an error at its end, chunked ones are not taken at all.
func TestH5BodyCutOff(t *testing.T) {
	n := lyingNode(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write(make([]byte, 999))
	}).Volume(nodetest.VolumeID)
	if got, err := nodetest.Read(n, "a", 0, -1); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("get: %d bytes, %v", len(got), err)
	}
	n = lyingNode(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		_, _ = w.Write(make([]byte, 999))
	}).Volume(nodetest.VolumeID)
	if got, err := nodetest.Read(n, "a", 0, -1); err == nil {
		t.Errorf("get: %d bytes of a body without length", len(got))
	}
}

// TestStalls: a node that hangs is given up, wherever it hangs, and the error is transient.
func TestStalls(t *testing.T) {
	done := make(chan struct{})
	defer close(done)
	hang := func(before func(w http.ResponseWriter, r *http.Request)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			before(w, r)
			<-done
		}
	}
	for what, fn := range map[string]http.HandlerFunc{
		"at once": hang(func(http.ResponseWriter, *http.Request) {}),
		"after the body": hang(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
		}),
		"in the body": hang(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				_, _ = io.CopyN(io.Discard, r.Body, 1000)
				return
			}
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write(make([]byte, 100))
			_ = http.NewResponseController(w).Flush()
		}),
	} {
		c := lyingNode(t, fn)
		n := c.Volume(nodetest.VolumeID)
		data := make([]byte, 20<<20) // more than sockets hold
		if err := put(n, "a", data); err == nil || errors.Is(err, node.ErrPermanent) {
			t.Errorf("%s: put: %v, want a transient error", what, err)
		}
		if _, err := nodetest.Read(n, "a", 0, -1); err == nil || errors.Is(err, node.ErrPermanent) {
			t.Errorf("%s: get: %v, want a transient error", what, err)
		}
	}
}

// TestStallBeforeTLS: something accepts the connection and says nothing.
func TestStallBeforeTLS(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := newClient(address{l.Addr().String(), newToken(), Pin{}}, patience{100 * time.Millisecond, time.Second, time.Second})
	if _, err := c.Volumes(context.Background()); err == nil || errors.Is(err, node.ErrPermanent) {
		t.Errorf("volumes: %v, want a transient error", err)
	}
}

// TestSlowCaller: a caller whose body takes its time is no stalled node, nor is one that reads slowly.
func TestSlowCaller(t *testing.T) {
	c := lyingNode(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusCreated)
			return
		}
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write(make([]byte, 1000))
	})
	n := c.Volume(nodetest.VolumeID)
	pause := func() { <-time.After(2 * c.patience.stall) }
	body := readerFunc(func(p []byte) (int, error) { pause(); return copy(p, "x"), nil })
	if err := n.Put(context.Background(), "a", body, 1, sha256.Sum256([]byte("x"))); err != nil {
		t.Errorf("put: %v", err)
	}
	r, err := n.Get(context.Background(), "a", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	pause()
	if got, err := io.ReadAll(r); err != nil || len(got) != 1000 {
		t.Errorf("get: %d bytes, %v", len(got), err)
	}
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestRetryAfter passes what a host asks for through both sides.
func TestRetryAfter(t *testing.T) {
	f := nodetest.NewFaulty(t, nodetest.NewMemory().Volume(nodetest.VolumeID))
	f.On(nodetest.Delete).RetryAfter(90 * time.Second)
	f.On(nodetest.Put).Fail(fmt.Errorf("quota: %w", node.ErrFull))
	r := serve(t, oneVolume{nodetest.NewMemory(), f}, ServerOptions{})
	var pause node.RetryAfter
	if err := r.volume(t).Delete(context.Background(), "a"); !errors.As(err, &pause) || pause.RetryAfter() != 90*time.Second {
		t.Errorf("delete: %v, want a pause of 90 s", err)
	}
	if err := put(r.volume(t), "a", []byte("x")); !errors.Is(err, node.ErrFull) || errors.Is(err, node.ErrPermanent) {
		t.Errorf("put: %v, want ErrFull", err)
	}
}

type oneVolume struct {
	node.Host
	n node.Node
}

func (h oneVolume) Volume(string) node.Node { return h.n }

// TestH3EchoedToken: a server that repeats the token does not get it into our logs.
func TestH3EchoedToken(t *testing.T) {
	c := lyingNode(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(500)
		_, _ = io.WriteString(w, "you sent "+r.Header.Get("Authorization")+"\x1b[31m\nsecond line")
	})
	_, err := c.Volumes(context.Background())
	if err == nil || !strings.Contains(err.Error(), "you sent Bearer ***?[31m)") {
		t.Errorf("volumes: %v", err)
	}
	wantNoToken(t, "error", err.Error(), Identity{token: c.address.token})
}

// TestNoProxy: the environment does not come between us and a node.
func TestNoProxy(t *testing.T) {
	if os.Getenv("HTTPS_PROXY") == "" {
		t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	}
	r := serveDir(t, ServerOptions{})
	c := r.client(t).(*Client)
	if c.http.Transport.(*http.Transport).Proxy != nil {
		t.Error("the client asks for a proxy")
	}
	nodetest.MustPut(t, c.Volume(nodetest.VolumeID), "a", nil)
}
