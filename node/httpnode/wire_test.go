package httpnode

import (
	"crypto/sha256"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"dfsmount/node"
)

func TestRangeText(t *testing.T) {
	for _, c := range [][2]int64{{0, 1}, {0, -1}, {5, 7}, {5, -1}, {math.MaxInt64, 1}, {math.MaxInt64 - 1, 1}, {0, math.MaxInt64}} {
		offset, length, err := parseRange(formatRange(c[0], c[1]))
		reaches := c[1] > 0 && c[0]+c[1]-1 == math.MaxInt64
		if err != nil || offset != c[0] || length != c[1] && !reaches {
			t.Errorf("%v comes back as %d, %d, %v", c, offset, length, err)
		}
	}
	for _, s := range []string{"", "bytes", "bytes=", "bytes=-", "bytes=-5", "bytes=5", "bytes=5-4", "bytes=+5-6", "bytes= 5-6", "bytes=5-6,7-8", "bits=5-6", "bytes=0x5-6", "bytes=99999999999999999999-", "Bytes=1-2"} {
		if offset, length, err := parseRange(s); err == nil {
			t.Errorf("%q is read as %d, %d", s, offset, length)
		}
	}
	for _, s := range []string{"", "bytes 0-1", "bytes 0-1/*", "bytes */5", "bytes 0-5/5", "bytes 2-1/5", "bytes=0-1/5", "bytes 0-1/5 ", "bytes -1/5"} {
		if _, _, _, err := parseContentRange(s); err == nil {
			t.Errorf("%q is read", s)
		}
	}
}

func TestDigestText(t *testing.T) {
	sum := node.Sum(sha256.Sum256(nil))
	// sha-256 of nothing, in the notation of RFC 9530
	const text = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"
	if got := formatDigest(sum); got != text {
		t.Errorf("format: %s", got)
	}
	if got, err := parseDigest(text); err != nil || got != sum {
		t.Errorf("parse: %v, %v", got, err)
	}
	for _, s := range []string{"", "sha-256=::", text + ", md5=:AAAA:", strings.ToUpper(text), text[:len(text)-1], strings.Replace(text, "U=:", "V=:", 1), strings.Replace(text, "sha-256", "sha-512", 1), " " + text, text[:20] + "\n" + text[20:]} {
		if got, err := parseDigest(s); err == nil {
			t.Errorf("%q is read as %v", s, got)
		}
	}
}

var listings = []struct {
	text string
	good bool
}{
	{`{"objects":[],"more":false}`, true},
	{`{"objects":[{"name":"a/b","size":1},{"name":"a/c","size":0}],"more":true}`, true},
	{`{"objects":[],"more":true}`, false},
	{`{"objects":[{"name":"a/c","size":1},{"name":"a/b","size":1}],"more":false}`, false},
	{`{"objects":[{"name":"a/b","size":1},{"name":"a/b","size":1}],"more":false}`, false},
	{`{"objects":[{"name":"a/a","size":1}],"more":false}`, false},
	{`{"objects":[{"name":"b","size":1}],"more":false}`, false},
	{`{"objects":[{"name":"a/../c","size":1}],"more":false}`, false},
	{`{"objects":[{"name":"a/c","size":-1}],"more":false}`, false},
	{`{"objects":[{"name":"a/c","size":1,"sum":""}],"more":false}`, false},
	{`{"objects":[],"more":false,"next":"x"}`, false},
	{`{"objects":[],"more":false}{}`, false},
	{`{"objects":[]`, false},
	{``, false},
	{`null null`, false},
}

func TestDecodeListing(t *testing.T) {
	for _, c := range listings {
		if l, err := decodeListing(strings.NewReader(c.text), "a/", "a/a"); (err == nil) != c.good {
			t.Errorf("%s: %v, %v", c.text, l, err)
		}
	}
}

// FuzzDecodeListing: whatever a node sends, names come in order, below the prefix, and the next request is further on.
func FuzzDecodeListing(f *testing.F) {
	for _, c := range listings {
		f.Add(c.text, "a/", "a/a")
	}
	f.Fuzz(func(t *testing.T, text, prefix, after string) {
		l, err := decodeListing(strings.NewReader(text), prefix, after)
		if err != nil {
			if l.Objects != nil || l.More {
				t.Fatal("a listing beside the error")
			}
			return
		}
		for _, o := range l.Objects {
			if !node.ValidName(o.Name) || o.Name <= after || !strings.HasPrefix(o.Name, prefix) || o.Size < 0 {
				t.Fatalf("%q after %q below %q", o.Name, after, prefix)
			}
			after = o.Name
		}
		if l.More && len(l.Objects) == 0 {
			t.Fatal("more after nothing: an endless loop")
		}
		data, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := decodeListing(strings.NewReader(string(data)), "", ""); err != nil || len(again.Objects) != len(l.Objects) {
			t.Fatalf("does not survive encoding: %v", err)
		}
	})
}
