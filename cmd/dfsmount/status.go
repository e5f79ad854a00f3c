package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"dfsmount/cache"
	"dfsmount/internal/control"
	"dfsmount/replicator"
)

// statusReport is what `status --json` prints: a documented interface, fields are only ever added.
type statusReport struct {
	Volume      string            `json:"volume"` // its directory
	ID          string            `json:"id"`
	Mounted     string            `json:"mounted,omitempty"`
	Since       time.Time         `json:"since,omitzero"`
	Pid         int               `json:"pid,omitempty"`
	Version     string            `json:"version"` // of the program that serves it
	Fsync       string            `json:"fsync,omitempty"`
	ReadOnly    bool              `json:"read_only,omitempty"`
	Problem     string            `json:"problem,omitempty"` // of the local store
	Replication replicator.Status `json:"replication"`
}

func statusCommand(c console) *cobra.Command {
	var asJSON bool
	var pass passphraseFlags
	cmd := &cobra.Command{
		Use:   "status VOLUME|DIR",
		Short: "Is it safe yet, and where?",
		Long: `Tells how far each node is, and what is on fewer nodes than the policy asks for. The exit code is 0 only if everything is safe (8: not
yet). A volume that is not mounted is opened for it, which needs the passphrase.`,
		Example: "  dfsmount status ~/vault\n  dfsmount status ~/vault --json",
		Args:    exactArgs(1),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON (a stable interface)")
	pass.register(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		report, err := statusOf(cmd.Context(), c, args[0], &pass)
		if err != nil {
			return err
		}
		if asJSON {
			enc := json.NewEncoder(c.out)
			enc.SetIndent("", "  ")
			err = enc.Encode(report)
		} else {
			err = report.print(c.out, time.Now())
		}
		if err == nil && !report.Replication.Safe {
			return errUnsafe(report.Replication)
		}
		return err
	}
	return cmd
}

// errUnsafe says in one sentence what is not safe.
func errUnsafe(s replicator.Status) error {
	return fail(exitUnsafe, "`dfsmount sync` waits until it is", "%s on fewer than %d %s", bytesText(s.Unsafe), s.Copies, plural(s.Copies, "node"))
}

func plural(n int, one string, many ...string) string {
	if n == 1 {
		return one
	}
	if len(many) > 0 {
		return many[0]
	}
	return one + "s"
}

func statusOf(ctx context.Context, c console, where string, pass *passphraseFlags) (statusReport, error) {
	dir, err := volumeOf(where)
	if err != nil {
		return statusReport{}, err
	}
	var report statusReport
	err = ask(ctx, dir, "status", nil, &report, nil)
	if !errors.Is(err, control.ErrNotMounted) {
		return report, err
	}
	vol, err := askAndOpen(ctx, c, dir, pass)
	if err != nil {
		return statusReport{}, err
	}
	report = statusReport{Volume: dir, ID: vol.id(), Version: version, Replication: vol.replicator(nil).Status(), Problem: problemText(vol.store)}
	return report, vol.close()
}

// problemText says what is wrong with the local store, if anything is.
func problemText(s *cache.Store) string {
	if err := s.Err(); err != nil {
		return oneLine(err.Error())
	}
	return ""
}

func (r statusReport) print(w io.Writer, now time.Time) error {
	s := r.Replication
	fmt.Fprintf(w, "volume   %s\n", r.Volume)
	if r.Mounted != "" {
		fmt.Fprintf(w, "mounted  on %s, since %s (pid %d), fsync waits for: %s\n", r.Mounted, agoText(now.Sub(r.Since)), r.Pid, r.Fsync)
	} else {
		fmt.Fprintln(w, "mounted  no")
	}
	if r.Problem != "" {
		fmt.Fprintf(w, "PROBLEM  %s\n", r.Problem)
	}
	if s.Safe {
		fmt.Fprintf(w, "safe     yes: everything is on at least %d %s\n", s.Copies, plural(s.Copies, "node"))
	} else {
		fmt.Fprintf(w, "safe     NO: %s on fewer than %d %s, the oldest written %s\n", bytesText(s.Unsafe), s.Copies, plural(s.Copies, "node"), agoText(s.UnsafeAge))
	}
	return printNodes(w, s.Nodes, now)
}

func printNodes(w io.Writer, nodes []replicator.NodeStatus, now time.Time) error {
	if len(nodes) == 0 {
		_, err := fmt.Fprintln(w, "nodes    none: nothing leaves this machine (add one with `dfsmount nodes VOLUME add URL`)")
		return err
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NODE\tSTATE\tBEHIND\tFOR\tLAST WORD")
	for _, n := range nodes {
		behindFor, word := "-", "-"
		if n.Behind > 0 {
			behindFor = ageText(n.BehindFor)
		}
		if n.LastError != "" {
			word = oneLine(n.LastError)
			if wait := n.NextTry.Sub(now); wait > 0 {
				word += "; next try in " + ageText(wait)
			}
		} else if !n.LastAck.IsZero() {
			word = "acknowledged " + agoText(now.Sub(n.LastAck))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", n.Name, n.State, bytesText(n.Behind), behindFor, word)
	}
	return t.Flush()
}
