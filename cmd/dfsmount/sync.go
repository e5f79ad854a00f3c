package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

func syncCommand(c console) *cobra.Command {
	var copies int
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "sync DIR",
		Short: "Wait until everything is on enough nodes",
		Long: `Makes everything written so far durable here, then waits until it is on as many nodes as the policy asks for (--copies: as many
as said). Interrupting it loses nothing: replication goes on.`,
		Example: "  dfsmount sync ~/vault\n  dfsmount sync ~/vault --copies 3 --timeout 10m",
		Args:    exactArgs(1),
	}
	cmd.Flags().IntVar(&copies, "copies", 0, "how many nodes (default: the volume's policy)")
	cmd.Flags().DurationVar(&timeout, "timeout", 0, "give up after this long (default: never)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if copies < 0 {
			return fail(exitUsage, "leave it out for the volume's policy", "--copies must be at least 1, not %d", copies)
		}
		dir, err := volumeOf(args[0])
		if err != nil {
			return err
		}
		return syncVolume(cmd.Context(), c, dir, copies, timeout)
	}
	return cmd
}

// syncVolume waits with a progress bar until a mounted volume is on copies nodes (0: the policy's number).
func syncVolume(ctx context.Context, c console, dir string, copies int, timeout time.Duration) error {
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	if err := handOver(dir); err != nil {
		return err
	}
	bar := newBar(c, "on nodes")
	defer bar.end()
	var report statusReport
	err := ask(ctx, dir, "sync", syncArgs{Copies: copies}, &report, bar.set)
	bar.end()
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fail(exitUnsafe, "`dfsmount status` shows each node; replication goes on", "after %v not everything is on enough nodes", timeout)
	case err != nil:
		return err
	}
	want := copies
	if want == 0 {
		want = report.Replication.Copies
	}
	_, err = fmt.Fprintf(c.out, "everything is on at least %d %s\n", want, plural(want, "node"))
	return err
}
