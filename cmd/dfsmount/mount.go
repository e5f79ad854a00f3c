package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"dfsmount/cache"
	"dfsmount/fs"
	"dfsmount/fs/fusefs"
	"dfsmount/internal/control"
	"dfsmount/replicator"
	"dfsmount/seal"
)

// mountConfig is everything a mount needs to know; paths are absolute.
type mountConfig struct {
	volume, dir string
	options     mountOptions
}

func mountCommand(c console) *cobra.Command {
	var options mountOptions
	var lists []string
	var foreground, child bool
	cmd := &cobra.Command{
		Use:   "mount VOLUME DIR [-o option,…] [-f]",
		Short: "Mount a volume on a directory",
		Long: `Mounts VOLUME on DIR and returns once the mount is live; the process that serves it goes on in the background until DIR is
unmounted. mount(8) and systemd may call it as ` + "`dfsmount VOLUME DIR -o …`" + `.

Options for -o:
` + optionHelp(),
		Example: `  dfsmount mount ~/.vault ~/vault
  dfsmount mount ~/.vault ~/vault -o fsync=nodes --passphrase-command 'pass show vault'
  dfsmount ~/.vault ~/vault -o ro,passphrase-file=/run/keys/vault`,
		Args: exactArgs(2),
	}
	cmd.Flags().StringArrayVarP(&lists, "options", "o", nil, "mount options, comma-separated (see above)")
	cmd.Flags().BoolVarP(&foreground, "foreground", "f", false, "stay in the foreground")
	cmd.Flags().Var(fsyncFlag{&options}, "fsync", "what fsync waits for: local or nodes")
	cmd.Flags().BoolVar(&child, "child", false, "")
	_ = cmd.Flags().MarkHidden("child")
	options.pass.register(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		options.fsyncTimeout = defaultFsyncTimeout
		options.fuse.AllowOther = os.Geteuid() == 0
		for _, list := range lists {
			if err := parseOptions(&options, list); err != nil {
				return err
			}
		}
		if options.fuse.Debug && !foreground {
			return fail(exitUsage, "give -f as well", "-o debug logs the names of files, and only to the terminal")
		}
		if options.remount {
			return remount(args[0], args[1], options)
		}
		cfg, err := checkMount(args[0], args[1], options)
		if err != nil {
			return err
		}
		switch {
		case child:
			return mountChild(cmd.Context(), c, cfg)
		case foreground:
			return mountForeground(cmd.Context(), c, cfg)
		default:
			return mountDaemon(cmd.Context(), c, cfg, lists, options.fsyncNodes)
		}
	}
	return cmd
}

// fsyncFlag lets --fsync=nodes stand for -o fsync=nodes.
type fsyncFlag struct{ o *mountOptions }

func (f fsyncFlag) String() string { return "" }
func (f fsyncFlag) Type() string   { return "local|nodes" }

func (f fsyncFlag) Set(v string) error { return setFsync(f.o, v) }

// checkMount finds what is wrong with the command line before anything is asked or started.
func checkMount(volume, dir string, o mountOptions) (mountConfig, error) {
	volume, err := volumeDir(volume)
	if err != nil {
		return mountConfig{}, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return mountConfig{}, err
	}
	if within(dir, volume) || within(volume, dir) {
		return mountConfig{}, fail(exitMountpoint, "mount it somewhere else", "%s and the volume's own directory %s contain each other", dir, volume)
	}
	if err := checkMountPoint(dir); err != nil {
		return mountConfig{}, err
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		return mountConfig{}, fail(exitNoFUSE, "load the kernel's module fuse; in a container, hand the device in", "this machine cannot mount: %w", err)
	}
	o.fuse.FSName = volume
	return mountConfig{volume: volume, dir: dir, options: o}, nil
}

// checkMountPoint finds what is wrong with a directory to be mounted on, unless something is mounted there already: that
// may be dead or hang, and fusefs knows how to look at it.
func checkMountPoint(dir string) error {
	if _, err := fusefs.FindMount(dir); err == nil {
		return nil
	}
	switch entries, err := os.ReadDir(dir); {
	case errors.Is(err, os.ErrNotExist):
		return fail(exitMountpoint, "make it: mkdir "+dir, "%s does not exist", dir)
	case errors.Is(err, unix.ENOTDIR):
		return fail(exitMountpoint, "name an empty directory", "%s is not a directory", dir)
	case err != nil:
		return fail(exitMountpoint, "", "%w", err)
	case len(entries) > 0:
		return fail(exitMountpoint, "name an empty directory", "%s is not empty", dir)
	}
	return nil
}

