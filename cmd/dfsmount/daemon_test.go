package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

// hear gives awaitVerdict what a child says before it goes.
func hear(t *testing.T, ctx context.Context, says string) (notes string, err error) {
	t.Helper()
	from, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	if _, err := io.WriteString(to, says); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	err = awaitVerdict(ctx, console{err: &text}, from)
	return text.String(), err
}

func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		name, says, notes, err string
		code                   int
	}{
		{"live", `{"live":true,"pid":7}`, "", "", exitOK},
		{"a note, then live", `{"note":"waiting"}` + "\n" + `{"live":true}`, "dfsmount: waiting\n", "", exitOK},
		{"failed", `{"err":"no room","code":10,"hint":"buy a disk"}`, "", "no room", exitFull},
		{"died early", "", "", "ended before the mount was live", exitFault},
		{"died in the middle of a word", `{"live":tr`, "", "ended before the mount was live", exitFault},
		{"died after a note", `{"note":"waiting"}`, "dfsmount: waiting\n", "ended before the mount was live", exitFault},
		{"garbage", "panic: runtime error\n", "", "read the mount's verdict", exitFault},
		{"another kind of value", `"live"`, "", "read the mount's verdict", exitFault},
	} {
		notes, err := hear(t, t.Context(), c.says)
		code, _ := classify(err)
		if err == nil {
			code = exitOK
		}
		if code != c.code || notes != c.notes || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v (exit code %d), notes %q; want %q (%d), notes %q", c.name, err, code, notes, c.err, c.code, c.notes)
		}
	}
}

func TestVerdictInterrupted(t *testing.T) {
	from, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close() // the child says nothing, and lives on
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- awaitVerdict(ctx, console{err: io.Discard}, from) }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

// What the child announces is what the parent hears.
func TestAnnouncer(t *testing.T) {
	from, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	a := pipeAnnouncer{to}
	a.note("waiting for it")
	a.failed(fail(exitMountpoint, "make it", "no\nsuch directory"))
	var text bytes.Buffer
	err = awaitVerdict(t.Context(), console{err: &text}, from)
	code, hint := classify(err)
	if text.String() != "dfsmount: waiting for it\n" || err.Error() != "no such directory" || code != exitMountpoint || hint != "make it" {
		t.Errorf("heard %q, then %v (%d, hint %q)", text.String(), err, code, hint)
	}
}

func TestLogIsSetAside(t *testing.T) {
	dir := t.TempDir()
	path := dir + "/" + logName
	for _, size := range []int64{0, logLimit, logLimit + 1} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		f, err := openLog(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		fi, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		if want := size * map[bool]int64{true: 1}[size <= logLimit]; fi.Size() != want || fi.Mode().Perm() != 0o600 {
			t.Errorf("a log of %d bytes goes on at %d with mode %v, want %d", size, fi.Size(), fi.Mode(), want)
		}
	}
	if fi, err := os.Stat(path + ".1"); err != nil || fi.Size() != logLimit+1 {
		t.Errorf("the log set aside: %v", err)
	}
}

// An error in the mount's process comes to the command with its exit code and hint.
func TestReplies(t *testing.T) {
	for _, err := range []error{fail(exitUnsafe, "wait", "not\nyet"), errors.New("plain")} {
		call := replying(func(context.Context, json.RawMessage, func(int64, int64)) (any, error) { return nil, err })
		got, callErr := call(t.Context(), nil, nil)
		code, hint := classify(err)
		want := reply{Err: oneLine(err.Error()), Code: code, Hint: hint}
		if r := got.(reply); callErr != nil || r.Err != want.Err || r.Code != want.Code || r.Hint != want.Hint || r.Result != nil {
			t.Errorf("%v is told as %+v, %v; want %+v", err, got, callErr, want)
		}
	}
	call := replying(func(context.Context, json.RawMessage, func(int64, int64)) (any, error) { return []int{1}, nil })
	if got, err := call(t.Context(), nil, nil); err != nil || string(got.(reply).Result) != "[1]" || got.(reply).Err != "" {
		t.Errorf("a result is told as %+v, %v", got, err)
	}
}
