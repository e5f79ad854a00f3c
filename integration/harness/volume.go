package harness

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"sort"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Volume is a volume's own directory.
type Volume struct {
	Dir string
	w   *World
}

// Init makes a volume that keeps copies copies on the nodes with these URLs.
func (w *World) Init(name string, copies int, urls ...string) *Volume {
	w.t.Helper()
	v := &Volume{Dir: w.Path(name), w: w}
	args := []string{"init", v.Dir, "--passphrase-file", w.Passphrase}
	if len(urls) > 0 {
		args = append(args, "--copies", fmt.Sprint(copies))
	}
	for _, url := range urls {
		args = append(args, "--node", url)
	}
	w.Must(args...)
	return v
}

// Clone has the volume of a node in a new directory.
func (w *World) Clone(name, url string) *Volume {
	w.t.Helper()
	v := &Volume{Dir: w.Path(name), w: w}
	w.Must("clone", url, v.Dir, "--passphrase-file", w.Passphrase)
	return v
}

// TryClone is Clone for a node that may be unable to.
func (w *World) TryClone(name, url string) Result {
	w.t.Helper()
	return w.Run("clone", url, w.Path(name), "--passphrase-file", w.Passphrase)
}

// Opened is a volume made by other means than Init and Clone.
func (w *World) Opened(name string) *Volume { return &Volume{Dir: w.Path(name), w: w} }

// Check runs `dfsmount check`, which has to find nothing wrong.
func (v *Volume) Check(args ...string) {
	v.w.t.Helper()
	if r := v.w.Run(append([]string{"check", v.Dir, "--passphrase-file", v.w.Passphrase}, args...)...); r.Code != 0 {
		v.w.t.Errorf("check of %s: %v", v.Dir, r)
	}
}

// Status is the part of `dfsmount status --json` that tests look at.
type Status struct {
	Replication struct {
		Copies int
		Safe   bool
		Unsafe int64 `json:"unsafe_bytes"`
		Nodes  []NodeStatus
	}
}

// NodeStatus is one node in Status.
type NodeStatus struct {
	Name, URL, State string
	Behind           int64  `json:"behind_bytes"`
	LastError        string `json:"last_error"`
}

// Node finds a node's status by the address in its URL.
func (s Status) Node(address string) NodeStatus {
	for _, n := range s.Replication.Nodes {
		if strings.Contains(n.URL, address) {
			return n
		}
	}
	return NodeStatus{}
}

// Status asks for the volume's status; "not safe yet" is an answer too.
func (v *Volume) Status() (s Status) {
	v.w.t.Helper()
	const unsafe = 8
	r := v.w.Run("status", v.Dir, "--json")
	if r.Code != 0 && r.Code != unsafe {
		v.w.t.Fatalf("status: %v", r)
	}
	if err := json.Unmarshal([]byte(r.Out), &s); err != nil {
		v.w.t.Fatalf("status --json: %v: %s", err, r.Out)
	}
	return s
}

// Mount is a mounted volume, served by a process of its own.
type Mount struct {
	Dir string // the mount point
	w   *World
	p   *process
}

// Mount mounts the volume and returns once that is live. It is unmounted when the test ends.
func (v *Volume) Mount(options ...string) *Mount {
	v.w.t.Helper()
	m := v.StartMount(options...)
	m.AwaitLive()
	return m
}

// StartMount starts the process that mounts, and does not wait for it.
func (v *Volume) StartMount(options ...string) *Mount {
	v.w.t.Helper()
	m := &Mount{Dir: v.Dir + ".mnt", w: v.w}
	if err := os.Mkdir(m.Dir, 0o755); err != nil && !os.IsExist(err) { // a dead mount exists, and cannot be looked at
		v.w.t.Fatal(err)
	}
	args := []string{"mount", v.Dir, m.Dir, "-f", "--passphrase-file", v.w.Passphrase}
	if len(options) > 0 {
		args = append(args, "-o", strings.Join(options, ","))
	}
	m.p = v.w.start("mount of "+v.Dir, args...)
	v.w.t.Cleanup(m.cleanup)
	return m
}

