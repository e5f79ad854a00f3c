package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"dfsmount/cache"
	"dfsmount/fs"
	"dfsmount/internal/control"
	"dfsmount/replicator"
)

// checkReport is what `check` found.
type checkReport struct {
	Problems []string               `json:"problems"` // of the local store and of the filesystem
	Nodes    []replicator.NodeCheck `json:"nodes"`
}

// checkArgs says what to check.
type checkArgs struct {
	Data bool `json:"data"` // read and authenticate every object on every node
}

func checkCommand(c console) *cobra.Command {
	var a checkArgs
	var asJSON bool
	var pass passphraseFlags
	cmd := &cobra.Command{
		Use:   "check VOLUME|DIR",
		Short: "Verify the volume and its copies",
		Long: `Verifies the local store, the filesystem's structure, and that every node has what it acknowledged. --data also reads every segment here
and every object on every node and authenticates all of it. Works while the volume is mounted. Nothing is changed. The exit code is 9
if something is not what was written, 11 if a node could not be checked.`,
		Example: "  dfsmount check ~/vault\n  dfsmount check ~/vault --data",
		Args:    exactArgs(1),
	}
	cmd.Flags().BoolVar(&a.Data, "data", false, "read and authenticate everything, on all nodes too")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	pass.register(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		dir, err := volumeOf(args[0])
		if err != nil {
			return err
		}
		report, err := checkVolume(cmd.Context(), c, dir, a, &pass)
		if err != nil {
			return err
		}
		if asJSON {
			err = json.NewEncoder(c.out).Encode(report)
		} else {
			err = report.print(c)
		}
		return errors.Join(err, report.verdict())
	}
	return cmd
}

func checkVolume(ctx context.Context, c console, dir string, a checkArgs, pass *passphraseFlags) (report checkReport, err error) {
	bar := newBar(c, "checking")
	defer bar.end()
	err = ask(ctx, dir, "check", a, &report, bar.set)
	if !errors.Is(err, control.ErrNotMounted) {
		return report, err
	}
	vol, err := askAndOpen(ctx, c, dir, pass)
	if err != nil {
		return report, err
	}
	filesystem, err := fs.New(vol.store, fs.Options{})
	if err != nil {
		return report, errors.Join(err, vol.close())
	}
	repl := vol.replicator(nil)
	vol.store.SetFetcher(repl)
	// The replicator fetches, but does not run: it would mend what is to be found.
	report, err = vol.check(ctx, filesystem, repl, a, bar.set)
	return report, errors.Join(err, filesystem.Close(), vol.close())
}

func (m *mounted) check(ctx context.Context, args json.RawMessage, progress func(int64, int64)) (any, error) {
	var a checkArgs
	if err := json.Unmarshal(args, &a); err != nil {
		return nil, err
	}
	return m.vol.check(ctx, m.fs, m.repl, a, progress)
}

func (v *volume) check(ctx context.Context, filesystem *fs.FS, repl *replicator.Replicator, a checkArgs, progress func(int64, int64)) (checkReport, error) {
	report := checkReport{Problems: []string{}}
	local, err := v.store.Check(ctx, cache.CheckOptions{Data: a.Data})
	if err != nil {
		return report, err
	}
	for _, p := range local {
		report.Problems = append(report.Problems, p.Rule+": "+p.Text)
	}
	structure, err := filesystem.Check(ctx)
	if err != nil {
		return report, err
	}
	for _, p := range structure {
		report.Problems = append(report.Problems, p.Rule+": "+p.Text)
	}
	report.Nodes, err = repl.Check(ctx, v.keys, a.Data, progress)
	return report, err
}

func (r checkReport) print(c console) error {
	for _, p := range r.Problems {
		fmt.Fprintln(c.out, p)
	}
	if len(r.Problems) == 0 {
		fmt.Fprintln(c.out, "the local store and the filesystem are sound")
	}
	for _, n := range r.Nodes {
		fmt.Fprintf(c.out, "node %s: %s\n", n.Name, n.Sentence())
		for _, fault := range n.Faults {
			fmt.Fprintf(c.out, "  %s\n", fault)
		}
	}
	return nil
}

// verdict is nil if nothing is wrong.
func (r checkReport) verdict() error {
	faults, silent := len(r.Problems), 0
	for _, n := range r.Nodes {
		faults += len(n.Faults)
		if n.Error != "" {
			silent++
		}
	}
	if faults > 0 {
		return fail(exitDamaged, "nothing was changed; good copies on other nodes go on serving", "%d %s found", faults, plural(faults, "problem was", "problems were"))
	}
	if silent > 0 {
		return fail(exitNode, "check again when it answers", "%d %s could not be checked", silent, plural(silent, "node"))
	}
	return nil
}
