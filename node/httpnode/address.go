package httpnode

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// secretSize is the size of tokens and pins in bytes.
const secretSize = 32

// Pin is the SHA-256 of a certificate's SubjectPublicKeyInfo.
type Pin [secretSize]byte

// String is the pin as it stands in URLs.
func (p Pin) String() string { return base64.RawURLEncoding.EncodeToString(p[:]) }

func pinOf(publicKeyInfo []byte) Pin { return sha256.Sum256(publicKeyInfo) }

// token is the secret that lets a client in. The zero token lets nobody in. It is behind a pointer because package fmt calls no String
// method of what is deep inside a value it prints, but follows no pointer there either (H3).
type token struct{ secret *string }

func newToken() token {
	var b [secretSize]byte
	_, _ = rand.Read(b[:]) // never fails
	text := base64.RawURLEncoding.EncodeToString(b[:])
	return token{&text}
}

func parseToken(s string) (token, bool) {
	if _, ok := decodeSecret(s); !ok {
		return token{}, false
	}
	return token{&s}, true
}

// text is the token itself; "" for the zero token.
func (t token) text() string {
	if t.secret == nil {
		return ""
	}
	return *t.secret
}

// String keeps the token out of what is printed by accident (H3).
func (t token) String() string { return "***" }

// GoString does the same for %#v.
func (t token) GoString() string { return "***" }

// matches compares in constant time, whatever the length of s (H1).
func (t token) matches(s string) bool {
	want, got := sha256.Sum256([]byte(t.text())), sha256.Sum256([]byte(s))
	return subtle.ConstantTimeCompare(want[:], got[:]) == 1 && t.text() != ""
}

// redact takes the token out of text that came from elsewhere.
func (t token) redact(s string) string {
	if t.text() == "" {
		return s
	}
	return strings.ReplaceAll(s, t.text(), t.String())
}

func decodeSecret(s string) ([secretSize]byte, bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != secretSize || strings.ContainsAny(s, "\r\n") {
		return [secretSize]byte{}, false
	}
	return [secretSize]byte(b), true
}

// address is a node's URL taken apart.
type address struct {
	host  string // host:port
	token token
	pin   Pin
}

// url is the line to paste.
func (a address) url() string {
	return "https://" + a.token.text() + "@" + a.host + "/#" + a.pin.String()
}

// String is the address without its token.
func (a address) String() string { return "https://" + a.host }

// form is what every complaint about a URL ends in.
const form = "a node's URL is https://TOKEN@HOST:PORT/#PIN, as the node printed it"

// parseAddress reads a node's URL. Its errors repeat no part of it: any part could be the token in the wrong place.
func parseAddress(s string) (address, error) {
	u, err := url.Parse(s)
	if err != nil {
		return address{}, errors.New("not a URL; " + form)
	}
	if what := fault(u); what != "" {
		return address{}, errors.New(what + "; " + form)
	}
	t, ok := parseToken(u.User.Username())
	if !ok {
		return address{}, errors.New("the token before the @ is not 43 characters of base64url; was it cut? " + form)
	}
	pin, ok := decodeSecret(u.Fragment)
	if !ok {
		return address{}, errors.New("the pin after the # is not 43 characters of base64url; was it cut? " + form)
	}
	a := address{host: u.Host, token: t, pin: pin}
	if a.url() != s && strings.Replace(a.url(), "/#", "#", 1) != s {
		return address{}, errors.New("the URL is not written the plain way; " + form)
	}
	return a, nil
}

// fault says what is wrong with the parts of a URL, if anything is.
func fault(u *url.URL) string {
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	_, secret := u.User.Password()
	switch {
	case u.Scheme == "http":
		return "http:// is not encrypted"
	case u.Scheme != "https" || u.Opaque != "":
		return "the URL does not start with https://"
	case u.User.Username() == "":
		return "the token is missing"
	case secret:
		return "there is a ':' in the token"
	case u.Hostname() == "":
		return "the host is missing"
	case err != nil || port == 0:
		return "the port is missing"
	case u.Path != "" && u.Path != "/":
		return "there is a path"
	case u.RawQuery != "" || u.ForceQuery:
		return "there is a '?'"
	case u.Fragment == "":
		return "the pin is missing (in a shell, quote the URL: '#' begins a comment)"
	}
	if _, _, err := net.SplitHostPort(u.Host); err != nil {
		return "the host is not HOST:PORT"
	}
	return ""
}
