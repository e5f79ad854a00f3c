package httpnode

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dfsmount/node"
	"dfsmount/node/nodetest"
)

// dial opens a TLS connection that no http.Client tidies up.
func dial(t *testing.T, addr string) *tls.Conn {
	t.Helper()
	conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// raw sends text on a new connection and returns the answer.
func raw(t *testing.T, addr, text string) (int, http.Header, string) {
	t.Helper()
	conn := dial(t, addr)
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(text, " ")
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	r, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, r.Header, string(body)
}

func (r *running) auth() string { return "Authorization: Bearer " + r.id.token.text() + "\r\n" }

const objects = "/v1/volumes/" + nodetest.VolumeID + "/objects"

// empty is what a PUT of no bytes needs.
var empty = "If-None-Match: *\r\nContent-Length: 0\r\nRepr-Digest: " + formatDigest(sha256.Sum256(nil)) + "\r\n"

// TestTraversal sends paths that try to leave the volume, as they are and encoded.
func TestTraversal(t *testing.T) {
	r := serveDir(t, ServerOptions{})
	before := tree(t, r.dir)
	for _, path := range []string{
		objects + "/../x", objects + "/..", objects + "/%2e%2e/x", objects + "/%2e%2e%2fx", objects + "/..%2f..%2fdfsmount-node",
		objects + "/a/../../x", objects + "//x", objects + "/", objects + "/x/", objects + "//etc/passwd", objects + "/%2fetc%2fpasswd",
		objects + "/a%00", objects + "/%00", objects + "/a%2fb", objects + "/%61", objects + "/a\\..\\b", objects + "/.node",
		objects + "/a.", objects + "/A", objects + "/a/b/c/d/e", objects + "/" + strings.Repeat("a", node.MaxPartLength+1),
		"/v1/volumes/.node/objects/token", "/v1/volumes/../objects/x", "/v1/volumes/%2enode/objects/token", "/v1/volumes//objects/x",
		"/v1/volumes/" + nodetest.VolumeID + "/../" + nodetest.VolumeID + "/objects/x", "/v1/volumes/dfsmount-node/objects/x",
		"/v1/volumes/" + strings.ToUpper(nodetest.VolumeID) + "F/objects/x", "/v1/volumes/" + nodetest.VolumeID + "/objects2/x",
		"/v1/volumes/" + nodetest.VolumeID, "/v1//volumes", "/v1/./ping", "/v2/ping", "/", "//v1/ping", "/v1/ping/", "/dfsmount-node",
	} {
		for _, method := range []string{"GET", "PUT", "DELETE", "HEAD"} {
			status, _, _ := raw(t, r.addr, method+" "+path+" HTTP/1.1\r\nHost: x\r\n"+r.auth()+empty+"\r\n")
			if status != http.StatusBadRequest {
				t.Errorf("%s %s: %d, want 400", method, path, status)
			}
		}
	}
	for _, path := range []string{"*", "http://x/../y", "x:1", "a/../b", "/v1/ping\x00", "/v1/ping#x", "https://x/v1/ping"} {
		status, _, _ := raw(t, r.addr, "PUT "+path+" HTTP/1.1\r\nHost: x\r\n"+r.auth()+empty+"\r\n")
		if status < 400 || status > 499 {
			t.Errorf("PUT %q: %d, want a refusal", path, status)
		}
	}
	if after := tree(t, r.dir); after != before {
		t.Errorf("the directory was\n%s\nand is\n%s", before, after)
	}
}

func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		fmt.Fprintln(&b, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestRequestsRefused: every rule of the protocol, broken once.
func TestRequestsRefused(t *testing.T) {
	r := serveDir(t, ServerOptions{MaxObject: 1000})
	digest := "Repr-Digest: " + formatDigest(sha256.Sum256(nil)) + "\r\n"
	put := "PUT " + objects + "/a HTTP/1.1\r\nHost: x\r\n" + r.auth()
	get := "GET " + objects
	end := " HTTP/1.1\r\nHost: x\r\n" + r.auth() + "\r\n"
	for _, c := range []struct {
		what, text string
		status     int
	}{
		{"no length", put + "If-None-Match: *\r\nTransfer-Encoding: chunked\r\n" + digest + "\r\n0\r\n\r\n", 411},
		{"no precondition", put + "Content-Length: 0\r\n" + digest + "\r\n", 400},
		{"other precondition", put + "If-None-Match: \"x\"\r\nContent-Length: 0\r\n" + digest + "\r\n", 400},
		{"no digest", put + "If-None-Match: *\r\nContent-Length: 0\r\n\r\n", 400},
		{"other digest", put + "If-None-Match: *\r\nContent-Length: 0\r\nRepr-Digest: md5=:AAAA:\r\n\r\n", 400},
		{"too large", put + "If-None-Match: *\r\nContent-Length: 1001\r\n" + digest + "\r\n", 413},
		{"wrong digest", put + "If-None-Match: *\r\nContent-Length: 1\r\n" + digest + "\r\nx", 422},
		{"bad range", get + "/a HTTP/1.1\r\nHost: x\r\nRange: bytes=-5\r\n" + r.auth() + "\r\n", 400},
		{"two ranges", get + "/a HTTP/1.1\r\nHost: x\r\nRange: bytes=0-1,3-4\r\n" + r.auth() + "\r\n", 400},
		{"missing", get + "/a" + end, 404},
		{"unknown parameter", get + "?prefix=a&sort=size" + end, 400},
		{"parameter of another", get + "/a?prefix=a" + end, 400},
		{"parameter twice", get + "?prefix=a&prefix=b" + end, 400},
		{"not a query", get + "?a;b" + end, 400},
		{"limit 0", get + "?limit=0" + end, 400},
		{"limit too high", get + "?limit=10001" + end, 400},
		{"limit no number", get + "?limit=-1" + end, 400},
		{"other method", "POST " + objects + "/a" + end, 405},
		{"put of a listing", "PUT " + objects + end, 405},
		{"delete of volumes", "DELETE /v1/volumes" + end, 405},
	} {
		if status, _, body := raw(t, r.addr, c.text); status != c.status || strings.Count(body, "\n") != 1 {
			t.Errorf("%s: %d %q, want %d and one line", c.what, status, body, c.status)
		}
	}
	if names, err := nodetest.Names(r.volume(t), "", ""); err != nil || len(names) > 0 {
		t.Errorf("list: %q, %v; want none", names, err)
	}
	if status, _, body := raw(t, r.addr, "GET /v1/ping"+end); status != 200 || body != `{"service":"dfsmount-node","protocol":1}`+"\n" {
		t.Errorf("ping: %d %q", status, body)
	}
}

// TestH1Token: without it nothing is answered, whatever is asked.
func TestH1Token(t *testing.T) {
	r := serveDir(t, ServerOptions{})
	nodetest.MustPut(t, r.volume(t), "a", []byte("x"))
	good := r.id.token.text()
	wrong := newToken().text()
	for _, header := range []string{
		"", "Authorization: \r\n", "Authorization: Bearer\r\n", "Authorization: Bearer \r\n", "Authorization: Bearer " + wrong + "\r\n",
		"Authorization: Bearer " + good[:42] + "\r\n", "Authorization: Bearer " + good + "x\r\n", "Authorization: Basic " + good + "\r\n",
		"Authorization: " + good + "\r\n", "Authorization: bearer " + good + "\r\n", "X-Authorization: Bearer " + good + "\r\n",
		r.auth() + "Authorization: Bearer " + wrong + "\r\n",
	} {
		for _, line := range []string{"GET /v1/ping", "GET /v1/volumes", "GET " + objects, "GET " + objects + "/a", "HEAD " + objects + "/a", "DELETE " + objects + "/a", "PUT " + objects + "/b", "GET /nothing"} {
			status, _, body := raw(t, r.addr, line+" HTTP/1.1\r\nHost: x\r\n"+header+empty+"\r\n")
			if status != http.StatusUnauthorized {
				t.Errorf("%s with %q: %d, want 401", line, strings.ReplaceAll(header, good, "TOKEN"), status)
			}
			wantNoToken(t, "answer", body, r.id)
		}
	}
	if names, err := nodetest.Names(r.volume(t), "", ""); err != nil || len(names) != 1 {
		t.Errorf("list: %q, %v; want a alone", names, err)
	}
}

func TestWrongToken(t *testing.T) {
	r := serveDir(t, ServerOptions{})
	other := address{r.addr, newToken(), r.id.pin}
	wantRefused(t, other, r, "401")
}

func TestWrongPin(t *testing.T) {
	r := serveDir(t, ServerOptions{})
	a, err := parseAddress(r.url())
	if err != nil {
		t.Fatal(err)
	}
	a.pin[31] ^= 1
	wantRefused(t, a, r, "another key")
	if log := r.log.String(); strings.Contains(log, "refused") {
		t.Errorf("the server got a request: %s", log)
	}
}

// wantRefused fails unless every call through the address fails for good, says why, and does not tell the token.
func wantRefused(t *testing.T, a address, r *running, says string) {
	t.Helper()
	c, err := Open(a.url())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	n, ctx := c.Volume(nodetest.VolumeID), context.Background()
	_, errVolumes := c.Volumes(ctx)
	_, errGet := n.Get(ctx, "a", 0, -1)
	_, errStat := n.Stat(ctx, "a")
	_, errList := nodetest.Names(n, "", "")
	for what, err := range map[string]error{
		"volumes": errVolumes, "put": put(n, "a", make([]byte, 1<<20)), "get": errGet, "stat": errStat, "list": errList, "delete": n.Delete(ctx, "a"),
	} {
		if !errors.Is(err, node.ErrPermanent) || !strings.Contains(fmt.Sprint(err), says) {
			t.Errorf("%s: %v, want ErrPermanent that says %q", what, err, says)
		}
		wantNoToken(t, "error", fmt.Sprintf("%v %+v", err, err), Identity{token: a.token})
		wantNoToken(t, "error", fmt.Sprintf("%v %+v", err, err), r.id)
	}
}

// TestOldTLS: 1.2 is not spoken.
func TestOldTLS(t *testing.T) {
	r := serveDir(t, ServerOptions{})
	conn, err := tls.Dial("tcp", r.addr, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12})
	if err == nil {
		conn.Close()
		t.Error("TLS 1.2 was accepted")
	}
}

// TestSlowClients: whoever does not go on is cut off, and the server goes on for others.
func TestSlowClients(t *testing.T) {
	r := serveDir(t, ServerOptions{MaxConns: 8, Header: time.Second, Stall: time.Second})
	nodetest.MustPut(t, r.volume(t), "big", make([]byte, 32<<20))
	digest := "Repr-Digest: " + formatDigest(node.Sum{}) + "\r\n"
	put := "PUT " + objects + "/a HTTP/1.1\r\nHost: x\r\nIf-None-Match: *\r\n"
	plain, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	conns := map[string]net.Conn{"no handshake": plain}
	for what, text := range map[string]string{
		"half a header":           "GET /v1/ping HTTP/1.1\r\nHost: x\r\nX-A: ",
		"half a body":             put + r.auth() + digest + "Content-Length: 100000\r\n\r\nhalf",
		"body but no token":       put + digest + "Content-Length: 100000\r\n\r\nhalf",
		"body that is refused":    put + r.auth() + "Content-Length: 100000\r\n\r\nhalf",
		"answer that is not read": "GET " + objects + "/big HTTP/1.1\r\nHost: x\r\n" + r.auth() + "\r\n",
	} {
		conn := dial(t, r.addr)
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		conns[what] = conn
	}
	for what, conn := range conns {
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		if what == "answer that is not read" {
			continue
		}
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: still connected", what)
		}
	}
	nodetest.MustPut(t, r.volume(t), "after", []byte("x"))
	n, err := io.Copy(io.Discard, conns["answer that is not read"])
	if errors.Is(err, os.ErrDeadlineExceeded) || n >= 32<<20 {
		t.Errorf("answer that is not read: got %d bytes, %v; want a connection cut off", n, err)
	}
	if names, err := nodetest.Names(r.volume(t), "", ""); err != nil || len(names) != 2 {
		t.Errorf("list: %q, %v; want after and big", names, err)
	}
}

