package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	iofs "io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"dfsmount/fs/fusefs"
	"dfsmount/internal/treesum"
)

func demoCommand(c console) *cobra.Command {
	var tree string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "The whole story on this machine, in about a minute",
		Long: `Makes a volume with three nodes in a temporary directory, fills it, stops a node, kills the mount, deletes the local state, recovers all
of it from two nodes and the passphrase, and compares every file by hash. It stops at the first mismatch and cleans up
after itself.`,
		Example: "  dfsmount demo\n  dfsmount demo --tree ~/Documents",
		Args:    exactArgs(0),
	}
	cmd.Flags().StringVar(&tree, "tree", "", "directory to copy into the volume (default: the Go source tree)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return runDemo(cmd.Context(), c, tree)
	}
	return cmd
}

// demo is one run: everything is below base, and undone in reverse order.
type demo struct {
	c     console
	self  string // this program
	base  string
	tree  string
	pass  string // file that holds the passphrase
	nodes [3]*demoNode
	undo  []func()
	begun time.Time
}

// demoNode is one node process with a directory and an address of its own.
type demoNode struct {
	dir, addr, url string
	cmd            *exec.Cmd
}

func runDemo(ctx context.Context, c console, tree string) (err error) {
	d := &demo{c: c, tree: tree, begun: time.Now()}
	defer func() { err = errors.Join(err, d.cleanUp()) }()
	for _, step := range []func(context.Context) error{
		d.prepare, d.makeVolume, d.fill, d.showCiphertext, d.loseNode, d.returnNode, d.killMount, d.loseMachine,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// say prints one line of the story.
func (d *demo) say(format string, args ...any) {
	fmt.Fprintf(d.c.out, "%6.1f s  %s\n", time.Since(d.begun).Seconds(), fmt.Sprintf(format, args...))
}

func (d *demo) volume() string { return filepath.Join(d.base, "volume") }
func (d *demo) dir() string    { return filepath.Join(d.base, "mnt") }

func (d *demo) prepare(ctx context.Context) (err error) {
	if d.self, err = os.Executable(); err != nil {
		return err
	}
	if d.tree == "" {
		if d.tree, err = goSource(ctx); err != nil {
			return err
		}
	}
	if d.tree, err = filepath.Abs(d.tree); err != nil {
		return err
	}
	if d.base, err = os.MkdirTemp("", "dfsmount-demo-"); err != nil {
		return err
	}
	d.undo = append(d.undo, func() { d.removeAll() })
	d.pass = filepath.Join(d.base, "passphrase")
	if err := os.WriteFile(d.pass, []byte(rand.Text()+"\n"), 0o600); err != nil {
		return err
	}
	return os.Mkdir(d.dir(), 0o700)
}

// goSource is the Go source tree, which is on every machine that can build dfsmount.
func goSource(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", fail(exitUsage, "name a directory to copy: dfsmount demo --tree DIR", "the Go source tree was not found (%v)", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "src"), nil
}

func (d *demo) makeVolume(ctx context.Context) error {
	args := []string{"init", d.volume(), "--copies", "2", "--passphrase-file", d.pass}
	for i := range d.nodes {
		n := &demoNode{dir: filepath.Join(d.base, fmt.Sprintf("node%d", i+1)), addr: "127.0.0.1:0"}
		d.nodes[i] = n
		if err := d.startNode(ctx, n); err != nil {
			return err
		}
		args = append(args, "--node", n.url)
	}
	d.say("three nodes are up: %s, %s, %s (a process and a directory each)", d.nodes[0].addr, d.nodes[1].addr, d.nodes[2].addr)
	if _, err := d.run(ctx, args...); err != nil {
		return err
	}
	d.say("made a volume: 2 of 3 nodes make a segment safe; passphrase and recovery key open it")
	return d.mount(ctx)
}

// startNode starts a node's process; the first time it takes any free port, later the same again.
func (d *demo) startNode(ctx context.Context, n *demoNode) error {
	cmd := exec.Command(d.self, "node", "--dir", n.dir, "--listen", n.addr)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start node: %w", err)
	}
	n.cmd = cmd
	d.undo = append(d.undo, func() { stopProcess(cmd, syscall.SIGKILL) })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if url := strings.TrimSpace(lines.Text()); strings.HasPrefix(url, "https://") {
			n.url = url
			_, rest, _ := strings.Cut(url, "@")
			n.addr, _, _ = strings.Cut(rest, "/")
			return ctx.Err()
		}
	}
	return fmt.Errorf("node in %s did not start: %s", n.dir, oneLine(said.String()))
}

// stopProcess ends a process that we started and waits for it; a second call does nothing.
func stopProcess(cmd *exec.Cmd, sig syscall.Signal) {
	if cmd.ProcessState != nil {
		return
	}
	_ = cmd.Process.Signal(sig)
	_ = cmd.Wait()
}

