package control

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func listen(t *testing.T, dir string, calls map[string]Call) *Server {
	t.Helper()
	s, err := Listen(dir, calls)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

func TestCallWithProgressAndResult(t *testing.T) {
	for _, dir := range []string{t.TempDir(), filepath.Join(t.TempDir(), strings.Repeat("long", 40))} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		stepped := make(chan struct{})
		listen(t, dir, map[string]Call{"double": func(ctx context.Context, args json.RawMessage, progress func(int64, int64)) (any, error) {
			var n int
			if err := json.Unmarshal(args, &n); err != nil {
				return nil, err
			}
			for i := int64(0); ; i++ { // a progress line is dropped when nobody listens yet: tell until one arrived
				progress(i, 10)
				select {
				case <-stepped:
					return 2 * n, nil
				default:
				}
			}
		}})
		var got int
		var once bool
		err := Do(context.Background(), dir, "double", 21, &got, func(_, total int64) {
			if total != 10 {
				t.Errorf("total %d, want 10", total)
			}
			if !once {
				once = true
				close(stepped)
			}
		})
		if err != nil || got != 42 {
			t.Fatalf("got %d, %v; want 42", got, err)
		}
	}
}

func TestErrors(t *testing.T) {
	dir := t.TempDir()
	if err := Do(context.Background(), dir, "x", nil, nil, nil); !errors.Is(err, ErrNotMounted) {
		t.Fatalf("without a server: %v", err)
	}
	s := listen(t, dir, map[string]Call{
		"fail": func(context.Context, json.RawMessage, func(int64, int64)) (any, error) {
			return nil, errors.New("no such node")
		},
		"hang": func(ctx context.Context, _ json.RawMessage, _ func(int64, int64)) (any, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
	})
	if err := Do(context.Background(), dir, "fail", nil, nil, nil); err == nil || err.Error() != "no such node" {
		t.Fatalf("error of the call: %v", err)
	}
	if err := Do(context.Background(), dir, "unknown", nil, nil, nil); err == nil {
		t.Fatal("an unknown call was answered")
	}
	gone := make(chan error)
	go func() { gone <- Do(context.Background(), dir, "hang", nil, nil, nil) }()
	cut, cancel := context.WithCancel(context.Background())
	cancel()
	for s.Close(cut) == nil { // until the call is cut
		select {
		case err := <-gone:
			if !errors.Is(err, ErrGone) && !errors.Is(err, ErrNotMounted) {
				t.Fatalf("after the server ended: %v", err)
			}
			return
		default:
		}
	}
}

func TestSocketIsPrivate(t *testing.T) {
	dir := t.TempDir()
	listen(t, dir, nil)
	fi, err := os.Stat(filepath.Join(dir, Socket))
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v; want 0600", fi.Mode(), err)
	}
}

func TestReplacesSocketOfADeadProcess(t *testing.T) {
	dir := t.TempDir()
	for range 2 { // the second finds the first one's socket, as after a SIGKILL
		if _, err := Listen(dir, map[string]Call{"ok": func(context.Context, json.RawMessage, func(int64, int64)) (any, error) { return nil, nil }}); err != nil {
			t.Fatal(err)
		}
	}
	if err := Do(context.Background(), dir, "ok", nil, nil, nil); err != nil {
		t.Fatal(err)
	}
}
