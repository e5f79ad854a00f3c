package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dfsmount/integration/harness"
	"dfsmount/internal/testenv"
)

// Real applications on a mount, in apps_*_test.go. Each is judged by its own check (git fsck, PRAGMA integrity_check, fio's checksums), and what it made by
// comparison with the same on a directory of this machine.

// app is a volume on a mount, and a way to run programs there.
type app struct {
	t    *testing.T
	w    *harness.World
	v    *harness.Volume
	m    *harness.Mount
	with []string // mount options
	env  []string // of the programs
}

// packageOf names the Debian package of a tool, where it has another name.
var packageOf = map[string]string{"setfattr": "attr", "getfattr": "attr", "setfacl": "acl", "getfacl": "acl"}

// newApp mounts an empty volume, if the tools are there.
func newApp(t *testing.T, tools []string, with ...string) *app {
	t.Helper()
	testenv.NeedFUSE(t)
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			name := packageOf[tool]
			if name == "" {
				name = tool
			}
			testenv.Skip(t, fmt.Sprintf("%s is missing: install the package %s (scripts/deps apps)", tool, name))
		}
	}
	w := harness.New(t)
	a := &app{t: t, w: w, v: w.Init("v", 1, w.Node("n1").URL), with: with}
	home := w.Path("home", "x")
	a.env = append(os.Environ(), "HOME="+filepath.Dir(home), "LC_ALL=C.UTF-8", "TERM=dumb", "GIT_CONFIG_NOSYSTEM=1", "MAKEFLAGS=", "MAKELEVEL=")
	a.m = a.v.Mount(with...)
	return a
}

// on is a path on the mount.
func (a *app) on(elem ...string) string { return filepath.Join(append([]string{a.m.Dir}, elem...)...) }

// remount unmounts and mounts again: what the kernel and the process knew is gone.
func (a *app) remount() {
	a.t.Helper()
	a.m.Unmount()
	a.m = a.v.Mount(a.with...)
}

// command is a program, not started. It ends with the test.
func (a *app) command(dir, name string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	a.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, a.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// try runs a program and returns what it printed on both outputs.
func (a *app) try(dir, name string, args ...string) (string, error) {
	out, err := a.command(dir, name, args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// must is try for what has to succeed.
func (a *app) must(dir, name string, args ...string) string {
	a.t.Helper()
	out, err := a.try(dir, name, args...)
	if err != nil {
		a.t.Fatalf("%s %s: %v\n%s\nlog of the mount:\n%s", name, strings.Join(args, " "), err, out, a.m.Log())
	}
	return out
}

// finish unmounts, and checks the volume.
func (a *app) finish() {
	a.t.Helper()
	a.m.Unmount()
	a.v.Check()
}

// write makes a file, and the directories above it.
func (a *app) write(path, content string) {
	a.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		a.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		a.t.Fatal(err)
	}
}

func (a *app) read(path string) string {
	a.t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		a.t.Fatal(err)
	}
	return string(b)
}