// run runs this program to its end, fails with what it said, and returns its standard output.
func (d *demo) run(ctx context.Context, args ...string) (string, error) {
	return d.tool(ctx, d.self, args...)
}

func (d *demo) tool(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", fmt.Errorf("%s %s: %w: %s", filepath.Base(name), args[0], err, oneLine(said.String()))
	}
	return out.String(), nil
}

func (d *demo) mount(ctx context.Context) error {
	if _, err := d.run(ctx, "mount", d.volume(), d.dir(), "--passphrase-file", d.pass); err != nil {
		return err
	}
	d.undo = append(d.undo, d.detach)
	return nil
}

// detach makes sure that nothing of ours stays mounted, whatever happened.
func (d *demo) detach() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if m, err := fusefs.FindMount(d.dir()); err != nil || m.Dir != d.dir() {
		return
	}
	if _, err := d.run(ctx, "umount", d.dir()); err != nil {
		_ = fusefs.Unmount(d.dir(), true)
	}
}

func (d *demo) fill(ctx context.Context) error {
	begun := time.Now()
	if _, err := d.tool(ctx, "cp", "-a", d.tree, filepath.Join(d.dir(), "tree")); err != nil {
		return err
	}
	if _, err := d.run(ctx, "sync", d.dir()); err != nil {
		return err
	}
	took := time.Since(begun)
	t, err := d.compare(ctx, d.tree, "tree")
	if err != nil {
		return err
	}
	d.say("copied %d files (%s) with cp -a, safe on 2 nodes in %.1f s; the same through the mount: %.12s…", t.Files, bytesText(t.Bytes), took.Seconds(), t.Hash())
	return nil
}

// compare compares a directory with its copy in the volume by hash, and fails with what differs.
func (d *demo) compare(ctx context.Context, want, inVolume string) (treesum.Tree, error) {
	a, err := treesum.Of(ctx, want)
	if err != nil {
		return a, err
	}
	b, err := treesum.Of(ctx, filepath.Join(d.dir(), inVolume))
	if err != nil {
		return b, err
	}
	if diff := treesum.Diff(a, b, 3); len(diff) > 0 {
		return b, fail(exitDamaged, "", "MISMATCH: %s", strings.Join(diff, "; "))
	}
	return b, nil
}

// showCiphertext looks on the disk and on the nodes for what was written. The same search finds it in the tree itself: a search that cannot
// find anything would prove nothing.
func (d *demo) showCiphertext(ctx context.Context) error {
	needles := [][]byte{[]byte("package "), []byte("Copyright 20"), []byte("_test.go"), []byte("import (")}
	inTree, _, err := countIn(ctx, d.tree, needles)
	if err != nil {
		return err
	}
	if inTree == 0 {
		needles = nil // not the Go tree: look for the names of its files instead
		if needles, err = namesIn(d.tree, 50); err != nil {
			return err
		}
	}
	total := int64(0)
	for _, dir := range []string{d.volume(), d.nodes[0].dir, d.nodes[1].dir, d.nodes[2].dir} {
		hits, size, err := countIn(ctx, dir, needles)
		if err != nil {
			return err
		}
		if hits > 0 {
			return fail(exitDamaged, "", "PLAINTEXT: %s holds readable text of the tree in %d files", dir, hits)
		}
		total += size
	}
	d.say("searched disk and nodes (%s) for names and text of the tree: %d files of the tree hold some, none of ours does", bytesText(total), inTree)
	return nil
}

func namesIn(root string, limit int) (names [][]byte, err error) {
	err = filepath.WalkDir(root, func(path string, e iofs.DirEntry, err error) error {
		if err == nil && len(e.Name()) >= 6 && len(names) < limit {
			names = append(names, []byte(e.Name()))
		}
		return err
	})
	return names, err
}

// countIn counts the files below root that hold any of the needles, and their bytes.
func countIn(ctx context.Context, root string, needles [][]byte) (hits int, size int64, err error) {
	err = filepath.WalkDir(root, func(path string, e iofs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		b, err := os.ReadFile(path)
		size += int64(len(b))
		for _, needle := range needles {
			if bytes.Contains(b, needle) {
				hits++
				break
			}
		}
		return err
	})
	return hits, size, err
}