// within reports whether path is dir or below it.
func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

func mountDaemon(ctx context.Context, c console, cfg mountConfig, lists []string, fsyncNodes bool) error {
	pass, err := cfg.options.pass.read(ctx, c, "Passphrase for "+cfg.volume)
	if err != nil {
		return err
	}
	args := []string{"mount", "--child", cfg.volume, cfg.dir}
	for _, list := range lists {
		args = append(args, "-o", list)
	}
	if fsyncNodes {
		args = append(args, "--fsync=nodes")
	}
	return daemonise(ctx, c, cfg.volume, pass, args)
}

func mountForeground(ctx context.Context, c console, cfg mountConfig) error {
	pass, err := cfg.options.pass.read(ctx, c, "Passphrase for "+cfg.volume)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(c.err, nil))
	return serve(ctx, cfg, pass, log, consoleAnnouncer{c, cfg.dir})
}

func mountChild(ctx context.Context, c console, cfg mountConfig) error {
	unix.CloseOnExec(verdictFD) // a helper that outlives us must not keep the parent waiting
	unix.CloseOnExec(passphraseFD)
	pass, err := readAll(os.NewFile(passphraseFD, "passphrase"))
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(c.err, nil)) // the parent made it mount.log
	a := pipeAnnouncer{os.NewFile(verdictFD, "verdict")}
	err = serve(ctx, cfg, pass, log, a)
	if err != nil {
		a.failed(err)
	}
	return err
}

// serve is dfsmount's architecture in one function: from passphrase to mounted, and back in reverse order. It returns when
// the directory is unmounted, by umount(8), by SIGTERM, or by `dfsmount umount`, and everything is durable.
func serve(ctx context.Context, cfg mountConfig, pass []byte, log *slog.Logger, a announcer) (err error) {
	if err := fusefs.Prepare(); err != nil {
		return err
	}
	if err := seal.Harden(); err != nil {
		log.Warn("memory is less protected than it could be", "err", err)
	}
	vol, err := openVolume(ctx, cfg.volume, pass, cache.Options{CommitInterval: commitInterval, Log: log}, a.note)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, vol.close()) }() // the last commit: an error here is the user's to know

	repl := vol.replicator(log)
	vol.store.SetFetcher(repl)
	stopReplicator := start(ctx, repl.Run)
	defer stopReplicator()

	nodes := &barrier{repl: repl, options: cfg.options}
	filesystem, err := fs.New(vol.store, fs.Options{
		DirtyAge:     dirtyAge,
		Barrier:      nodes.wait,
		NoMtimeWrite: !cfg.options.fuse.WriteThrough,
		Quota:        vol.settings.Quota,
		Log:          log,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, filesystem.Close()) }()

	cfg.options.fuse.Log = log
	server, err := fusefs.Mount(filesystem, cfg.dir, cfg.options.fuse)
	if err != nil {
		return orElse(exitMountpoint, "", err)
	}
	for _, warning := range server.Warnings() {
		log.Warn(warning)
	}
	m := &mounted{cfg: cfg, vol: vol, repl: repl, fs: filesystem, since: time.Now(), closed: make(chan struct{})}
	sockets, err := control.Listen(cfg.volume, m.calls())
	if err != nil {
		return errors.Join(err, server.Unmount())
	}
	defer m.farewell(sockets)
	stopFlusher, err := flushMount(cfg.dir, log)
	if err != nil {
		return errors.Join(err, server.Unmount())
	}
	defer stopFlusher()
	a.live()
	return serveUntil(ctx, server, nodes, log)
}

// busyGrace is how long files that are open when a signal comes may stay so.
const busyGrace = 10 * time.Second

// serveUntil serves until the directory is unmounted. The end of ctx (a signal) unmounts it; if it is in use it is detached, and those who still have
// files open after busyGrace get ENOTCONN from then on: what they wrote is made durable all the same.
func serveUntil(ctx context.Context, server *fusefs.Server, nodes *barrier, log *slog.Logger) error {
	done := make(chan error, 1)
	go func() {
		err := server.Serve()
		nodes.lift() // the last fsync of an application has been answered
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	err := server.Unmount()
	if errors.Is(err, fusefs.ErrBusy) {
		log.Warn("told to end while the directory is in use: it is detached now", "grace", busyGrace)
		err = server.Detach()
	}
	if err != nil {
		log.Warn("unmount at the end", "err", err)
	}
	select {
	case err := <-done:
		return err
	case <-time.After(busyGrace):
		log.Warn("files are still open; their users get ENOTCONN from now on")
		return nil
	}
}

// start runs a part of the mount that must outlive ctx: replication goes on while the last data is made durable. stop ends it and waits.
func start(ctx context.Context, run func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { _ = run(ctx) }) // ends with ctx; what it could not do is state, shown by status
	return func() {
		cancel()
		wg.Wait()
	}
}