// AwaitLive returns when the mount is live.
func (m *Mount) AwaitLive() {
	m.w.t.Helper()
	if _, ok := m.p.await(func(line string) bool { return strings.HasPrefix(line, "mounted on ") }); !ok {
		m.w.t.Fatalf("%s ended before it was live: %v: %s", m.p.name, m.p.err, m.p.errs.text())
	}
}

// PID is that of the process that serves it.
func (m *Mount) PID() int { return m.p.cmd.Process.Pid }

// Log is what the process wrote to standard error.
func (m *Mount) Log() string { return m.p.errs.text() }

// Kill ends the process as a crash would. The mount stays behind, dead; the next Mount of the volume replaces it.
func (m *Mount) Kill() { m.p.kill() }

// Detach takes a mount away whose process was killed, as the program's own hint says.
func (m *Mount) Detach() {
	m.w.t.Helper()
	m.w.Must("umount", "--lazy", m.Dir)
}

// Unmount unmounts by `dfsmount umount` and waits until the process has ended well.
func (m *Mount) Unmount(args ...string) Result {
	m.w.t.Helper()
	r := m.w.Run(append([]string{"umount", m.Dir}, args...)...)
	if r.Code != 0 {
		m.w.t.Fatalf("umount: %v\n%s", r, m.Log())
	}
	if err := m.p.wait(); err != nil {
		m.w.t.Errorf("%s ended with %v: %s", m.p.name, err, m.Log())
	}
	return r
}

// Terminate sends SIGTERM and waits until the process has ended well.
func (m *Mount) Terminate() {
	m.w.t.Helper()
	if err := m.p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		m.w.t.Fatal(err)
	}
	if err := m.p.wait(); err != nil {
		m.w.t.Errorf("%s ended with %v: %s", m.p.name, err, m.Log())
	}
}

// Sync runs `dfsmount sync` with the given arguments; it has to succeed.
func (m *Mount) Sync(args ...string) {
	m.w.t.Helper()
	m.w.Must(append([]string{"sync", m.Dir, "--timeout", "1m"}, args...)...)
}

func (m *Mount) cleanup() {
	if m.p.running() {
		_ = m.p.cmd.Process.Signal(syscall.SIGTERM)
		for range mountsAt(m.Dir) {
			if unix.Unmount(m.Dir, 0) != nil {
				_ = lazyUnmount(m.Dir)
			}
		}
		if err := m.p.wait(); err != nil && !m.w.t.Failed() {
			m.w.t.Errorf("%s ended with %v: %s", m.p.name, err, m.Log())
		}
	}
	for range mountsAt(m.Dir) {
		if err := lazyUnmount(m.Dir); err != nil {
			m.w.t.Errorf("unmount %s: %v", m.Dir, err)
		}
	}
	if m.w.t.Failed() && testing.Verbose() {
		m.w.t.Logf("log of %s:\n%s", m.p.name, m.Log())
	}
}

func lazyUnmount(dir string) error {
	if os.Geteuid() == 0 {
		return unix.Unmount(dir, unix.MNT_DETACH)
	}
	return exec.Command("fusermount3", "-uz", "--", dir).Run()
}

// mountsBelow lists mount points below dir, deepest first, from the kernel's list: touching a dead mount tells nothing.
func mountsBelow(dir string) (list []string) {
	b, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && strings.HasPrefix(f[1], dir+"/") {
			list = append(list, f[1])
		}
	}
	sort.Sort(sort.Reverse(sort.StringSlice(list)))
	return list
}

func mountsAt(dir string) (list []string) {
	for _, m := range mountsBelow(strings.TrimSuffix(dir, "/"+baseName(dir))) {
		if m == dir {
			list = append(list, m)
		}
	}
	return list
}

func baseName(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
