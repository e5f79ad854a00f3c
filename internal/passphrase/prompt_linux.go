package passphrase

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// attempts is how often a new passphrase may be typed in two ways before we give up.
const attempts = 3

// Ask asks at the terminal tty, without echo; a new passphrase twice, until both are the same. tty must come from os.Open or os.OpenFile, so
// that reading it can be ended, and be a terminal, else ErrNoTerminal. Its state is restored in every case.
//
// NB: term.ReadPassword blocks in read(2) and cannot be ended: after SIGINT the terminal would stay without echo, or a goroutine
// would be left to swallow the next line typed.
func Ask(ctx context.Context, tty *os.File, r Request) ([]byte, error) {
	for range attempts {
		first, err := askOnce(ctx, tty, r.Prompt)
		if err != nil || !r.New {
			return first, err
		}
		second, err := askOnce(ctx, tty, "The same again: ")
		if err != nil && !errors.Is(err, ErrEmpty) {
			clear(first)
			return nil, err
		}
		same := subtle.ConstantTimeCompare(first, second) == 1
		clear(second)
		if same {
			return first, nil
		}
		clear(first)
		fmt.Fprintln(tty, "These were not the same.")
	}
	return nil, ErrMismatch
}

// askOnce shows prompt and reads a line that the terminal does not show.
func askOnce(ctx context.Context, tty *os.File, prompt string) (line []byte, err error) {
	ctx, stop := signal.NotifyContext(ctx, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT)
	defer stop()
	restore, err := echoOff(tty)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, restore()) }()
	if err := tty.SetReadDeadline(time.Time{}); err != nil {
		return nil, fmt.Errorf("ask for the passphrase: %w", err)
	}
	// A deadline in the past ends a read that waits.
	ended := context.AfterFunc(ctx, func() { _ = tty.SetReadDeadline(time.Unix(1, 0)) })
	defer ended()
	if _, err := fmt.Fprint(tty, prompt); err != nil {
		return nil, fmt.Errorf("ask for the passphrase: %w", err)
	}
	b, err := readLine(tty)
	fmt.Fprintln(tty) // the newline typed was not shown either
	if ctx.Err() != nil {
		clear(b)
		return nil, errors.Join(interrupted(ctx), dropInput(tty))
	}
	if err != nil {
		return nil, fmt.Errorf("read passphrase: %w", err)
	}
	return accept(b)
}

// dropInput forgets what was typed and not read: the shell must not get half a passphrase for a command.
func dropInput(tty *os.File) error {
	conn, err := tty.SyscallConn()
	if err != nil {
		return err
	}
	if e := conn.Control(func(fd uintptr) { err = unix.IoctlSetInt(int(fd), unix.TCFLSH, unix.TCIFLUSH) }); e != nil {
		return e
	}
	return err
}

// interrupted is the error of a prompt whose context has ended, by a signal or by the caller.
func interrupted(ctx context.Context) error {
	return fmt.Errorf("%w: %w", ErrInterrupted, context.Cause(ctx))
}

// echoOff makes the terminal show nothing of what is typed, and returns what undoes that.
func echoOff(tty *os.File) (restore func() error, err error) {
	conn, err := tty.SyscallConn() // not tty.Fd(), after which reads could not be ended any more
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrNoTerminal, err)
	}
	var before *term.State
	if e := conn.Control(func(fd uintptr) { before, err = term.GetState(int(fd)) }); e != nil || err != nil {
		return nil, fmt.Errorf("%w: %v", ErrNoTerminal, errors.Join(e, err))
	}
	restore = func() (err error) {
		e := conn.Control(func(fd uintptr) { err = term.Restore(int(fd), before) })
		if err := errors.Join(e, err); err != nil {
			return fmt.Errorf("restore the terminal: %w", err)
		}
		return nil
	}
	if e := conn.Control(func(fd uintptr) { err = setEchoOff(int(fd)) }); e != nil || err != nil {
		return nil, errors.Join(fmt.Errorf("turn the echo of the terminal off: %w", errors.Join(e, err)), restore())
	}
	return restore, nil
}

// setEchoOff keeps lines and signals as people know them: backspace, ^U, ^C.
func setEchoOff(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Lflag &^= unix.ECHO
	t.Lflag |= unix.ICANON | unix.ISIG
	t.Iflag |= unix.ICRNL
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}
