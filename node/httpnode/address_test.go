package httpnode

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"dfsmount/node"
)

var (
	testToken = strings.Repeat("t", 42) + "A"
	testPin   = strings.Repeat("p", 42) + "A"
)

// urls are URLs with what must be said of them; "": nothing is wrong. T and P stand for token and pin.
var urls = []struct{ url, says string }{
	{"https://T@node.example:4711/#P", ""},
	{"https://T@node.example:4711#P", ""},
	{"https://T@10.0.0.1:1/#P", ""},
	{"https://T@[::1]:65535/#P", ""},
	{"", "https://"},
	{"T", "https://"},
	{"dir:/srv", "https://"},
	{"https:T@node:1/#P", "https://"},
	{"HTTPS://T@node:1/#P", "plain way"},
	{"http://T@node:1/#P", "not encrypted"},
	{"https://node:1/#P", "token is missing"},
	{"https://:T@node:1/#P", "token is missing"},
	{"https://T:x@node:1/#P", "':'"},
	{"https://x:T@node:1/#P", "':'"},
	{"https://Tx@node:1/#P", "token before the @"},
	{"https://short@node:1/#P", "token before the @"},
	{"https://T@:1/#P", "host is missing"},
	{"https://T@/#P", "host is missing"},
	{"https://T@node/#P", "port is missing"},
	{"https://T@node:/#P", "port is missing"},
	{"https://T@node:0/#P", "port is missing"},
	{"https://T@node:65536/#P", "port is missing"},
	{"https://T@node:x/#P", "not a URL"},
	{"https://node:T@1/#P", "':'"},
	{"https://node:T/#P", "not a URL"},
	{"https://T@node:1/path#P", "path"},
	{"https://T@node:1/?q#P", "'?'"},
	{"https://T@node:1/?#P", "'?'"},
	{"https://T@node:1/", "pin is missing"},
	{"https://T@node:1/#", "pin is missing"},
	{"https://T@node:1/#short", "pin after the #"},
	{"https://T@node:1/#Px", "pin after the #"},
	{"https://T@node:1/#%50P", "pin after the #"},
	{"https://%74" + strings.Repeat("t", 41) + "A@node:1/#P", "plain way"},
	{"https://T@node:1/#P\n", "pin after the #"},
	{"https://%zz@node:1/#P", "not a URL"},
}

func fill(s string) string {
	return strings.NewReplacer("T@", testToken+"@", ":T", ":"+testToken, "Tx", testToken+"x", "T:", testToken+":", "#P", "#"+testPin).Replace(s)
}

func TestParseAddress(t *testing.T) {
	for _, c := range urls {
		s := fill(c.url)
		a, err := parseAddress(s)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: %v, want %q", s, err, c.says)
		}
		if err != nil {
			if a != (address{}) {
				t.Errorf("%q: an address beside the error", s)
			}
			if text := err.Error(); strings.Contains(text, testToken) || !strings.Contains(text, form) {
				t.Errorf("%q: the error is %q", s, text)
			}
			continue
		}
		host, _, _ := strings.Cut(strings.TrimPrefix(s, "https://"+testToken+"@"), "/")
		host, _, _ = strings.Cut(host, "#")
		if a.token.text() != testToken || a.pin.String() != testPin || a.String() != "https://"+host {
			t.Errorf("%q: read as %v with pin %v", s, a, a.pin)
		}
	}
}

// TestH3Printed: what has the token inside can be printed by accident in any way.
func TestH3Printed(t *testing.T) {
	id, err := LoadIdentity(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	a, err := parseAddress(id.URL("h:1"))
	if err != nil {
		t.Fatal(err)
	}
	client := newClient(a, patience{})
	server := NewServer(nil, ServerOptions{Identity: id})
	for _, v := range []any{id, &id, a, &a, a.token, client, *client, client.Volume("x"), server, *server, server.o, []any{a, id}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			wantNoToken(t, fmt.Sprintf("%s of %T", verb, v), fmt.Sprintf(verb, v), id)
		}
	}
}

// FuzzParseAddress: what is read is written the same, and what is not is not told.
func FuzzParseAddress(f *testing.F) {
	for _, c := range urls {
		f.Add(fill(c.url))
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := parseAddress(s)
		if err != nil {
			if strings.Contains(err.Error(), testToken) {
				t.Fatalf("%q: the error tells the token", s)
			}
			return
		}
		if plain := a.url(); plain != s && strings.Replace(plain, "/#", "#", 1) != s {
			t.Fatalf("%q is written %q", s, plain)
		}
		if again, err := parseAddress(a.url()); err != nil || again.url() != a.url() {
			t.Fatalf("%q: read again: %v, %v", s, again, err)
		}
		if u, err := url.Parse("https://" + a.host + objectsPath("x")); err != nil || u.Host != a.host {
			t.Fatalf("%q: the host %q cannot be asked: %v", s, a.host, err)
		}
	})
}

// TestStatuses: the tables from errors to statuses and back agree.
func TestStatuses(t *testing.T) {
	for _, want := range []error{node.ErrNotExist, node.ErrExists, node.ErrChecksum, node.ErrFull, node.ErrPermanent} {
		if got := classOf(refusalOf(fmt.Errorf("why: %w", want)).status); !errors.Is(got, want) {
			t.Errorf("%v comes out as %v", want, got)
		}
	}
	for _, transient := range []error{errors.New("disk broke"), errStalled} {
		if got := classOf(refusalOf(transient).status); got != nil {
			t.Errorf("%v comes out as %v", transient, got)
		}
	}
	for status, want := range map[int]error{
		301: node.ErrPermanent, 400: node.ErrPermanent, 401: node.ErrPermanent, 403: node.ErrPermanent, 405: node.ErrPermanent,
		408: nil, 411: node.ErrPermanent, 413: node.ErrPermanent, 425: nil, 429: nil, 500: nil, 502: nil, 503: nil, 504: nil,
	} {
		if got := classOf(status); !errors.Is(got, want) {
			t.Errorf("%d means %v, want %v", status, got, want)
		}
	}
}

func TestParseRetryAfter(t *testing.T) {
	for s, want := range map[string]time.Duration{"": -1, "0": 0, "7": 7 * time.Second, "-1": -1, "1.5": -1, "soon": -1, "4294967295": 24 * time.Hour, "99999999999": -1, time.Now().Format(http.TimeFormat): -1} {
		got, ok := parseRetryAfter(s)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	}
}