// barrier is what an application's fsync waits for after the local disk.
type barrier struct {
	repl    *replicator.Replicator
	options mountOptions
	lifted  atomic.Bool // nobody has the filesystem mounted any more: the end waits for the local disk alone
}

func (b *barrier) wait(ctx context.Context) error {
	if !b.options.fsyncNodes || b.lifted.Load() || ctx.Value(localOnly{}) != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, b.options.fsyncTimeout)
	defer cancel()
	return b.repl.Sync(ctx, 0)
}

func (b *barrier) lift() { b.lifted.Store(true) }

// localOnly marks the context of a sync that does not wait at the barrier: `dfsmount sync` waits for nodes by itself, and for as long as it
// was told.
type localOnly struct{}

// mounted is the live mount as commands see it.
type mounted struct {
	cfg    mountConfig
	vol    *volume
	repl   *replicator.Replicator
	fs     *fs.FS
	since  time.Time
	closed chan struct{} // closed when the directory is no longer mounted
}

func (m *mounted) calls() map[string]control.Call {
	return map[string]control.Call{
		"status": replying(m.status), "sync": replying(m.sync), "nodes": replying(m.nodes), "check": replying(m.check),
		"quota": replying(m.quota), "farewell": replying(m.waitFarewell),
	}
}

func (m *mounted) status(context.Context, json.RawMessage, func(int64, int64)) (any, error) {
	return m.report(), nil
}

func (m *mounted) report() statusReport {
	fsync := "local"
	if m.cfg.options.fsyncNodes {
		fsync = "nodes"
	}
	r := statusReport{
		Volume: m.cfg.volume, ID: m.vol.id(), Mounted: m.cfg.dir, Since: m.since, Pid: os.Getpid(), Version: version,
		Fsync: fsync, ReadOnly: m.cfg.options.fuse.ReadOnly, Replication: m.replication(time.Now()), Problem: problemText(m.vol.store),
	}
	if q := m.quotaReport(); q.Limit > 0 {
		r.Quota = &q
	}
	return r
}

// replication is the replicator's status with what it cannot know of: bytes that were written and are not in the log yet are safe nowhere.
func (m *mounted) replication(now time.Time) replicator.Status {
	dirty, since := m.fs.Dirty() // first: what is sealed in between is counted twice, never not at all
	s := m.repl.Status()
	if dirty > 0 {
		s.Unsafe += dirty
		s.UnsafeAge = max(s.UnsafeAge, now.Sub(since))
		s.Safe = false
	}
	return s
}

// syncArgs asks for acknowledgements of that many nodes; 0 for the policy's number.
type syncArgs struct {
	Copies int `json:"copies"`
}

func (m *mounted) sync(ctx context.Context, args json.RawMessage, progress func(int64, int64)) (any, error) {
	var a syncArgs
	if err := json.Unmarshal(args, &a); err != nil {
		return nil, err
	}
	if err := m.fs.SyncAll(context.WithValue(ctx, localOnly{}, true)); err != nil {
		return nil, err
	}
	if err := m.repl.SyncProgress(ctx, a.Copies, progress); err != nil {
		return nil, orElse(exitUnsafe, "`dfsmount status` shows each node", err)
	}
	return m.report(), nil
}

// farewell tells those who wait for the mount to end what is not safe yet, now that everything is durable here. It runs before
// the store is closed.
func (m *mounted) farewell(s *control.Server) {
	close(m.closed)
	_ = m.fs.SyncAll(context.Background()) // however long it takes; those who wait do the same and tell its error
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = s.Close(ctx) // the mount is gone either way
}

// waitFarewell answers when the directory is no longer mounted and its last data is durable.
func (m *mounted) waitFarewell(ctx context.Context, _ json.RawMessage, progress func(int64, int64)) (any, error) {
	tick := time.NewTicker(10 * time.Millisecond) // the caller unmounts only once it has heard from us
	defer tick.Stop()
	for waiting := true; waiting; {
		select {
		case <-tick.C:
			progress(0, 0)
		case <-m.closed:
			waiting = false
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if err := m.fs.SyncAll(context.WithoutCancel(ctx)); err != nil {
		return nil, fmt.Errorf("make the last data durable: %w", err)
	}
	return m.report(), nil
}
