package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// typeahead is what pageInterrupt types before Ctrl-C.
const typeahead = "half a sec"

func pageInterrupt(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "interrupt REGEXP COMMAND…")
	master, tty, err := openTerminal()
	ts.Check(err)
	defer master.Close()
	defer tty.Close()
	before, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	ts.Check(err)
	path, err := exec.LookPath(args[1])
	ts.Check(err)
	cmd := exec.Command(path, args[2:]...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = ts.MkAbs("."), tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	ts.Check(cmd.Start())
	shown, err := readUntil(master, regexp.MustCompile(args[0]+"$"))
	ts.Check(err)
	_, err = master.WriteString(typeahead + "\x03")
	ts.Check(err)
	more, err := readUntil(master, regexp.MustCompile("dfsmount: interrupted"))
	ts.Check(err)
	_ = cmd.Wait() // its exit code is looked at
	after, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	ts.Check(err)
	switch shown += more; {
	case cmd.ProcessState.ExitCode() != exitInterrupt:
		ts.Fatalf("after Ctrl-C %v ended with %v, want exit code %d: %s", args[1:], cmd.ProcessState, exitInterrupt, shown)
	case strings.Contains(shown, typeahead):
		ts.Fatalf("what is typed is shown: %q", shown)
	case *after != *before:
		ts.Fatalf("the terminal is not as it was: %+v, want %+v", after, before)
	}
}

func readUntil(master *os.File, want *regexp.Regexp) (string, error) {
	if err := master.SetReadDeadline(time.Now().Add(untilPatience)); err != nil {
		return "", err
	}
	var seen []byte
	for buf := make([]byte, 4096); !want.Match(seen); {
		n, err := master.Read(buf)
		seen = append(seen, buf[:n]...)
		if err != nil {
			return "", fmt.Errorf("wait for %q after %q: %w", want, seen, err)
		}
	}
	return string(seen), nil
}

func openTerminal() (master, tty *os.File, err error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	master = os.NewFile(uintptr(fd), "terminal")
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return nil, nil, err
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		return nil, nil, err
	}
	tty, err = os.OpenFile(filepath.Join("/dev/pts", fmt.Sprint(number)), os.O_RDWR|unix.O_NOCTTY, 0)
	return master, tty, err
}
