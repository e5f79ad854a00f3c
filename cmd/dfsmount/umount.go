package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"dfsmount/fs/fusefs"
	"dfsmount/internal/control"
)

func umountCommand(c console) *cobra.Command {
	var wait, lazy bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "umount DIR",
		Short: "Unmount; says what no node has yet",
		Long: `Unmounts DIR, waits until everything written is durable on this machine, and says what is on fewer nodes than the policy asks for.
--wait first waits until it is on enough nodes.`,
		Example: "  dfsmount umount ~/vault\n  dfsmount umount ~/vault --wait",
		Args:    exactArgs(1),
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until everything is on enough nodes, then unmount")
	cmd.Flags().BoolVar(&lazy, "lazy", false, "detach it now although it is in use, and finish when it no longer is")
	cmd.Flags().DurationVar(&timeout, "timeout", 0, "with --wait: unmount nothing and give up after this long (default: never)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		m, err := fusefs.FindMount(args[0])
		if err != nil {
			return err
		}
		if wait {
			if err := syncVolume(cmd.Context(), c, m.Source, 0, timeout); err != nil {
				return err
			}
		}
		return umount(cmd.Context(), c, m, lazy)
	}
	return cmd
}

// farewellTimeout is how long umount waits for the last data to be durable on the local disk.
const farewellTimeout = 10 * time.Minute

// umount detaches the mount and waits for its process to have made everything durable.
func umount(ctx context.Context, c console, m fusefs.MountInfo, lazy bool) error {
	if lazy { // asks nobody: the mount's process may be stuck
		return detach(m, lazy)
	}
	ctx, cancel := context.WithTimeout(ctx, farewellTimeout)
	defer cancel()
	type answer struct {
		report statusReport
		err    error
	}
	farewell := make(chan answer, 1)
	ready := make(chan struct{})
	go func() {
		var a answer
		connected := sync.OnceFunc(func() { close(ready) })
		a.err = ask(ctx, m.Source, "farewell", nil, &a.report, func(int64, int64) { connected() })
		connected()
		farewell <- a
	}()
	<-ready
	if err := detach(m, lazy); err != nil {
		return err
	}
	a := <-farewell
	switch {
	case errors.Is(a.err, control.ErrNotMounted):
		return nil // its process was dead already: the directory is free, and the next mount recovers
	case errors.Is(a.err, control.ErrGone):
		return nil // it ended between the two calls; it goes only after its last commit
	case errors.Is(a.err, context.DeadlineExceeded):
		return fail(exitFault, "the disk is slow or stuck; do not switch off before the process has ended", "%s is unmounted, but its last data is not durable after %v", m.Dir, farewellTimeout)
	case a.err != nil:
		return a.err
	}
	awaitEnd(ctx, a.report.Pid)
	if s := a.report.Replication; !s.Safe && len(s.Nodes) > 0 {
		fmt.Fprintf(c.err, "dfsmount: %s on fewer than %d %s; it goes on when the volume is mounted again (umount --wait waits)\n",
			bytesText(s.Unsafe), s.Copies, plural(s.Copies, "node"))
	}
	return nil
}

// awaitEnd returns when the mount's process has ended, or with ctx: what it has open would keep the disk below from being unmounted or
// pulled out. Everything is durable already.
func awaitEnd(ctx context.Context, pid int) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return // it has ended
	}
	defer unix.Close(fd)
	for ctx.Err() == nil {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 100)
		if n > 0 || err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// busyPatience is how long umount tries again: the flusher, or a program that looks at the desktop's new mount, is gone in a moment.
const busyPatience = time.Second

func detach(m fusefs.MountInfo, lazy bool) error {
	err := fusefs.Unmount(m.Dir, lazy)
	for end := time.Now().Add(busyPatience); errors.Is(err, fusefs.ErrBusy) && time.Now().Before(end); {
		time.Sleep(busyPatience / 20)
		err = fusefs.Unmount(m.Dir, lazy)
	}
	if errors.Is(err, fusefs.ErrBusy) {
		return fail(exitMountpoint, "close what uses it (`fuser -vm "+m.Dir+"` shows it), or use --lazy", "%w", err)
	}
	if err != nil {
		return fail(exitMountpoint, "", "%w", err)
	}
	return nil
}
