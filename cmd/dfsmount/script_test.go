package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"dfsmount/fs/fusefs"
	"dfsmount/internal/testenv"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// The pages of testdata/script run the program as people do. Each has a file `pass` with the passphrase, and beside testscript's own commands:
//
//	exits CODE COMMAND…     the command ends with that exit code
//	until REGEXP COMMAND…   the command prints that, sooner or later
//	node NAME DIR [ARG…]    starts a node process and sets $NAME to its URL; started again under that name, it has the same address
//	stopnode NAME           ends it by SIGTERM
//	[!] mounted DIR         a volume is mounted there
//	signal NAME VOLUME      sends the process that has the volume mounted SIGNAME and waits until it has ended
//	freeze VOLUME, thaw     stops it, as if it were stuck, and lets it go on
//	hold FILE, letgo        opens a file (the mount is busy then), and closes it
//	interrupt REGEXP CMD…   runs a command at a terminal and types half a word and Ctrl-C at that prompt
//	[root]                  a condition: the test runs as root
//	flip DIR                flips a bit in each segment below DIR and sets $OBJECT to the name of one of them
func TestScript(t *testing.T) {
	testenv.NeedFUSE(t)
	notUnderRace(t)
	t.Setenv("GOTMPDIR", t.TempDir()) // testscript leaves an empty directory there
	testscript.Run(t, testscript.Params{
		Dir:                filepath.Join("testdata", "script"),
		Setup:              setUpPage,
		RequireUniqueNames: true,
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"node": pageNode, "stopnode": pageStopNode, "mounted": pageMounted, "signal": pageSignal,
			"freeze": pageFreeze, "thaw": pageThaw, "hold": pageHold, "letgo": pageLetGo, "flip": pageFlip,
			"interrupt": pageInterrupt,
		},
	})
}

// notUnderRace skips what runs the program many times: each run costs a scrypt, which the race detector makes some twenty times slower.
// Packages have race tests of their own.
func notUnderRace(t *testing.T) {
	t.Helper()
	if raceEnabled {
		t.Skip("SKIPPED, NOT TESTED: with -race it takes a quarter of an hour; it runs without")
	}
}

// page is what a running page has besides its directory.
type page struct {
	work  string
	nodes map[string]*exec.Cmd
	at    map[string]string // address of each node, also of one that was stopped
	held  []*os.File
}

type pageKey struct{}

func pageOf(ts *testscript.TestScript) *page { return ts.Value(pageKey{}).(*page) }

func setUpPage(env *testscript.Env) error {
	p := &page{work: env.WorkDir, nodes: map[string]*exec.Cmd{}, at: map[string]string{}}
	env.Values[pageKey{}] = p
	env.Setenv("HOME", env.WorkDir)
	t := env.T()
	env.Defer(func() {
		if err := p.cleanUp(); err != nil {
			t.Fatal(err)
		}
	})
	return os.WriteFile(filepath.Join(env.WorkDir, "pass"), []byte("correct horse battery staple\n"), 0o600)
}

// cleanUp leaves neither mounts nor processes behind, whatever the page did.
func (p *page) cleanUp() error {
	p.letGo()
	mounts, err := fusefs.Mounts()
	for _, m := range slices.Backward(mounts) {
		if strings.HasPrefix(m.Dir, p.work+"/") {
			p.continueAll()
			if fusefs.Unmount(m.Dir, false) != nil {
				err = errors.Join(err, fusefs.Unmount(m.Dir, true))
			}
		}
	}
	for _, cmd := range p.nodes {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	}
	for _, cmd := range p.nodes {
		_ = cmd.Wait() // pages that care stop their nodes themselves
	}
	return errors.Join(err, p.endAll())
}

// processes are those that have a path in the page's directory on their command line. Nobody else knows that directory.
func (p *page) processes() (pids []int) {
	lists, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, list := range lists {
		words, err := os.ReadFile(list)
		var pid int
		if _, scan := fmt.Sscanf(list, "/proc/%d/", &pid); err == nil && scan == nil && bytes.Contains(words, []byte(p.work+"/")) {
			pids = append(pids, pid)
		}
	}
	return pids
}

func (p *page) continueAll() {
	for _, pid := range p.processes() {
		_ = unix.Kill(pid, unix.SIGCONT)
	}
}

