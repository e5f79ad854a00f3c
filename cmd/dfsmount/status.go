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
	Quota       *quotaReport      `json:"quota,omitempty"`   // of a mounted volume that has one
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
		if err != nil {
			return err
		}
		return report.verdict()
	}
	return cmd
}

// verdict is nil if everything is safe; else it says in one sentence what is not.
func (r statusReport) verdict() error {
	s := r.Replication
	switch {
	case r.Problem != "":
		return fail(exitFault, "see "+logName+" in the volume's directory", "the local store has a problem: %s", r.Problem)
	case s.Safe:
		return nil
	case s.Fenced != nil:
		return fail(exitUnsafe, "go on with the volume where it was cloned to", "%w", *s.Fenced)
	case len(s.Nodes) == 0:
		return fail(exitUnsafe, "add one with `dfsmount nodes VOLUME add URL`", "the volume has no nodes: everything is on this machine only")
	}
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
	if r.Quota != nil {
		fmt.Fprintf(w, "quota    %s\n", r.Quota.text())
	}
	for _, problem := range r.problems() {
		fmt.Fprintf(w, "PROBLEM  %s\n", problem)
	}
	if s.Safe {
		fmt.Fprintf(w, "safe     yes: everything is on at least %d %s\n", s.Copies, plural(s.Copies, "node"))
	} else {
		fmt.Fprintf(w, "safe     NO: %s on fewer than %d %s, the oldest written %s\n", bytesText(s.Unsafe), s.Copies, plural(s.Copies, "node"), agoText(s.UnsafeAge))
	}
	for _, warning := range s.Warnings {
		fmt.Fprintf(w, "note     %s\n", warning)
	}
	return printNodes(w, s.Nodes, now)
}

// problems are what someone should act on, one sentence each.
func (r statusReport) problems() (list []string) {
	if r.Problem != "" {
		list = append(list, r.Problem)
	}
	s := r.Replication
	if s.Fenced != nil {
		list = append(list, s.Fenced.Error()+"; what no node has yet is kept here")
	}
	for _, d := range s.Damaged {
		list = append(list, fmt.Sprintf("segment %d is damaged on this machine: %s", d.Segment, oneLine(d.Error)))
	}
	for _, n := range s.Nodes {
		if n.Losses > 0 {
			list = append(list, fmt.Sprintf("node %s lost %d %s that it had acknowledged, the newest %s; they are sent again",
				n.Name, n.Losses, plural(int(n.Losses), "segment"), n.LastLoss))
		}
		for _, f := range n.Faults {
			list = append(list, fmt.Sprintf("node %s, %s: %s", n.Name, f.Object, oneLine(f.Error)))
		}
		if more := n.FaultCount - len(n.Faults); more > 0 {
			list = append(list, fmt.Sprintf("node %s: %d more objects like that", n.Name, more))
		}
	}
	return list
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
