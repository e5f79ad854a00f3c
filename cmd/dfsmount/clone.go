package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"dfsmount/node"
	"dfsmount/replicator"
	"dfsmount/seal"
)

// cloneConfig is what `clone` was asked for.
type cloneConfig struct {
	urls        []string
	volume      string // its directory to be
	id          string
	acceptOlder bool
	pass        passphraseFlags
}

func cloneCommand(c console) *cobra.Command {
	var cfg cloneConfig
	cmd := &cobra.Command{
		Use:   "clone NODE-URL… VOLUME",
		Short: "Have an existing volume on this machine",
		Long: `Makes VOLUME from the nodes alone: one node's URL and the passphrase (or the recovery key) are enough, the others are learned from the
volume itself. It takes the newest consistent state across all nodes it can reach. File data is fetched when it is read.

A volume has one writer. The clone becomes it: a dfsmount that still has the volume mounted elsewhere stops writing at its next contact with a
node, keeps what it had not replicated, and says so.`,
		Example: `  dfsmount clone dir:/media/usb/vault ~/.vault
  dfsmount clone 'https://TOKEN@nas:7420/#PIN' dir:/media/usb/vault ~/.vault`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 2 {
				return fail(exitUsage, "see `dfsmount clone --help`", "usage: %s", cmd.UseLine())
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&cfg.id, "volume", "", "id of the volume, if the node keeps several")
	cmd.Flags().BoolVar(&cfg.acceptOlder, "accept-older", false, "take an older state although newer data exists that cannot be reached; that newer data is left behind for good")
	cfg.pass.register(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		for _, raw := range args[:len(args)-1] {
			url, err := absoluteNode(raw)
			if err != nil {
				return err
			}
			host, err := openHost(url, false) // asks nobody: it only reads the URL
			if err != nil {
				return err
			}
			cfg.urls = append(cfg.urls, url)
			if err := host.Close(); err != nil {
				return err
			}
		}
		cfg.volume = args[len(args)-1]
		return cloneVolume(cmd.Context(), c, cfg)
	}
	return cmd
}

func cloneVolume(ctx context.Context, c console, cfg cloneConfig) error {
	target, err := newVolumeDir(cfg.volume)
	if err != nil {
		return err
	}
	var secret []byte // asked for once, for as many headers as nodes show
	result, err := replicator.Clone(ctx, replicator.CloneOptions{
		URLs: cfg.urls, Volume: cfg.id, Dir: target, AcceptOlder: cfg.acceptOlder,
		OpenHost: func(url string) (node.Host, error) { return openHost(url, false) },
		Unlock: func(ctx context.Context, raw []byte) (*seal.Keys, error) {
			if secret == nil {
				if secret, err = cfg.pass.read(ctx, c, "Passphrase of the volume"); err != nil {
					return nil, err
				}
			}
			return unlockRaw(raw, secret)
		},
		Finish: func(dir string, raw []byte) error { return writeDurably(filepath.Join(dir, headerName), raw) },
		Stage:  func(text string) { fmt.Fprintln(c.err, "dfsmount:", text) },
	})
	if errors.Is(err, replicator.ErrNewerExists) {
		return fail(exitUnsafe, "bring the missing node back, or leave the newer data behind with --accept-older", "%w", err)
	}
	if err != nil {
		return orElse(exitNode, "is the node running, and can it be reached from here?", err) // in a clone everything comes from nodes
	}
	return printClone(c, cfg.volume, result)
}

func unlockRaw(raw, secret []byte) (*seal.Keys, error) {
	h, err := seal.ParseHeader(raw)
	if err != nil {
		return nil, err
	}
	key, err := unlock(h, secret)
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	return key.Derive(h.Volume), nil
}

func printClone(c console, volume string, r *replicator.CloneResult) error {
	fmt.Fprintf(c.out, "recovered %d segments (%s), the newest of %s\n\n", r.Segments, bytesText(r.Bytes), r.Head.Sealed.Local().Format(time.DateTime))
	t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NODE\tFOUND")
	for _, n := range r.Nodes {
		name := n.Name
		if name == "" {
			name = n.URL
		}
		fmt.Fprintf(t, "%s\t%s\n", name, n.Sentence)
		for _, fault := range n.Faults {
			fmt.Fprintf(t, "\t%s\n", fault)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, warning := range r.Warnings() {
		fmt.Fprintln(c.err, "dfsmount:", warning)
	}
	_, err := fmt.Fprintf(c.out, "\nMount it: dfsmount mount %s DIR\n", volume)
	return err
}
