package httpnode

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"
)

// errStalled says that nothing came for too long.
var errStalled = errors.New("nothing was received for too long")

// drain is how long a refused client may go on sending before it gets its answer, so that it is not still writing when the connection closes.
const drain = time.Second

// exchange is one request and its answer, with deadlines that move on as bytes do.
type exchange struct {
	w       http.ResponseWriter
	r       *http.Request
	control *http.ResponseController
	stall   time.Duration
}

// send sends a short answer. An error of sending is the client's to notice.
func (x *exchange) send(status int, body []byte) {
	x.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	x.head(status)
	if x.r.Method != http.MethodHead {
		_, _ = x.w.Write(body)
	}
}

// head sends the status and what headers are set. The deadline set here also replaces that of an earlier request on this connection.
func (x *exchange) head(status int) {
	x.extendWrite()
	if x.r.ContentLength != 0 { // net/http reads up to 256 KiB left of a body first, and would wait for them without end
		_ = x.control.SetReadDeadline(time.Now().Add(min(x.stall, drain)))
	}
	x.w.WriteHeader(status)
}

// extendWrite leaves errors of setting a deadline alone, as all of this file does: a test's recorder has none, and a dead connection
// tells at the next byte.
func (x *exchange) extendWrite() { _ = x.control.SetWriteDeadline(time.Now().Add(x.stall)) }

// Write implements io.Writer for a body: each piece has its own deadline.
func (x *exchange) Write(p []byte) (int, error) {
	x.extendWrite()
	return x.w.Write(p)
}

// Read implements io.Reader for the request's body: each piece has its own deadline.
func (x *exchange) Read(p []byte) (int, error) {
	_ = x.control.SetReadDeadline(time.Now().Add(x.stall))
	n, err := x.r.Body.Read(p)
	// Without a deadline again: from the end of the body on net/http reads in the background to see the client go, and would take the
	// deadline for that and cancel the request while the host syncs.
	_ = x.control.SetReadDeadline(time.Time{})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errStalled
	}
	return n, err
}

// onlyWriter keeps io.Copy from http.ResponseWriter's ReadFrom, which would move a whole body under one deadline.
type onlyWriter struct{ io.Writer }
