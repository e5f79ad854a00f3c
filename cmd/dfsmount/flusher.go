package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"dfsmount/fs/fusefs"
)

// What an application writes to a file stays in the kernel until the file is closed or synced, or for up to half a minute
// (vm.dirty_expire_centisecs): until then we do not know of it, and cannot make it durable within the 5 s that are promised. syncfs(2) makes
// the kernel hand over what it has. The mount's own process must not call it: it would wait for itself, and could not even be killed. So a
// process of its own does, the flusher. It lives as long as a pipe from the mount's process, and holds nothing on the mount but for the moments
// in which it works.

// The stations of what nobody syncs, each waited for at most this long: the kernel's cache, the dirty data of an inode, a transaction without
// a commit. Together they stay below the 5 s that are promised, with room for the work itself.
const (
	flushInterval  = 1500 * time.Millisecond
	dirtyAge       = 1000 * time.Millisecond
	commitInterval = 1500 * time.Millisecond
)

// flushMount starts the flusher of the live mount on dir, and again should it die. stop ends it and waits.
func flushMount(dir string, log *slog.Logger) (stop func(), err error) {
	m, err := fusefs.FindMount(dir)
	if err != nil {
		return nil, fmt.Errorf("start flusher: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start flusher: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			err := runFlusher(ctx, self, m)
			if ctx.Err() != nil {
				return
			}
			log.Warn("flusher ended and is started again; meanwhile data of open files may be durable late", "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(flushInterval):
			}
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}, nil
}

// runFlusher runs one flusher process until ctx ends. Its standard input is the pipe whose end tells it that we are gone, however.
func runFlusher(ctx context.Context, self string, m fusefs.MountInfo) error {
	cmd := exec.Command(self, "flusher", m.Device, m.Dir)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is for the mount's process, which ends both in order
	life, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	said, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	end := context.AfterFunc(ctx, func() { life.Close() })
	defer end()
	text, _ := io.ReadAll(io.LimitReader(said, 4<<10)) // the error of Wait is the one that counts
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%w: %s", err, oneLine(string(text)))
	}
	return errors.New("it ended by itself")
}

// handOver makes the kernel hand over what it has of the mounts of a volume: for commands, which are processes of their own.
func handOver(volume string) error {
	mounts, err := fusefs.Mounts()
	if err != nil {
		return err
	}
	for _, m := range mounts {
		if m.Source != volume {
			continue
		}
		if err := flush(m.Device, m.Dir); err != nil && !errors.Is(err, unix.ENOTCONN) {
			return err
		}
	}
	return nil
}

func flusherCommand(c console) *cobra.Command {
	return &cobra.Command{
		Use:    "flusher DEVICE DIR",
		Short:  "Make the kernel hand over what is written to a mount (started by mount)",
		Hidden: true,
		Args:   exactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithCancel(cmd.Context())
			go func() {
				_, _ = bufio.NewReader(c.in).ReadByte() // nothing is ever sent: this ends with the mount's process
				cancel()
			}()
			return flushUntil(ctx, args[0], args[1])
		},
	}
}

// flushUntil flushes the mount of device on dir every flushInterval until ctx ends.
func flushUntil(ctx context.Context, device, dir string) error {
	tick := time.NewTicker(flushInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := flush(device, dir); err != nil && !errors.Is(err, unix.ENOTCONN) {
			return err
		}
	}
}

// flush calls syncfs on the filesystem at dir if it still is the one of device: after an unmount another one is there.
func flush(device, dir string) error {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open mount point: %w", err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("look at mount point: %w", err)
	}
	if fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev)) != device {
		return nil
	}
	// An error of writing pages is reported to the application that wrote them, at its next fsync; there is nobody to tell here.
	if err := unix.Syncfs(fd); err != nil && !errors.Is(err, unix.EIO) && !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.EDQUOT) {
		return fmt.Errorf("syncfs: %w", err)
	}
	return nil
}