// TestSlowHost: a host that takes long to sync is not a slow client.
func TestSlowHost(t *testing.T) {
	const stall = 250 * time.Millisecond
	r := serve(t, slowHost{nodetest.NewMemory(), 2 * stall}, ServerOptions{Stall: stall})
	for _, size := range []int{0, 1 << 20} {
		nodetest.MustPut(t, r.volume(t), fmt.Sprint(size), make([]byte, size))
	}
}

type slowHost struct {
	node.Host
	pause time.Duration
}

func (h slowHost) Volume(id string) node.Node { return slowNode{h.Host.Volume(id), h.pause} }

type slowNode struct {
	node.Node
	pause time.Duration
}

// Put takes the time after the body is there, and fails if the request was given up meanwhile.
func (n slowNode) Put(ctx context.Context, name string, body io.Reader, size int64, sum node.Sum) error {
	if err := n.Node.Put(ctx, name, body, size, sum); err != nil {
		return err
	}
	select {
	case <-time.After(n.pause):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestShutdown: what is under way is finished, or cut off at the end of the grace.
func TestShutdown(t *testing.T) {
	for what, c := range map[string]struct {
		grace    time.Duration
		finished bool
	}{"finished": {10 * time.Second, true}, "cut off": {50 * time.Millisecond, false}} {
		t.Run(what, func(t *testing.T) {
			r := serveDir(t, ServerOptions{Grace: c.grace})
			data := nodetest.Bytes("a", 1<<20)
			begun, goOn, answer := make(chan struct{}), make(chan struct{}), make(chan error, 1)
			body := &gatedReader{data: data, begun: begun, goOn: goOn}
			n := r.volume(t)
			go func() {
				answer <- n.Put(context.Background(), "a", body, int64(len(data)), sha256.Sum256(data))
			}()
			<-begun
			r.stop()
			if !c.finished {
				if err := <-r.done; err == nil {
					t.Error("serve returned nil though a request was cut off")
				}
			}
			close(goOn)
			if err := <-answer; (err == nil) != c.finished {
				t.Errorf("put: %v", err)
			}
			if err := <-r.done; err != nil && c.finished {
				t.Errorf("serve: %v", err)
			}
			_, err := os.Stat(filepath.Join(r.dir, nodetest.VolumeID, "a"))
			if (err == nil) != c.finished {
				t.Errorf("the object: %v", err)
			}
		})
	}
}

// gatedReader stops in the middle until goOn is closed.
type gatedReader struct {
	data        []byte
	off         int
	begun, goOn chan struct{}
}

func (g *gatedReader) Read(p []byte) (int, error) {
	if g.off == len(g.data) {
		return 0, io.EOF
	}
	end := len(g.data)
	if half := end / 2; g.off < half {
		end = half
	} else if g.off == half {
		close(g.begun)
		<-g.goOn
	}
	n := copy(p, g.data[g.off:end])
	g.off += n
	return n, nil
}
