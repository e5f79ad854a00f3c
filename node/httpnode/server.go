package httpnode

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"dfsmount/node"
)

// ServerOptions says how to serve. Only Identity must be set; other zero values mean the default named.
type ServerOptions struct {
	Identity Identity

	MaxObject int64         // bytes of the largest object taken; 256 MiB
	MaxConns  int           // connections at once, the next ones wait; 256
	Stall     time.Duration // for a connection that must progress and does not; 30 s
	Header    time.Duration // for the TLS handshake, and for the header of a request to arrive; 10 s
	Grace     time.Duration // for requests under way when Serve is told to end; 30 s

	Log *slog.Logger // one line for each request refused, and for each error of the host; slog.Default()
}

// Server serves a host to clients that know its identity.
type Server struct {
	host node.Host
	o    ServerOptions
}

// NewServer makes a server for host, which stays the caller's to close.
func NewServer(host node.Host, o ServerOptions) *Server {
	o.MaxObject = cmp.Or(o.MaxObject, 256<<20)
	o.MaxConns = cmp.Or(o.MaxConns, 256)
	o.Stall = cmp.Or(o.Stall, 30*time.Second)
	o.Header = cmp.Or(o.Header, 10*time.Second)
	o.Grace = cmp.Or(o.Grace, 30*time.Second)
	o.Log = cmp.Or(o.Log, slog.Default())
	return &Server{host, o}
}

// Serve accepts connections on l, which speak TCP, until ctx ends. Then it takes no new requests, lets those under way finish within
// Grace, and returns nil if they did. It closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	if s.o.Identity.token.text() == "" {
		l.Close()
		return errors.New("serve node: no identity")
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	server := &http.Server{
		Handler:           s,
		Protocols:         &protocols,
		ReadHeaderTimeout: s.o.Header,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		TLSConfig:         &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{s.o.Identity.certificate}},
		ErrorLog:          slog.NewLogLogger(s.o.Log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- server.ServeTLS(newLimitListener(l, s.o.MaxConns), "", "") }()
	select {
	case err := <-served:
		return fmt.Errorf("serve node: %w", err)
	case <-ctx.Done():
	}
	return s.shutdown(server, served)
}

func (s *Server) shutdown(server *http.Server, served <-chan error) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.o.Grace)
	defer cancel()
	err := server.Shutdown(ctx)
	if err != nil {
		err = fmt.Errorf("end serving node: requests were cut off: %w", errors.Join(err, server.Close()))
	}
	<-served // http.ErrServerClosed
	return err
}
