package testenv

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// mountLife bounds a mount's life, so that a test that hangs in it fails instead of hanging: when its process dies every operation ends.
const mountLife = 2 * time.Minute

// Mount is a filesystem on Dir that another process serves.
type Mount struct {
	Dir string

	t      testing.TB
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	lines  *bufio.Scanner
	exited chan struct{}
	err    error // of the process; read after exited
}

// PlainUser is a user without rights for tests that root runs: nobody, as most systems number it.
const PlainUser = 65534

// StartMountAs is StartMount for root's tests of what a plain user may do. dir belongs to user afterwards; without allow_other nobody else may enter
// the mount, root included.
func StartMountAs(t testing.TB, user uint32, dir, role string, args ...string) (*Mount, error) {
	t.Helper()
	program := filepath.Join(PublicDir(t), "test") // go test's own directories are closed to others
	if err := copyProgram(os.Args[0], program); err != nil {
		return nil, err
	}
	if err := os.Chown(dir, int(user), int(user)); err != nil {
		return nil, err
	}
	return launch(t, dir, role, args, func(ctx context.Context) *exec.Cmd {
		cmd := exec.CommandContext(ctx, program)
		cmd.SysProcAttr = AsUser(user)
		return cmd
	})
}

// AsUser makes a command run as a user without supplementary groups.
func AsUser(user uint32) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
}

// PublicDir is t.TempDir for other users too.
func PublicDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "public")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func copyProgram(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o755)
}

// StartMount starts this test binary again as role, with args, and returns when it said that its mount on dir is live. The mount is gone, and the
// process too, when the test ends.
func StartMount(t testing.TB, dir, role string, args ...string) *Mount {
	t.Helper()
	m, err := TryMount(t, dir, role, args...)
	if err != nil {
		t.Fatalf("start mount: %v", err)
	}
	return m
}

// TryMount is StartMount for a test that expects the mount to fail.
func TryMount(t testing.TB, dir, role string, args ...string) (*Mount, error) {
	t.Helper()
	return launch(t, dir, role, args, func(ctx context.Context) *exec.Cmd { return exec.CommandContext(ctx, os.Args[0]) })
}

func launch(t testing.TB, dir, role string, args []string, command func(context.Context) *exec.Cmd) (*Mount, error) {
	ctx, cancel := context.WithTimeout(context.Background(), mountLife)
	cmd := command(ctx)
	cmd.Env = append(os.Environ(), roleVar+"="+role, argsVar+"="+strings.Join(args, "\x1f"), quickExit())
	cmd.Stderr = os.Stderr
	stdin, errIn := cmd.StdinPipe()
	stdout, errOut := cmd.StdoutPipe()
	if err := errors.Join(errIn, errOut, cmd.Start()); err != nil {
		cancel()
		return nil, err
	}
	m := &Mount{Dir: dir, t: t, cmd: cmd, stdin: stdin, lines: bufio.NewScanner(stdout), exited: make(chan struct{})}
	line := m.readLine()
	if line == "live" {
		go m.reap(cancel)
		t.Cleanup(m.cleanup)
		return m, nil
	}
	m.reap(cancel)
	return nil, errors.New(strings.TrimPrefix(line, "error "))
}

// quickExit spares the second that the race detector waits at a process's end.
func quickExit() string {
	return strings.TrimSpace("GORACE=" + os.Getenv("GORACE") + " atexit_sleep_ms=10")
}

func (m *Mount) reap(cancel func()) {
	m.err = m.cmd.Wait()
	cancel()
	close(m.exited)
}

func (m *Mount) readLine() string {
	if m.lines.Scan() {
		return m.lines.Text()
	}
	return "the process ended without a word"
}

// PID is that of the serving process.
func (m *Mount) PID() int { return m.cmd.Process.Pid }

// Ask sends one line to the serving process and returns its answer.
func (m *Mount) Ask(question string) string {
	m.t.Helper()
	if _, err := io.WriteString(m.stdin, question+"\n"); err != nil {
		m.t.Fatalf("ask the mount's process: %v", err)
	}
	answer, ok := strings.CutPrefix(m.readLine(), "answer ")
	if !ok {
		m.t.Fatalf("ask the mount's process %q: no answer", question)
	}
	return answer
}

// Kill ends the serving process as a crash would; the mount stays behind, dead.
func (m *Mount) Kill() {
	m.cmd.Process.Kill()
	<-m.exited
}

// Wait returns when the serving process has ended, with its error.
func (m *Mount) Wait() error {
	<-m.exited
	return m.err
}

// Unmount unmounts from here, as umount(8) would, and waits until the serving process has ended well.
func (m *Mount) Unmount() {
	m.t.Helper()
	if err := unmount(m.Dir, false); err != nil {
		m.t.Fatalf("unmount %s: %v", m.Dir, err)
	}
	if err := m.Wait(); err != nil {
		m.t.Errorf("the process of mount %s: %v", m.Dir, err)
	}
}

// cleanup leaves neither mount nor process behind, whatever the test did.
func (m *Mount) cleanup() {
	defer m.stdin.Close()
	select {
	case <-m.exited:
		unmount(m.Dir, true) // a mount that died; if there is none, so much the better
		return
	default:
	}
	if unmount(m.Dir, false) != nil {
		unmount(m.Dir, true)
	}
	select {
	case <-m.exited:
	case <-time.After(10 * time.Second): // something holds the detached mount open
		m.t.Errorf("the process of mount %s did not end after unmounting", m.Dir)
		m.Kill()
	}
}

// A process of somebody else that looks at all mounts (df, a systemd) keeps one busy for a moment: unmount asks again until it is over.
func unmount(dir string, lazy bool) error {
	deadline := time.Now().Add(5 * time.Second)
	for {
		err := unmountOnce(dir, lazy)
		if !errors.Is(err, syscall.EBUSY) || time.Now().After(deadline) {
			return err
		}
		<-time.After(20 * time.Millisecond)
	}
}

func unmountOnce(dir string, lazy bool) error {
	if os.Geteuid() == 0 {
		flags := 0
		if lazy {
			flags = syscall.MNT_DETACH
		}
		return syscall.Unmount(dir, flags)
	}
	args := []string{"-u"}
	if lazy {
		args = append(args, "-z")
	}
	return exec.Command("fusermount3", append(args, "--", dir)...).Run()
}
