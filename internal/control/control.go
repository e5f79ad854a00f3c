// Package control is how a dfsmount command talks to the process that has a volume mounted: HTTP with JSON over the
// unix socket `control.sock` in the state directory.
//
// Who may open the socket may command the mount; it is made with mode 0600 in a directory of mode 0700, so that is the
// owner and root. No key, passphrase or token of a node is ever told over it.
//
// A call that takes long answers with a stream: one JSON value a line, the last of which has Done set. A server that
// dies in the middle leaves a stream without that line, which the client reports as ErrGone.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// Socket is the name of the socket in the state directory.
const Socket = "control.sock"

// ErrNotMounted: no process serves this state directory.
var ErrNotMounted = errors.New("the volume is not mounted")

// ErrGone: the serving process ended before it had answered.
var ErrGone = errors.New("the mount's process ended before it answered")

// Line is one line of a streamed answer.
type Line struct {
	Done    bool            `json:"done,omitempty"`
	Error   string          `json:"error,omitempty"`
	Current int64           `json:"current,omitempty"` // progress, in the call's own unit
	Total   int64           `json:"total,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"` // of the call, on the last line
}

// Call handles one command. progress may be called from any goroutine until Call returns; result is sent as JSON.
type Call func(ctx context.Context, args json.RawMessage, progress func(current, total int64)) (result any, err error)

// Server answers on the socket of one state directory.
type Server struct {
	http     http.Server
	listener net.Listener
	path     string
}

// Listen opens the socket, replacing one left by a process that died: the caller holds the state directory's lock, so
// nobody else can be serving it.
func Listen(stateDir string, calls map[string]Call) (*Server, error) {
	path, done, err := socketPath(stateDir)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove old control socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on control socket: %w", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // the path may go through a descriptor that is closed by then
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("protect control socket: %w", err)
	}
	mux := http.NewServeMux()
	for name, call := range calls {
		mux.HandleFunc("POST /"+name, handler(call))
	}
	s := &Server{listener: l, path: filepath.Join(stateDir, Socket)}
	s.http.Handler = mux
	s.http.ReadHeaderTimeout = 10 * time.Second
	go func() { _ = s.http.Serve(l) }() // ends with Close; a call that fails to arrive is the client's error
	return s, nil
}

// Close lets calls in progress end within ctx, then cuts them, and removes the socket.
func (s *Server) Close(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = s.http.Close()
	}
	if rm := os.Remove(s.path); rm != nil && !errors.Is(rm, os.ErrNotExist) && err == nil {
		err = rm
	}
	return err
}

func handler(call Call) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		args, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		lines := make(chan Line)
		finished := make(chan struct{})
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		go func() {
			defer close(finished)
			last := answer(ctx, call, args, lines)
			select {
			case lines <- last:
			case <-r.Context().Done():
			}
		}()
		writeLines(w, r.Context(), lines)
		cancel()
		<-finished
	}
}

// answer runs the call; its progress lines are dropped rather than waited for when the client is slow.
func answer(ctx context.Context, call Call, args json.RawMessage, lines chan<- Line) Line {
	result, err := call(ctx, args, func(current, total int64) {
		select {
		case lines <- Line{Current: current, Total: total}:
		case <-ctx.Done():
		default:
		}
	})
	last := Line{Done: true}
	if err != nil {
		last.Error = err.Error()
	}
	if result != nil {
		raw, err := json.Marshal(result)
		if err != nil {
			last.Error = err.Error()
		}
		last.Result = raw
	}
	return last
}

func writeLines(w http.ResponseWriter, ctx context.Context, lines <-chan Line) {
	enc := json.NewEncoder(w)
	rc := http.NewResponseController(w)
	for {
		select {
		case line := <-lines:
			if enc.Encode(line) != nil || rc.Flush() != nil || line.Done {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// Do calls name on the process that serves stateDir. args and result are JSON (result may be nil); progress (may be nil) is
// called for each progress line. ErrNotMounted if nobody serves; an error the call returned comes back with its text.
func Do(ctx context.Context, stateDir, name string, args, result any, progress func(current, total int64)) error {
	body, err := json.Marshal(args)
	if err != nil {
		return err
	}
	resp, err := post(ctx, stateDir, name, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the mount's process does not know the call %q (another version of dfsmount?)", name)
	}
	return readLines(ctx, resp.Body, result, progress)
}

func readLines(ctx context.Context, body io.Reader, result any, progress func(current, total int64)) error {
	dec := json.NewDecoder(body)
	for {
		var line Line
		if err := dec.Decode(&line); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return ErrGone
		}
		switch {
		case !line.Done:
			if progress != nil {
				progress(line.Current, line.Total)
			}
		case line.Error != "":
			return errors.New(line.Error)
		case result != nil && line.Result != nil:
			return json.Unmarshal(line.Result, result)
		default:
			return nil
		}
	}
}

func post(ctx context.Context, stateDir, name string, body []byte) (*http.Response, error) {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		path, done, err := socketPath(stateDir)
		if err != nil {
			return nil, err
		}
		defer done()
		return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "unix", path)
	}
	client := http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://mount/"+name, newBody(body))
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	var opErr *net.OpError
	switch {
	case err == nil:
		return resp, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.As(err, &opErr) && opErr.Op == "dial", errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%w: %v", ErrNotMounted, unwrapAll(err))
	default:
		return nil, ErrGone
	}
}
