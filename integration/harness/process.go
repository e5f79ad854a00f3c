package harness

import (
	"bytes"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a long-running dfsmount.
type process struct {
	t    testing.TB
	name string
	cmd  *exec.Cmd
	out  output
	errs output
	done chan struct{} // closed when it has ended
	err  error         // how; read after done
}

// mortal makes a child end in order when the test binary dies without its cleanups (a timeout, Ctrl-C).
func mortal() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} }

func (w *World) start(name string, args ...string) *process {
	w.t.Helper()
	p := &process{t: w.t, name: name, cmd: exec.Command(w.program, args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.Dir = &p.out, &p.errs, "/"
	p.cmd.SysProcAttr = mortal()
	if err := p.cmd.Start(); err != nil {
		w.t.Fatalf("start %s: %v", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		p.out.end()
		p.errs.end()
		close(p.done)
	}()
	return p
}

// await waits for a line of standard output and returns it; false if the process ends first.
func (p *process) await(match func(line string) bool) (line string, ok bool) {
	p.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		text, more := p.out.read()
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); match(line) {
				return line, true
			}
		}
		if more == nil {
			return "", false
		}
		select {
		case <-more:
		case <-deadline.C:
			p.t.Fatalf("%s says nothing of what was expected: %s%s", p.name, text, p.errs.text())
		}
	}
}

// kill ends it as a crash would.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.done
}

// wait waits for its end.
func (p *process) wait() error {
	p.t.Helper()
	select {
	case <-p.done:
		return p.err
	case <-time.After(patience):
		p.t.Fatalf("%s (pid %d) does not end: %s", p.name, p.cmd.Process.Pid, p.errs.text())
		return nil
	}
}

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// output keeps what a process prints and tells who waits for more.
type output struct {
	mu    sync.Mutex
	buf   bytes.Buffer
	more  chan struct{} // closed at the next write
	ended bool
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.wakeLocked()
	return o.buf.Write(b)
}

func (o *output) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	o.wakeLocked()
}

func (o *output) wakeLocked() {
	if o.more != nil {
		close(o.more)
		o.more = nil
	}
}

// read returns everything so far, and a channel that is closed when there may be more; nil if there will never be.
func (o *output) read() (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return o.buf.String(), nil
	}
	if o.more == nil {
		o.more = make(chan struct{})
	}
	return o.buf.String(), o.more
}

func (o *output) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
