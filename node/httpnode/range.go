package httpnode

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// rangeReader is the body of a Get: it ends after exactly the bytes the range has, or with an error (H5).
type rangeReader struct {
	ctx  context.Context
	a    *answer // nil: there is nothing to read
	left int64
	size int64 // of the object
}

// newRangeReader checks that the answer is the range asked for; length < 0: to the end.
func newRangeReader(ctx context.Context, a *answer, offset, length int64) (*rangeReader, error) {
	first, got, size := int64(0), a.ContentLength, a.ContentLength
	if a.StatusCode == http.StatusPartialContent {
		var err error
		if first, got, size, err = parseContentRange(a.Header.Get("Content-Range")); err != nil {
			return nil, fmt.Errorf("understand the answer: %w", err)
		}
	}
	want := size - offset
	if length >= 0 {
		want = min(want, length)
	}
	if a.ContentLength < 0 || first != offset || got != want || a.ContentLength != got {
		return nil, fmt.Errorf("understand the answer: %d bytes from %d on, not %d from %d on", a.ContentLength, first, want, offset)
	}
	return &rangeReader{ctx, a, got, size}, nil
}

func (r *rangeReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	if r.left == 0 {
		return 0, io.EOF
	}
	n, err := r.a.Read(p[:min(int64(len(p)), r.left)])
	if r.left -= int64(n); r.left == 0 {
		return n, nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (r *rangeReader) Close() error {
	if r.a == nil {
		return nil
	}
	return r.a.Close()
}

// ObjectSize implements node.ObjectSizer.
func (r *rangeReader) ObjectSize() int64 { return r.size }

// beyondError is the answer to a range that begins at or after the end of an object, which exists.
type beyondError struct{ size int64 }

func (e *beyondError) Error() string {
	return fmt.Sprintf("the range begins at or after the end, %d", e.size)
}

func parseBeyond(contentRange string) (*beyondError, bool) {
	text, ok := strings.CutPrefix(contentRange, "bytes */")
	size, err := parseCount(text)
	return &beyondError{size}, ok && err == nil
}
