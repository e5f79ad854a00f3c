package httpnode

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"testing"

	"dfsmount/node"
	"dfsmount/node/nodetest"
)

// doubtfulHost stores what it is given and then cannot say that it is durable.
type doubtfulHost struct{ node.Host }

func (h doubtfulHost) Volume(id string) node.Node { return doubtfulNode{h.Host.Volume(id)} }

type doubtfulNode struct{ node.Node }

func (n doubtfulNode) Put(ctx context.Context, name string, body io.Reader, size int64, sum node.Sum) error {
	return errors.Join(n.Node.Put(ctx, name, body, size, sum), errors.New("fsync: input/output error"))
}

// H2: nothing is acknowledged that the host did not acknowledge, even when all bytes are there.
func TestH2NoAcknowledgementWithoutTheHosts(t *testing.T) {
	memory := nodetest.NewMemory()
	r := serve(t, doubtfulHost{memory}, ServerOptions{})
	data := []byte("perhaps durable")
	err := r.volume(t).Put(context.Background(), "a", bytes.NewReader(data), int64(len(data)), sha256.Sum256(data))
	if err == nil {
		t.Fatal("acknowledged, although the host failed")
	}
	if _, err := memory.Volume(nodetest.VolumeID).Stat(context.Background(), "a"); err != nil {
		t.Fatalf("the host did not store it, so this tests nothing: %v", err)
	}
}

// watchedBody notes when it is read at a wrong time or too far.
type watchedBody struct {
	left     int
	returned atomic.Bool // Put has
	wrong    atomic.Pointer[string]
}

func (b *watchedBody) Read(p []byte) (int, error) {
	if b.returned.Load() {
		b.note("read after Put returned")
	}
	if b.left == 0 {
		b.note("read past size bytes")
		return 0, io.EOF
	}
	n := min(len(p), b.left)
	b.left -= n
	return n, nil
}

func (b *watchedBody) note(what string) { b.wrong.CompareAndSwap(nil, &what) }

// H4: whether the node takes the body, refuses it before it has read any, or hangs up in the middle.
func TestH4BodyIsLeftAlone(t *testing.T) {
	const size = 8 << 20
	for what, answer := range map[string]http.HandlerFunc{
		"taken": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusCreated)
		},
		"refused unread": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"cut in the middle": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.CopyN(io.Discard, r.Body, 100<<10)
			panic(http.ErrAbortHandler)
		},
	} {
		t.Run(what, func(t *testing.T) {
			n := lyingNode(t, answer).Volume(nodetest.VolumeID)
			body := &watchedBody{left: size + 1} // one byte more than Put may read
			err := n.Put(context.Background(), "a", body, size, sha256.Sum256(make([]byte, size)))
			body.returned.Store(true)
			if (err == nil) != (what == "taken") {
				t.Errorf("put: %v", err)
			}
			if what == "taken" && body.left != 1 {
				t.Errorf("%d bytes of the body are left, want the 1 that is not the object's", body.left)
			}
			// A later call on the same connections gives a reader that was left behind its chance.
			_, _ = n.Stat(context.Background(), "b")
			if wrong := body.wrong.Load(); wrong != nil {
				t.Error(*wrong)
			}
		})
	}
}