// endAll waits for the page's processes, and kills what does not end.
func (p *page) endAll() error {
	var err error
	for _, pid := range p.processes() {
		if waitProcess(pid, 20*time.Second, 0) != nil {
			err = errors.Join(err, fmt.Errorf("process %d did not end after its mount was gone", pid))
			err = errors.Join(err, waitProcess(pid, 20*time.Second, unix.SIGKILL))
		}
	}
	return err
}

// waitProcess sends a process a signal (0: none) and waits until it has ended.
func waitProcess(pid int, patience time.Duration, sig unix.Signal) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.PidfdSendSignal(fd, sig, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	for end := time.Now().Add(patience); ; {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(max(0, time.Until(end).Milliseconds())))
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return err
		case n == 0:
			return fmt.Errorf("process %d still runs %v after signal %d", pid, patience, sig)
		default:
			return nil
		}
	}
}

func need(ts *testscript.TestScript, neg bool, args []string, n int, usage string) {
	if neg || len(args) < n {
		ts.Fatalf("usage: %s", usage)
	}
}

func pageNode(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "node NAME DIR [ARG…]")
	p, name := pageOf(ts), args[0]
	listen := p.at[name]
	if listen == "" {
		listen = "127.0.0.1:0"
	}
	cmd := exec.Command("dfsmount", append([]string{"node", "--dir", ts.MkAbs(args[1]), "--listen", listen}, args[2:]...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	cmd.Stderr = ts.Stderr()
	ts.Check(cmd.Start())
	p.nodes[name] = cmd
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		fmt.Fprintln(ts.Stdout(), lines.Text())
		if url := lines.Text(); strings.HasPrefix(url, "https://") {
			_, rest, _ := strings.Cut(url, "@")
			p.at[name], _, _ = strings.Cut(rest, "/")
			ts.Setenv(name, url)
			ts.Setenv(name+"_at", p.at[name])
			go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the process
			return
		}
	}
	ts.Fatalf("node %s printed no URL: %v", name, cmd.Wait())
}

func pageStopNode(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 1, "stopnode NAME")
	p := pageOf(ts)
	cmd := p.nodes[args[0]]
	delete(p.nodes, args[0])
	ts.Check(cmd.Process.Signal(syscall.SIGTERM))
	ts.Check(cmd.Wait())
}

func pageMounted(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, false, args, 1, "[!] mounted DIR")
	m, err := fusefs.FindMount(ts.MkAbs(args[0]))
	if is := err == nil && m.Dir == ts.MkAbs(args[0]); is == neg {
		ts.Fatalf("mounted on %s: %v", args[0], is)
	}
}

// server is the pid of the process that has a volume mounted.
func server(ts *testscript.TestScript, volume string) int {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var report statusReport
	ts.Check(ask(ctx, ts.MkAbs(volume), "status", nil, &report, nil))
	return report.Pid
}

func pageSignal(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "signal NAME VOLUME")
	sig := unix.SignalNum("SIG" + args[0])
	if sig == 0 {
		ts.Fatalf("no signal %s", args[0])
	}
	ts.Check(waitProcess(server(ts, args[1]), time.Minute, sig))
}

func pageFreeze(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 1, "freeze VOLUME")
	ts.Check(unix.Kill(server(ts, args[0]), unix.SIGSTOP))
}

func pageThaw(ts *testscript.TestScript, _ bool, _ []string) { pageOf(ts).continueAll() }

func pageHold(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 1, "hold FILE")
	f, err := os.Open(ts.MkAbs(args[0]))
	ts.Check(err)
	pageOf(ts).held = append(pageOf(ts).held, f)
}

func pageLetGo(ts *testscript.TestScript, _ bool, _ []string) { pageOf(ts).letGo() }

func (p *page) letGo() {
	for _, f := range p.held {
		f.Close()
	}
	p.held = nil
}

func pageFlip(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 1, "flip DIR")
	objects, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "*", "segment", "*"))
	ts.Check(err)
	if len(objects) == 0 {
		ts.Fatalf("no segment below %s", args[0])
	}
	for _, path := range objects {
		b, err := os.ReadFile(path)
		ts.Check(err)
		b[len(b)/2] ^= 1
		ts.Check(os.WriteFile(path, b, 0o600))
	}
	ts.Setenv("OBJECT", filepath.Base(objects[0]))
}
