package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"dfsmount/node/dirnode"
	"dfsmount/node/httpnode"
)

// defaultListen is where a node listens unless told otherwise.
const defaultListen = ":7420"

// nodeConfig is what `node` was asked for.
type nodeConfig struct {
	dir, listen, name string
}

func nodeCommand(c console) *cobra.Command {
	var cfg nodeConfig
	cmd := &cobra.Command{
		Use:   "node --dir DIR [--listen ADDR]",
		Short: "Serve a node: keep sealed segments for volumes elsewhere",
		Long: `Keeps objects of any number of volumes in DIR and serves them over TLS. At its first start it makes a certificate and a token, and each
time prints the one line to paste into ` + "`dfsmount init --node`" + ` or ` + "`dfsmount nodes add`" + `. Whoever has that line can store, fetch and
delete objects here; nobody here can read them. It ends with SIGTERM or Ctrl-C, after the requests under way.`,
		Example: `  dfsmount node --dir /srv/dfsmount
  dfsmount node --dir /srv/dfsmount --listen 192.168.1.4:7420
  dfsmount node --dir /srv/dfsmount --listen :7420 --name nas.example.net`,
		Args: exactArgs(0),
	}
	cmd.Flags().StringVar(&cfg.dir, "dir", "", "directory to keep objects in (made if missing)")
	cmd.Flags().StringVar(&cfg.listen, "listen", defaultListen, "address to listen on")
	cmd.Flags().StringVar(&cfg.name, "name", "", "host name or address by which clients reach this node (default: the address it listens on, or the machine's name)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if cfg.dir == "" {
			return fail(exitUsage, "for example: dfsmount node --dir /srv/dfsmount", "--dir is missing")
		}
		return serveNode(cmd.Context(), c, cfg)
	}
	return cmd
}

func serveNode(ctx context.Context, c console, cfg nodeConfig) (err error) {
	host, err := dirnode.Open(cfg.dir, dirnode.Options{Create: true})
	if err != nil {
		return fail(exitVolume, "name an empty directory, or one that is a node already", "node directory: %w", err)
	}
	defer func() { err = errors.Join(err, host.Close()) }()
	identity, err := httpnode.LoadIdentity(filepath.Join(cfg.dir, ".node"))
	if err != nil {
		return fmt.Errorf("node identity: %w", err)
	}
	listener, err := net.Listen("tcp", cfg.listen)
	if err != nil {
		return fail(exitUsage, "name another with --listen", "listen on %s: %v", cfg.listen, err)
	}
	log := slog.New(slog.NewTextHandler(c.err, nil))
	server := httpnode.NewServer(host, httpnode.ServerOptions{Identity: identity, Log: log})
	fmt.Fprintf(c.out, "node serving %s on %s; paste this line where a node is asked for:\n%s\n", cfg.dir, listener.Addr(), identity.URL(clientAddress(cfg.name, listener.Addr())))
	return server.Serve(ctx, listener)
}

// clientAddress is how clients reach the node: the name given, else the address it listens on, else the machine's name.
func clientAddress(name string, listening net.Addr) string {
	host, port, err := net.SplitHostPort(listening.String())
	if err != nil {
		return listening.String()
	}
	if name == "" {
		if ip := net.ParseIP(host); ip != nil && !ip.IsUnspecified() {
			name = host
		} else if name, err = os.Hostname(); err != nil {
			name = "localhost"
		}
	}
	return net.JoinHostPort(name, port)
}
