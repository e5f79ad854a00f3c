package httpnode

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// lentBody is a caller's body while a Put runs. net/http may read a request's body after the answer is there, and the body is the
// caller's again then: revoke waits for a read that has begun, and no other begins after it (H4).
type lentBody struct {
	size   int64
	watch  *watch
	answer time.Duration

	mu   sync.Mutex // held while r is read, which is the caller's I/O: nothing else needs it but revoke
	r    io.Reader
	left int64
	err  error // the first error of r, or that it ended early
	gone bool
}

var errReturned = errors.New("the body was given back")

func newLentBody(r io.Reader, size int64) *lentBody {
	return &lentBody{size: size, r: r, left: size}
}

// Read implements io.Reader. While the caller's body is read the other side is not to blame, so the watch rests.
func (b *lentBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watch.pause()
	n, err := b.readLocked(p)
	if err == nil {
		b.watch.resume(b.watch.stall)
	} else {
		b.watch.resume(b.watch.stall + b.answer) // for the last bytes to go and the answer to come
	}
	return n, err
}

func (b *lentBody) readLocked(p []byte) (int, error) {
	switch {
	case b.gone:
		return 0, errReturned
	case b.err != nil:
		return 0, b.err
	case b.left == 0:
		return 0, io.EOF
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	switch {
	case b.left == 0:
		return n, nil
	case err == io.EOF:
		b.err = fmt.Errorf("body ended after %d of %d bytes: %w", b.size-b.left, b.size, io.ErrUnexpectedEOF)
	case err != nil:
		b.err = fmt.Errorf("read body: %w", err)
	}
	return n, b.err
}

// Close implements io.Closer for net/http; the body is the caller's to close.
func (b *lentBody) Close() error { return nil }

// revoke ends the loan and tells what was wrong with the body.
func (b *lentBody) revoke() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gone = true
	return b.err
}
