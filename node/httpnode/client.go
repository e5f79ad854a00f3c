package httpnode

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"dfsmount/node"
)

// patience is how long a client waits for each thing that must progress.
type patience struct {
	connect time.Duration // for TCP, and again for TLS
	answer  time.Duration // from the end of a request to the header of its answer
	stall   time.Duration // without a byte of a body, in either direction
}

// whole is how long a request takes at most, its bodies apart: the limits of its parts, which say better what was late, are in it.
func (p patience) whole() time.Duration { return 2*p.connect + proceed + p.stall + p.answer }

// proceed is how long "Expect: 100-continue" is waited for before a body is sent anyway: the time a node may take to look whether it
// has the object.
const proceed = 2 * time.Second

// Client is a node on another machine. It implements node.Host.
type Client struct {
	address  address
	patience patience
	http     *http.Client
}

// Open returns the node at url, https://TOKEN@host:port/#PIN. It does not connect: a node that is away is not an error of
// configuration. Errors say what is wrong with the URL and repeat no part of it.
func Open(url string) (node.Host, error) {
	a, err := parseAddress(url)
	if err != nil {
		return nil, fmt.Errorf("open node: %w", err)
	}
	return newClient(a, patience{10 * time.Second, 30 * time.Second, 30 * time.Second}), nil
}

func newClient(a address, p patience) *Client {
	c := &Client{address: a, patience: p}
	dialer := &net.Dialer{Timeout: p.connect}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	c.http = &http.Client{
		Transport: &http.Transport{
			Proxy:                  nil, // also none of the environment; the package doc says why
			DialContext:            dialer.DialContext,
			TLSClientConfig:        c.tlsConfig(),
			TLSHandshakeTimeout:    p.connect,
			ResponseHeaderTimeout:  p.answer,
			ExpectContinueTimeout:  proceed,
			IdleConnTimeout:        time.Minute, // less than the server's, so that it is rarely used as it is closed
			MaxIdleConnsPerHost:    8,
			MaxResponseHeaderBytes: 16 << 10,
			DisableCompression:     true,
			Protocols:              &protocols,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// tlsConfig holds the server to its pin. VerifyConnection also runs where a session is resumed.
func (c *Client) tlsConfig() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		InsecureSkipVerify: true, // names and authorities count for nothing, the key for everything
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 || pinOf(s.PeerCertificates[0].RawSubjectPublicKeyInfo) != c.address.pin {
				return errPin
			}
			return nil
		},
	}
}

var errPin = fmt.Errorf("the server has another key than the node's URL pins: not this node, or its identity was made anew: %w", node.ErrPermanent)

// String implements node.Host.
func (c *Client) String() string { return c.address.String() }

// Close implements node.Host. Requests under way are not cut off: their contexts do that.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// Volumes implements node.Host.
func (c *Client) Volumes(ctx context.Context) ([]string, error) {
	ids, err := c.volumes(ctx)
	if err != nil {
		return nil, c.wrap("list volumes", err)
	}
	return ids, nil
}

func (c *Client) volumes(ctx context.Context) ([]string, error) {
	answer, err := c.do(ctx, request{method: http.MethodGet, path: pathVolumes})
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	var v volumes
	if err := decode(answer.limited(), &v); err != nil {
		return nil, fmt.Errorf("understand the answer: %w", err)
	}
	last := ""
	for _, id := range v.Volumes {
		if !node.ValidVolume(id) || id <= last {
			return nil, errors.New("understand the answer: not an ascending list of volume ids")
		}
		last = id
	}
	return v.Volumes, nil
}

// Volume implements node.Host.
func (c *Client) Volume(id string) node.Node { return &volume{c, id} }

// wrap says what was asked of whom. Errors inside have the URL without its token (H3).
func (c *Client) wrap(what string, err error) error {
	return fmt.Errorf("%s at %s: %w", what, c, err)
}
