package passphrase

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal is a pseudo-terminal: a person types at master, and Ask reads tty.
type terminal struct {
	t           *testing.T
	master, tty *os.File
	seen        string // all the person saw
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	var n int
	control(t, master, func(fd int) (err error) {
		if err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err == nil {
			n, err = unix.IoctlGetInt(fd, unix.TIOCGPTN)
		}
		return err
	})
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	return &terminal{t: t, master: master, tty: tty}
}

func control(t *testing.T, f *os.File, do func(fd int) error) {
	t.Helper()
	conn, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if e := conn.Control(func(fd uintptr) { err = do(int(fd)) }); e != nil || err != nil {
		t.Fatal(errors.Join(e, err))
	}
}

// settings are the modes of the terminal, as text.
func (x *terminal) settings() (s string) {
	control(x.t, x.tty, func(fd int) error {
		t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		s = fmt.Sprintf("%+v", t)
		return err
	})
	return s
}

// waitFor reads what the terminal shows until it ends in text.
func (x *terminal) waitFor(text string) {
	x.t.Helper()
	b := make([]byte, 256)
	for !strings.HasSuffix(x.seen, text) {
		n, err := x.master.Read(b)
		if err != nil {
			x.t.Fatalf("wait for %q after %q: %v", text, x.seen, err)
		}
		x.seen += string(b[:n])
	}
}

func (x *terminal) typeIn(text string) {
	x.t.Helper()
	if _, err := x.master.WriteString(text); err != nil {
		x.t.Fatal(err)
	}
}

type answer struct {
	passphrase []byte
	err        error
}

func (x *terminal) ask(ctx context.Context, r Request) <-chan answer {
	c := make(chan answer, 1)
	go func() {
		p, err := Ask(ctx, x.tty, r)
		c <- answer{p, err}
	}()
	return c
}

func TestAsk(t *testing.T) {
	x := newTerminal(t)
	before := x.settings()
	got := x.ask(t.Context(), Request{Prompt: "Passphrase: "})
	x.waitFor("Passphrase: ")
	x.typeIn(" correct horsx\x7fe \n")
	if a := <-got; a.err != nil || string(a.passphrase) != " correct horse " {
		t.Fatalf("%q, error %v", a.passphrase, a.err)
	}
	x.waitFor("\n")
	if strings.Contains(x.seen, "corr") {
		t.Errorf("the terminal showed it: %q", x.seen)
	}
	if after := x.settings(); after != before {
		t.Errorf("terminal before: %s\nafter: %s", before, after)
	}
}

func TestAskTwice(t *testing.T) {
	x := newTerminal(t)
	got := x.ask(t.Context(), Request{Prompt: "New: ", New: true})
	for _, typed := range [][2]string{{"one", "two"}, {"one", ""}, {"three", "three"}} {
		x.waitFor("New: ")
		x.typeIn(typed[0] + "\n")
		x.waitFor("again: ")
		x.typeIn(typed[1] + "\n")
	}
	if a := <-got; a.err != nil || string(a.passphrase) != "three" {
		t.Fatalf("%q, error %v", a.passphrase, a.err)
	}
}

func TestAskTwiceNeverTheSame(t *testing.T) {
	x := newTerminal(t)
	got := x.ask(t.Context(), Request{Prompt: "New: ", New: true})
	for range attempts {
		x.waitFor("New: ")
		x.typeIn("one\n")
		x.waitFor("again: ")
		x.typeIn("two\n")
	}
	if a := <-got; !errors.Is(a.err, ErrMismatch) || a.passphrase != nil {
		t.Fatalf("error %v", a.err)
	}
}

func TestAskEmpty(t *testing.T) {
	x := newTerminal(t)
	for _, typed := range []string{"\n", "\x04"} { // ^D ends the input
		got := x.ask(t.Context(), Request{Prompt: "Passphrase: ", New: true})
		x.waitFor("Passphrase: ")
		x.typeIn(typed)
		if a := <-got; !errors.Is(a.err, ErrEmpty) || a.passphrase != nil {
			t.Errorf("%q typed: error %v", typed, a.err)
		}
	}
}

// TestAskInterrupted ends a prompt half answered, in each way, and looks at what is left: nothing.
func TestAskInterrupted(t *testing.T) {
	signal := func(s unix.Signal) func(*terminal, func()) {
		return func(x *terminal, _ func()) {
			if err := unix.Kill(os.Getpid(), s); err != nil {
				x.t.Fatal(err)
			}
		}
	}
	for what, interrupt := range map[string]func(x *terminal, cancel func()){
		"SIGINT":  signal(unix.SIGINT),
		"SIGTERM": signal(unix.SIGTERM),
		"SIGHUP":  signal(unix.SIGHUP),
		"context": func(_ *terminal, cancel func()) { cancel() },
	} {
		t.Run(what, func(t *testing.T) {
			x := newTerminal(t)
			before := x.settings()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			got := x.ask(ctx, Request{Prompt: "Passphrase: "})
			x.waitFor("Passphrase: ")
			x.typeIn("correct ho")
			interrupt(x, cancel)
			if a := <-got; !errors.Is(a.err, ErrInterrupted) || a.passphrase != nil {
				t.Fatalf("error %v", a.err)
			}
			if after := x.settings(); after != before {
				t.Errorf("terminal before: %s\nafter: %s", before, after)
			}
			// Half a passphrase must not be read by whoever comes next.
			got = x.ask(t.Context(), Request{Prompt: "Once more: "})
			x.waitFor("Once more: ")
			x.typeIn("next\n")
			if a := <-got; a.err != nil || string(a.passphrase) != "next" {
				t.Errorf("afterwards %q, error %v", a.passphrase, a.err)
			}
		})
	}
}

func TestAskNoTerminal(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if _, err := Ask(t.Context(), r, Request{}); !errors.Is(err, ErrNoTerminal) {
		t.Errorf("error %v", err)
	}
}
