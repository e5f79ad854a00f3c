package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// The test binary is also the program itself, and two small ones that pages use around others.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"dfsmount": main, "exits": exits, "until": until})
}

// exits runs `exits CODE COMMAND…`: it succeeds if the command ends with exactly that exit code. Signals go through to the command.
func exits() {
	want, err := strconv.Atoi(os.Args[1])
	if err != nil {
		refuse("exits: %v", err)
	}
	cmd := exec.Command(os.Args[2], os.Args[3:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if err := cmd.Start(); err != nil {
		refuse("exits: %v", err)
	}
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s) // it may have ended
		}
	}()
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		refuse("exits: %v", err)
	}
	if got := cmd.ProcessState.ExitCode(); got != want {
		refuse("exits: %v ended with %v, want exit code %d", os.Args[2:], cmd.ProcessState, want)
	}
}

// untilPatience is used up by failures only.
const untilPatience = time.Minute

// until runs `until REGEXP COMMAND…` again and again until what the command prints matches.
func until() {
	want, err := regexp.Compile("(?m)" + os.Args[1])
	if err != nil {
		refuse("until: %v", err)
	}
	var out []byte
	tick := time.NewTicker(50 * time.Millisecond)
	for end := time.After(untilPatience); ; {
		out, _ = exec.Command(os.Args[2], os.Args[3:]...).CombinedOutput() // what it prints decides
		if want.Match(out) {
			fmt.Print(string(out))
			return
		}
		select {
		case <-tick.C:
		case <-end:
			refuse("until: no %q from %v in %v; the last was:\n%s", want, os.Args[2:], untilPatience, bytes.TrimSpace(out))
		}
	}
}

func refuse(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}
