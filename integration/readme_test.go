package integration

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"dfsmount/integration/harness"
	"dfsmount/internal/testenv"

	"golang.org/x/sys/unix"
)

var shellBlock = regexp.MustCompile("(?ms)^(<!-- run -->\n)?```sh\n(.*?)^```")

// readme returns the shell blocks of the README; those to be run are marked <!-- run --> in the line above.
func readme(t *testing.T) (run, all []string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range shellBlock.FindAllStringSubmatch(string(b), -1) {
		all = append(all, m[2])
		if m[1] != "" {
			run = append(run, m[2])
		}
	}
	return run, all
}

// The README's own steps work, typed at a terminal by somebody who has a home directory and the program in the path.
func TestREADMESteps(t *testing.T) {
	testenv.NeedFUSE(t)
	run, _ := readme(t)
	if len(run) == 0 {
		t.Fatal("no block of the README is marked <!-- run -->: nothing holds it true")
	}
	w := harness.New(t)
	home := w.Path("home", "x")
	home = filepath.Dir(home)
	script := w.Path("steps.sh")
	// Whatever a step leaves in the background ends with the script.
	text := "set -e\ntrap 'kill $(jobs -p) 2>/dev/null' EXIT\ncd\n" + strings.Join(run, "\n")
	if err := os.WriteFile(script, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-x", script)
	cmd.Env = append(os.Environ(), "HOME="+home, "PATH="+filepath.Dir(harness.Program(t))+":"+os.Getenv("PATH"), "PS4=\n$ ")
	if out, err := atTerminal(cmd, "a passphrase nobody guesses"); err != nil {
		t.Errorf("the README's steps: %v\n%s", err, out)
	} else {
		t.Logf("%s", out)
	}
}

// atTerminal runs a command at a terminal of its own, where somebody types the passphrase whenever it is asked for.
func atTerminal(cmd *exec.Cmd, passphrase string) (out string, err error) {
	master, slave, err := terminal()
	if err != nil {
		return "", fmt.Errorf("make a terminal: %w", err)
	}
	defer master.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
	err = cmd.Start()
	slave.Close()
	if err != nil {
		return "", err
	}
	typed := make(chan string)
	go func() {
		var all bytes.Buffer
		asked, buf := 0, make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			all.Write(buf[:n])
			if err != nil { // EIO: nobody has the terminal open any more
				typed <- all.String()
				return
			}
			if tail := all.Bytes()[asked:]; prompt.Match(tail) {
				asked = all.Len()
				io.WriteString(master, passphrase+"\n")
			}
		}
	}()
	err = cmd.Wait()
	select {
	case out = <-typed:
	case <-time.After(10 * time.Second):
		master.SetReadDeadline(time.Unix(1, 0))
		out = <-typed
		err = fmt.Errorf("something still has the terminal open after the last step (%w)", orDone(err))
	}
	return out, err
}

var prompt = regexp.MustCompile(`(?i)(passphrase|the same again)[^\n]*: ?$`)

func orDone(err error) error {
	if err == nil {
		return os.ErrProcessDone
	}
	return err
}

func terminal() (master, slave *os.File, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	conn, err := master.SyscallConn()
	if err != nil {
		return nil, nil, err
	}
	var number int
	if e := conn.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			number, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	}); e != nil {
		err = e
	}
	if err != nil {
		return nil, nil, err
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	return master, slave, err
}

// Every make target and every command and option the README shows exists.
func TestREADMEShowsWhatExists(t *testing.T) {
	_, all := readme(t)
	makefile, err := os.ReadFile(filepath.Join("..", "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	w := harness.New(t)
	seen := 0
	for line := range strings.Lines(strings.ReplaceAll(strings.Join(all, "\n"), "\\\n", " ")) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), " #")
		for command := range strings.SplitSeq(strings.ReplaceAll(line, "&&", "|"), "|") {
			words := strings.Fields(strings.TrimPrefix(strings.TrimSpace(command), "sudo "))
			if len(words) < 2 {
				continue
			}
			switch filepath.Base(words[0]) {
			case "make":
				seen++
				if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(words[1]) + `:`).Match(makefile) {
					t.Errorf("the README shows %q, and the Makefile has no such target", command)
				}
			case "dfsmount":
				seen++
				commandExists(t, w, words[1:])
			}
		}
	}
	if seen < 3 {
		t.Errorf("the README shows %d commands only: the blocks were not found", seen)
	}
}

func commandExists(t *testing.T, w *harness.World, words []string) {
	t.Helper()
	r := w.Run(words[0], "--help")
	if r.Code != 0 || !strings.Contains(r.Out+r.Err, "dfsmount "+words[0]) {
		t.Errorf("the README shows dfsmount %s: %v", words[0], r)
		return
	}
	for _, word := range words[1:] {
		flag, _, _ := strings.Cut(word, "=")
		if strings.HasPrefix(flag, "--") && !strings.Contains(r.Out+r.Err, flag) {
			t.Errorf("the README shows dfsmount %s %s, and its help does not", words[0], flag)
		}
	}
}
