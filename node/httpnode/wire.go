package httpnode

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"dfsmount/node"
)

// The constants below are spoken between machines of different ages.
const (
	protocolVersion = 1
	serviceName     = "dfsmount-node"

	pathPing    = "/v1/ping"
	pathVolumes = "/v1/volumes"
	partObjects = "objects"

	headerDigest = "Repr-Digest"

	defaultLimit = 1000
	maxLimit     = 10_000

	// maxListing bounds what a client reads of a listing: maxLimit entries of the longest names take about 4.6 MB.
	maxListing = 16 << 20

	// maxReason bounds the line of text in an answer that is no success.
	maxReason = 1024
)

// ping is the answer to GET /v1/ping.
type ping struct {
	Service  string `json:"service"`
	Protocol int    `json:"protocol"`
}

// volumes is the answer to GET /v1/volumes.
type volumes struct {
	Volumes []string `json:"volumes"`
}

// listing is one page of objects.
type listing struct {
	Objects []listed `json:"objects"`
	More    bool     `json:"more"`
}

type listed struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
}

func objectsPath(volume string) string { return pathVolumes + "/" + volume + "/" + partObjects }

// formatDigest is the value of Repr-Digest: a dictionary of RFC 9530 with one byte sequence.
func formatDigest(sum node.Sum) string {
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

// parseDigest is the inverse, strict: other algorithms beside it are refused.
func parseDigest(s string) (node.Sum, error) {
	text, ok := strings.CutPrefix(s, "sha-256=:")
	text, end := strings.CutSuffix(text, ":")
	data, err := base64.StdEncoding.Strict().DecodeString(text)
	if !ok || !end || err != nil || len(data) != len(node.Sum{}) || len(text) != base64.StdEncoding.EncodedLen(len(data)) { // newlines are skipped
		return node.Sum{}, errors.New(headerDigest + " is not sha-256=:BASE64: of 32 bytes")
	}
	return node.Sum(data), nil
}

// parseRange reads one range of bytes; length is -1 for an open end.
func parseRange(s string) (offset, length int64, err error) {
	bad := errors.New("the Range is not bytes=A-B or bytes=A-")
	text, ok := strings.CutPrefix(s, "bytes=")
	from, to, dash := strings.Cut(text, "-")
	if !ok || !dash {
		return 0, 0, bad
	}
	if offset, err = parseCount(from); err != nil {
		return 0, 0, bad
	}
	if to == "" {
		return offset, -1, nil
	}
	last, err := parseCount(to)
	if err != nil || last < offset {
		return 0, 0, bad
	}
	if last == math.MaxInt64 { // no object reaches that far, and one more would overflow
		return offset, -1, nil
	}
	return offset, last - offset + 1, nil
}

// formatRange is the inverse, for length != 0. A range that reaches past the largest offset has an open end.
func formatRange(offset, length int64) string {
	last := offset + length - 1
	if length < 0 || last < offset {
		return fmt.Sprintf("bytes=%d-", offset)
	}
	return fmt.Sprintf("bytes=%d-%d", offset, last)
}

// parseContentRange reads "bytes A-B/SIZE".
func parseContentRange(s string) (offset, length, size int64, err error) {
	bad := errors.New("the Content-Range is not bytes A-B/SIZE")
	text, ok := strings.CutPrefix(s, "bytes ")
	span, total, slash := strings.Cut(text, "/")
	from, to, dash := strings.Cut(span, "-")
	if !ok || !slash || !dash {
		return 0, 0, 0, bad
	}
	first, err1 := parseCount(from)
	last, err2 := parseCount(to)
	size, err3 := parseCount(total)
	if errors.Join(err1, err2, err3) != nil || last < first || last >= size {
		return 0, 0, 0, bad
	}
	return first, last - first + 1, size, nil
}

// parseCount reads a number that is not negative: digits alone.
func parseCount(s string) (int64, error) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, errors.New("not a number")
	}
	return strconv.ParseInt(s, 10, 64)
}

// decode reads one JSON value and nothing else. What is not known is refused.
func decode(r io.Reader, v any) error {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something follows the value")
	}
	return nil
}

// decodeListing reads a page for prefix and after, and believes no word of it: a node could send us in circles.
func decodeListing(r io.Reader, prefix, after string) (listing, error) {
	var l listing
	if err := decode(r, &l); err != nil {
		return listing{}, err
	}
	for _, o := range l.Objects {
		switch {
		case !node.ValidName(o.Name):
			return listing{}, fmt.Errorf("%q is not an object name", o.Name)
		case o.Name <= after:
			return listing{}, fmt.Errorf("%s does not come after %q", o.Name, after)
		case !strings.HasPrefix(o.Name, prefix):
			return listing{}, fmt.Errorf("%s does not start with %q", o.Name, prefix)
		case o.Size < 0:
			return listing{}, fmt.Errorf("%s has size %d", o.Name, o.Size)
		}
		after = o.Name
	}
	if l.More && len(l.Objects) == 0 {
		return listing{}, errors.New("more objects are promised after none")
	}
	return l, nil
}
