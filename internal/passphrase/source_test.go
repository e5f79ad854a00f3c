package passphrase

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func write(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "passphrase")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFile(t *testing.T) {
	long := strings.Repeat("x", maxSize)
	for text, want := range map[string]string{
		"secret": "secret", "secret\n": "secret", "secret\r\n": "secret", "secret\n\n": "secret\n",
		" s p \t\n": " s p \t", "s\r": "s\r", "\x00\xff": "\x00\xff", long + "\r\n": long,
	} {
		got, err := Source{File: write(t, text, 0o640)}.Get(t.Context(), Request{})
		if err != nil || string(got) != want {
			t.Errorf("%.20q: got %.20q, error %v", text, got, err)
		}
	}
}

func TestFileRefused(t *testing.T) {
	for _, c := range []struct {
		text string
		mode os.FileMode
		want error
	}{
		{"", 0o600, ErrEmpty}, {"\n", 0o600, ErrEmpty}, {"\r\n", 0o600, ErrEmpty},
		{strings.Repeat("x", maxSize+1), 0o600, ErrTooLong}, {strings.Repeat("x", 3*maxSize), 0o600, ErrTooLong},
		{"secret", 0o644, ErrExposed}, {"secret", 0o602, ErrExposed},
	} {
		got, err := Source{File: write(t, c.text, c.mode)}.Get(t.Context(), Request{})
		if !errors.Is(err, c.want) || got != nil {
			t.Errorf("%.10q with mode %o: got %.10q, error %v", c.text, c.mode, got, err)
		}
	}
	_, err := Source{File: filepath.Join(t.TempDir(), "none")}.Get(t.Context(), Request{})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: error %v", err)
	}
	if _, err := (Source{File: t.TempDir()}).Get(t.Context(), Request{}); !errors.Is(err, unix.EISDIR) {
		t.Errorf("a directory: error %v", err)
	}
}

// TestFileOfPipe is what a shell's <(command) gives: mode bits of a pipe say nothing.
func TestFileOfPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- os.WriteFile(path, []byte("secret\n"), 0) }()
	got, err := Source{File: path}.Get(t.Context(), Request{})
	if err := errors.Join(err, <-done); err != nil || string(got) != "secret" {
		t.Errorf("got %q, error %v", got, err)
	}
}

func TestCommand(t *testing.T) {
	for command, want := range map[string]string{
		"echo secret":                      "secret",
		"printf 'secret'":                  "secret",
		"printf 'secret\\r\\nmore\\n'":     "secret",
		"printf ' s p \\n'":                " s p ",
		"echo secret; yes | head -c300000": "secret",
	} {
		got, err := Source{Command: command}.Get(t.Context(), Request{})
		if err != nil || string(got) != want {
			t.Errorf("%s: got %q, error %v", command, got, err)
		}
	}
}

func TestCommandRefused(t *testing.T) {
	for command, want := range map[string]string{
		"true":                          ErrEmpty.Error(),
		"echo; echo second":             ErrEmpty.Error(),
		"exit 7":                        "exit code 7",
		"echo secret; exit 3":           "exit code 3",
		"no-such-command-here 2>&-":     "exit code 127",
		"kill -9 $$":                    "signal: killed",
		"head -c 70000 /dev/zero":       ErrTooLong.Error(),
		"head -c 70000 /dev/zero; echo": ErrTooLong.Error(),
	} {
		got, err := Source{Command: command}.Get(t.Context(), Request{})
		if err == nil || !strings.Contains(err.Error(), want) || got != nil {
			t.Errorf("%s: got %.10q, error %v", command, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error quotes the passphrase: %v", command, err)
		}
	}
}

func TestCommandCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ready := filepath.Join(t.TempDir(), "ready")
	if err := unix.Mkfifo(ready, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() {
		os.ReadFile(ready) // returns when the command runs
		cancel()
	}()
	_, err := Source{Command: "echo > " + ready + "; exec sleep 600"}.Get(ctx, Request{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestStdin(t *testing.T) {
	in := strings.NewReader("secret\nnext line\n")
	got, err := Source{Stdin: in}.Get(t.Context(), Request{})
	if err != nil || string(got) != "secret" {
		t.Errorf("got %q, error %v", got, err)
	}
	if rest, _ := io.ReadAll(in); string(rest) != "next line\n" {
		t.Errorf("left for others: %q", rest)
	}
	for text, want := range map[string]error{"": ErrEmpty, "\nx": ErrEmpty, strings.Repeat("x", maxSize+1): ErrTooLong} {
		if got, err := (Source{Stdin: strings.NewReader(text)}).Get(t.Context(), Request{}); !errors.Is(err, want) || got != nil {
			t.Errorf("%.10q: got %.10q, error %v", text, got, err)
		}
	}
	if _, err := (Source{Stdin: failing{}}).Get(t.Context(), Request{}); !errors.Is(err, unix.EIO) {
		t.Errorf("an input that fails: error %v", err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, unix.EIO }

func TestOneSourceOnly(t *testing.T) {
	for _, s := range []Source{
		{File: "a", Command: "b"}, {File: "a", Stdin: failing{}}, {Command: "b", Stdin: failing{}}, {"a", "b", failing{}},
	} {
		if _, err := s.Get(t.Context(), Request{}); !errors.Is(err, ErrSources) {
			t.Errorf("%+v: error %v", s, err)
		}
	}
}