func (d *demo) loseNode(ctx context.Context) error {
	n := d.nodes[2]
	stopProcess(n.cmd, syscall.SIGKILL)
	d.say("killed node 3 (pid %d) and went on writing", n.cmd.Process.Pid)
	if _, err := d.tool(ctx, "cp", "-a", filepath.Join(d.tree, d.sample()), filepath.Join(d.dir(), "more")); err != nil {
		return err
	}
	if _, err := d.run(ctx, "sync", d.dir()); err != nil {
		return err
	}
	t, err := d.compare(ctx, filepath.Join(d.tree, d.sample()), "more")
	if err != nil {
		return err
	}
	report, err := statusOf(ctx, d.c, d.dir(), nil)
	if err != nil {
		return err
	}
	behind := report.Replication.Nodes[2]
	if behind.Behind == 0 || !report.Replication.Safe {
		return fail(exitFault, "", "node 3 is dead, yet status says %q, behind by %d bytes, safe: %v", behind.State, behind.Behind, report.Replication.Safe)
	}
	d.say("wrote %d more files (%s), safe on 2 nodes; status: node 3 %s, behind by %s", t.Files, bytesText(t.Bytes), behind.State, bytesText(behind.Behind))
	return nil
}

// sample is a directory of the tree to copy a second time: its first one.
func (d *demo) sample() string {
	entries, err := os.ReadDir(d.tree)
	if err != nil {
		return "."
	}
	best := "."
	for _, e := range entries {
		if e.IsDir() && (best == "." || e.Name() == "crypto") {
			best = e.Name()
		}
	}
	return best
}

func (d *demo) returnNode(ctx context.Context) error {
	if err := d.startNode(ctx, d.nodes[2]); err != nil {
		return err
	}
	begun := time.Now()
	if _, err := d.run(ctx, "sync", d.dir(), "--copies", "3", "--timeout", "2m"); err != nil {
		return err
	}
	d.say("started node 3 again: it caught up in %.1f s, everything is on all 3 nodes", time.Since(begun).Seconds())
	return nil
}

func (d *demo) killMount(ctx context.Context) error {
	late := filepath.Join(d.dir(), "late")
	if err := writeSynced(late, []byte("acknowledged by fsync just before the kill\n")); err != nil {
		return err
	}
	report, err := statusOf(ctx, d.c, d.dir(), nil)
	if err != nil {
		return err
	}
	if err := syscall.Kill(report.Pid, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill the mount's process: %w", err)
	}
	if err := awaitENOTCONN(ctx, d.dir()); err != nil {
		return err
	}
	begun := time.Now()
	if err := d.mount(ctx); err != nil {
		return err
	}
	took := time.Since(begun)
	if _, err := os.Stat(late); err != nil {
		return fmt.Errorf("what fsync acknowledged is gone: %w", err)
	}
	if _, err := d.compare(ctx, d.tree, "tree"); err != nil {
		return err
	}
	d.say("killed the mount with SIGKILL right after an fsync; mounted again in %.1f s, all there", took.Seconds())
	return nil
}

func writeSynced(path string, data []byte) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// awaitENOTCONN waits until the kernel knows that the mount's process is gone. It asks for statfs(2): what the kernel has in its cache, even
// a listing, it goes on answering (from that, never as an empty directory).
func awaitENOTCONN(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		var st syscall.Statfs_t
		err := syscall.Statfs(dir, &st)
		if errors.Is(err, syscall.ENOTCONN) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the mount's process was killed, yet its directory answers: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (d *demo) loseMachine(ctx context.Context) error {
	if _, err := d.run(ctx, "umount", "--wait", d.dir()); err != nil {
		return err
	}
	if err := os.RemoveAll(d.volume()); err != nil {
		return err
	}
	stopProcess(d.nodes[0].cmd, syscall.SIGKILL)
	d.say("unmounted, deleted the local state, killed node 1: left are two nodes and the passphrase")
	begun := time.Now()
	if _, err := d.run(ctx, "clone", d.nodes[1].url, d.volume(), "--passphrase-file", d.pass); err != nil {
		return err
	}
	if err := d.mount(ctx); err != nil {
		return err
	}
	live := time.Since(begun)
	t, err := d.compare(ctx, d.tree, "tree")
	if err != nil {
		return err
	}
	if _, err := d.compare(ctx, filepath.Join(d.tree, d.sample()), "more"); err != nil {
		return err
	}
	d.say("recovered: mounted %.1f s after the loss, all %d files read back from nodes and equal by hash: %.12s…", live.Seconds(), t.Files, t.Hash())
	return nil
}

// cleanUp undoes everything in reverse order.
func (d *demo) cleanUp() error {
	for len(d.undo) > 0 {
		last := d.undo[len(d.undo)-1]
		d.undo = d.undo[:len(d.undo)-1]
		last()
	}
	if d.base == "" {
		return nil
	}
	if _, err := os.Lstat(d.base); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s could not be removed: %w", d.base, err)
	}
	d.say("cleaned up: nothing mounted, no process, no file left")
	return nil
}

// removeAll never descends into a mount: if one is still there the directory stays, and cleanUp says so.
func (d *demo) removeAll() {
	if m, err := fusefs.FindMount(d.dir()); err == nil && m.Dir == d.dir() {
		return
	}
	_ = os.RemoveAll(d.base)
}
