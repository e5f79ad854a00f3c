package fusefs

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"dfsmount/internal/testenv"
)

// fillFiles is how many files the question "fill" makes.
const fillFiles = 20000

// errFault is a fault, not an answer.
var errFault = errors.New("the disk says no")

var roles = map[string]func(*testenv.Child) (*testenv.Live, error){"ram": serveRAM, "volume": serveVolume}

func TestMain(m *testing.M) {
	if role := testenv.Role(); role != nil {
		os.Exit(role.Run(roles[role.Name]))
	}
	os.Exit(m.Run())
}

// serveRAM mounts a ramFS: args are the directory and options.
func serveRAM(c *testenv.Child) (*testenv.Live, error) {
	if err := Prepare(); err != nil {
		return nil, err
	}
	ram := newRAMFS()
	s, err := mount(ram, c.Args[0], childOptions(c.Args[1:]))
	if err != nil {
		return nil, err
	}
	return &testenv.Live{
		Serve:  s.Serve,
		Detach: s.Detach,
		Answer: func(q string) string { return answerRAM(ram, s, q) },
	}, nil
}

func childOptions(args []string) Options {
	o := Options{FSName: "/var/lib/a volume, with\\signs"}
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		switch key {
		case "loop":
			o.Loop = value
		case "writethrough":
			o.WriteThrough = true
		case "ro":
			o.ReadOnly = true
		case "dev":
			o.Dev = true
		case "nopoll":
			o.NoPoll = true
		case "debug":
			o.Debug = true
		case "allow_other":
			o.AllowOther = true
		case "owner":
			o.OwnerOnly = true
		default:
			panic("unknown option of a test mount: " + arg)
		}
	}
	return o
}

func answerRAM(ram *ramFS, s *Server, question string) string {
	switch question {
	case "refs":
		ram.mu.Lock()
		defer ram.mu.Unlock()
		return strconv.FormatUint(ram.refsLocked(), 10)
	case "no refs": // waits until the kernel gave all back
		return fmt.Sprint(ram.await(func() bool { return ram.refsLocked() == 0 }))
	case "reading": // waits for a slow read to begin
		return fmt.Sprint(ram.await(func() bool { return ram.slow > 0 }))
	case "interrupted": // waits for a read to be
		return fmt.Sprint(ram.await(func() bool { return ram.broken > 0 }))
	case "inodes":
		return strconv.Itoa(ram.count())
	case "synced":
		ram.mu.Lock()
		defer ram.mu.Unlock()
		return strconv.Itoa(ram.synced)
	case "release":
		close(ram.block)
		return "ok"
	case "fill":
		ram.fill(fillFiles)
		return "ok"
	case "warnings":
		return strings.Join(s.Warnings(), "; ")
	}
	return fmt.Sprintf("what is %q?", question)
}

// loops runs a test once with each serving loop.
func loops(t *testing.T, test func(t *testing.T, loop string)) {
	for _, loop := range []string{LoopLibrary, LoopOwn} {
		t.Run(loop, func(t *testing.T) { test(t, loop) })
	}
}

func startRAM(t *testing.T, loop string, options ...string) *testenv.Mount {
	t.Helper()
	testenv.NeedFUSE(t)
	dir := t.TempDir()
	return testenv.StartMount(t, dir, "ram", append([]string{dir, "loop=" + loop}, options...)...)
}
