package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long anything may take that should be there at once: generous, for it is only ever used up by a failure.
const patience = 2 * time.Minute

// Program is the path of the dfsmount under test.
func Program(t testing.TB) string {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatalf("build dfsmount: %v", err)
	}
	return path
}

var program = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("DFSMOUNT_BIN"); path != "" {
		return filepath.Abs(path)
	}
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, "bin", "test", "dfsmount")
	cmd := exec.Command("go", "build", "-o", path, "./cmd/dfsmount")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("no go.mod above the working directory")
		}
	}
}

// World is where one test happens: a directory for everything, and a passphrase.
type World struct {
	Dir        string
	Passphrase string // file that holds it

	t       testing.TB
	program string
}

// New makes a world that ends with the test. Its path is short, as sockets want it.
func New(t testing.TB) *World {
	t.Helper()
	dir, err := os.MkdirTemp("", "dfs")
	if err != nil {
		t.Fatal(err)
	}
	w := &World{Dir: dir, Passphrase: filepath.Join(dir, "passphrase"), t: t, program: Program(t)}
	t.Cleanup(func() { w.remove() })
	if err := os.WriteFile(w.Passphrase, []byte("correct horse battery staple\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return w
}

// remove never descends into a mount: it would delete what is in it.
func (w *World) remove() {
	for _, dir := range mountsBelow(w.Dir) {
		w.t.Errorf("%s was left mounted", dir)
		if err := lazyUnmount(dir); err != nil {
			w.t.Errorf("unmount %s: %v; %s is kept", dir, err, w.Dir)
			return
		}
	}
	if err := os.RemoveAll(w.Dir); err != nil {
		w.t.Error(err)
	}
}

// Path names something in the world; missing directories above it are made.
func (w *World) Path(elem ...string) string {
	w.t.Helper()
	path := filepath.Join(append([]string{w.Dir}, elem...)...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// Result is how a command ended.
type Result struct {
	Code     int
	Out, Err string
}

func (r Result) String() string {
	return fmt.Sprintf("exit code %d, stdout %q, stderr %q", r.Code, r.Out, r.Err)
}

// Run runs dfsmount to its end.
func (w *World) Run(args ...string) Result {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var out, errs strings.Builder
	cmd := exec.CommandContext(ctx, w.program, args...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = &out, &errs, "/"
	cmd.SysProcAttr = mortal()
	err := cmd.Run()
	if ctx.Err() != nil {
		w.t.Fatalf("dfsmount %s did not end in %v: %s%s", strings.Join(args, " "), patience, out.String(), errs.String())
	}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		w.t.Fatalf("dfsmount %s: %v", strings.Join(args, " "), err)
	}
	return Result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// Must runs dfsmount, which has to succeed, and returns what it printed.
func (w *World) Must(args ...string) string {
	w.t.Helper()
	r := w.Run(args...)
	if r.Code != 0 {
		w.t.Fatalf("dfsmount %s: %v", strings.Join(args, " "), r)
	}
	return r.Out
}

// Await asks until it is so.
func (w *World) Await(what string, so func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		if time.Now().After(deadline) {
			w.t.Fatalf("not within %v: %s", patience, what)
		}
		<-tick.C
	}
}
