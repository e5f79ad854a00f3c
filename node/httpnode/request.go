package httpnode

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"
)

// request is what the client asks.
type request struct {
	method string
	path   string
	query  url.Values
	header http.Header
	body   *lentBody // nil: none
	expect int       // status of success; 0: 200
}

var errNoProgress = errors.New("no progress for too long")

// answer is a successful response whose body is read with patience. It must be closed.
type answer struct {
	*http.Response
	watch *watch
}

// do sends a request and returns the answer if it is the one expected, else an error of the contract.
func (c *Client) do(ctx context.Context, q request) (*answer, error) {
	if q.expect == 0 {
		q.expect = http.StatusOK
	}
	w := newWatch(ctx, c.patience.whole(), c.patience.stall)
	response, err := c.send(w, q)
	w.pause()
	if err != nil {
		defer w.end() // after the question why
		return nil, c.transportError(w, err)
	}
	a := &answer{response, w}
	if response.StatusCode == q.expect {
		return a, nil
	}
	defer a.Close()
	return nil, c.statusError(a)
}

func (c *Client) send(w *watch, q request) (*http.Response, error) {
	u := url.URL{Scheme: "https", Host: c.address.host, Path: q.path, RawQuery: q.query.Encode()}
	r, err := http.NewRequestWithContext(w.ctx, q.method, u.String(), nil)
	if err != nil {
		return nil, err
	}
	for name, values := range q.header {
		r.Header[name] = values
	}
	r.Header.Set("Authorization", "Bearer "+c.address.token.text())
	r.Header.Set("User-Agent", "dfsmount")
	if q.body != nil && q.body.size > 0 {
		q.body.watch, q.body.answer = w, c.patience.answer
		r.Body, r.ContentLength = q.body, q.body.size
		r.Header.Set("Expect", "100-continue")
	}
	return c.http.Do(r)
}

// transportError is what no answer at all means. What net/http says is taken out of its *url.Error, which repeats the request.
func (c *Client) transportError(w *watch, err error) error {
	if cause := w.cause(); cause != nil {
		return cause
	}
	if inner, ok := errors.AsType[*url.Error](err); ok {
		err = inner.Err
	}
	return redacted{err, c.address.token}
}

// redacted is an error without the token in its text, whoever put it there.
type redacted struct {
	err   error
	token token
}

func (r redacted) Error() string { return r.token.redact(r.err.Error()) }
func (r redacted) Unwrap() error { return r.err }

// Read implements io.Reader: the body, each piece within patience.
func (a *answer) Read(p []byte) (int, error) {
	a.watch.resume(a.watch.stall)
	n, err := a.Body.Read(p)
	a.watch.pause()
	if err != nil && err != io.EOF {
		if cause := a.watch.cause(); cause != nil {
			err = cause
		}
	}
	return n, err
}

// Close gives the connection back.
func (a *answer) Close() error {
	err := a.Body.Close()
	a.watch.end()
	return err
}

// limited is the body up to what a listing may take.
func (a *answer) limited() io.Reader { return io.LimitReader(a, maxListing) }

// watch cancels a context with errNoProgress if nobody says for a while that there is progress.
type watch struct {
	caller context.Context
	ctx    context.Context
	cancel context.CancelCauseFunc
	stall  time.Duration
	timer  *time.Timer
}

// newWatch makes a watch that gives the request as a whole the time in first; progress of its body gives it more.
func newWatch(ctx context.Context, first, stall time.Duration) *watch {
	w := &watch{caller: ctx, stall: stall}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	w.timer = time.AfterFunc(first, func() { w.cancel(errNoProgress) })
	return w
}

func (w *watch) resume(d time.Duration) { w.timer.Reset(d) }
func (w *watch) pause()                 { w.timer.Stop() }

// cause is why the request was given up, if it was: the caller's context, or no progress.
func (w *watch) cause() error {
	if err := w.caller.Err(); err != nil {
		return err
	}
	return context.Cause(w.ctx)
}

func (w *watch) end() {
	w.timer.Stop()
	w.cancel(context.Canceled)
}
