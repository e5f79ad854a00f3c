package httpnode

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"dfsmount/node"
)

// statusError is what an answer that is no success means: the inverse of refusalOf. What the server says about it is repeated, on one
// line, without the token.
func (c *Client) statusError(a *answer) error {
	reason := c.address.token.redact(readReason(a))
	said := fmt.Sprintf("the node answered %d (%s)", a.StatusCode, reason)
	if pause, ok := parseRetryAfter(a.Header.Get("Retry-After")); ok && (a.StatusCode == http.StatusTooManyRequests || a.StatusCode == http.StatusServiceUnavailable) {
		return &pauseError{said, pause}
	}
	if beyond, ok := parseBeyond(a.Header.Get("Content-Range")); ok && a.StatusCode == http.StatusRequestedRangeNotSatisfiable {
		return beyond
	}
	if class := classOf(a.StatusCode); class != nil {
		return fmt.Errorf("%s: %w", said, class)
	}
	return fmt.Errorf("%s", said)
}

// classOf is the contract's error for a status; nil: transient.
func classOf(status int) error {
	switch status {
	case http.StatusNotFound:
		return node.ErrNotExist
	case http.StatusPreconditionFailed:
		return node.ErrExists
	case http.StatusUnprocessableEntity:
		return node.ErrChecksum
	case http.StatusInsufficientStorage:
		return node.ErrFull
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return nil
	}
	if status < 500 { // also 1xx, 2xx and 3xx that nobody asked for: not a node of this protocol
		return node.ErrPermanent
	}
	return nil
}

// pauseError implements node.RetryAfter.
type pauseError struct {
	said  string
	pause time.Duration
}

func (e *pauseError) Error() string { return fmt.Sprintf("%s: try again in %v", e.said, e.pause) }

// RetryAfter implements node.RetryAfter.
func (e *pauseError) RetryAfter() time.Duration { return e.pause }

// parseRetryAfter reads a number of seconds, up to a day; dates are not of this protocol.
func parseRetryAfter(s string) (time.Duration, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0, false
	}
	return min(time.Duration(n)*time.Second, 24*time.Hour), true
}

// readReason reads the line of text in an answer.
func readReason(a *answer) string {
	if a.Request.Method == http.MethodHead {
		return http.StatusText(a.StatusCode)
	}
	text, _ := io.ReadAll(io.LimitReader(a, maxReason)) // what came will do
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, line)
}
