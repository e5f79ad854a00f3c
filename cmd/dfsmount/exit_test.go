package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"

	"dfsmount/cache"
	"dfsmount/fs/fusefs"
	"dfsmount/internal/control"
	"dfsmount/internal/passphrase"
	"dfsmount/node"
	"dfsmount/replicator"
	"dfsmount/seal"
)

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		err  error
		code int
	}{
		{errors.New("anything"), exitFault},
		{fail(exitNoFUSE, "", "x"), exitNoFUSE},
		{fmt.Errorf("outer: %w", fail(exitUnsafe, "", "x")), exitUnsafe},
		{errors.Join(nil, fail(exitVolume, "", "%w", node.ErrPermanent)), exitVolume}, // what is said outside counts
		{context.Canceled, exitInterrupt},
		{passphrase.ErrInterrupted, exitInterrupt},
		{passphrase.ErrNoTerminal, exitPassphrase},
		{passphrase.ErrExposed, exitPassphrase},
		{passphrase.ErrEmpty, exitPassphrase},
		{passphrase.ErrMismatch, exitPassphrase},
		{passphrase.ErrTooLong, exitPassphrase},
		{passphrase.ErrSources, exitUsage},
		{seal.ErrPassphrase, exitPassphrase},
		{seal.ErrRecoveryKey, exitPassphrase},
		{seal.ErrSlot, exitDamaged},
		{seal.ErrHeader, exitDamaged},
		{seal.ErrHeaderMAC, exitDamaged},
		{seal.ErrFeature, exitVersion},
		{seal.ErrVersion, exitVersion},
		{control.ErrNotMounted, exitMountpoint},
		{control.ErrGone, exitFault},
		{fusefs.ErrNotMounted, exitMountpoint},
		{&cache.ErrLocked{Dir: "/v"}, exitInUse},
		{cache.ErrFull, exitFull},
		{syscall.ENOSPC, exitFull},
		{cache.ErrDamaged, exitDamaged},
		{cache.ErrNoStore, exitVolume},
		{replicator.ErrFenced, exitInUse},
		{replicator.ErrWhichVolume, exitVolume},
		{node.ErrPermanent, exitNode},
		{node.ErrFull, exitNode},
	} {
		for _, err := range []error{c.err, fmt.Errorf("open volume: %w", c.err), errors.Join(c.err, errors.New("and close"))} {
			if code, _ := classify(err); code != c.code {
				t.Errorf("%v: exit code %d, want %d", err, code, c.code)
			}
		}
	}
}

// Each code that is documented is one that something returns, and the other way round.
func TestExitCodesAreReachable(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]int{}
	word := regexp.MustCompile(`\bexit[A-Z]\w+`)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range word.FindAllString(string(src), -1) {
			used[name]++
		}
	}
	for name, times := range used {
		if strings.HasPrefix(name, "exitTable") || name == "exitCodesTopic" {
			continue
		}
		if times < 3 { // the constant, the table, and a use
			t.Errorf("%s is documented, and nothing returns it", name)
		}
	}
}

func TestExitTable(t *testing.T) {
	seen, last := map[string]int{}, -1
	for _, e := range exitTable {
		if e.code <= last {
			t.Errorf("code %d comes after %d: codes are in order and unique", e.code, last)
		}
		if before, ok := seen[e.text]; ok {
			t.Errorf("codes %d and %d have the same text", before, e.code)
		}
		seen[e.text], last = e.code, e.code
	}
	for _, k := range known {
		if !documented(k.code) {
			t.Errorf("%v has exit code %d, which the table does not have", k.err, k.code)
		}
	}
}

func documented(code int) bool {
	for _, e := range exitTable {
		if e.code == code {
			return true
		}
	}
	return false
}

// doc/operating.md lists exactly the codes there are, with the program's own words.
func TestExitCodesAreInTheManual(t *testing.T) {
	manual := readManual(t)
	rows := regexp.MustCompile(`(?m)^\| ([0-9]+) \| ([^|]+) \|`).FindAllStringSubmatch(manual, -1)
	if len(rows) != len(exitTable) {
		t.Errorf("the manual lists %d exit codes, there are %d", len(rows), len(exitTable))
	}
	var help bytes.Buffer
	if code := run(t.Context(), []string{"exit-codes"}, console{strings.NewReader(""), &help, &help}); code != exitOK {
		t.Errorf("dfsmount exit-codes: exit code %d", code)
	}
	for i, e := range exitTable {
		if i < len(rows) && (rows[i][1] != strconv.Itoa(e.code) || rows[i][2] != e.text) {
			t.Errorf("the manual says %q, want | %d | %s |", rows[i][0], e.code, e.text)
		}
		if !strings.Contains(help.String(), fmt.Sprintf("%3d  %s\n", e.code, e.text)) {
			t.Errorf("dfsmount exit-codes does not list %d", e.code)
		}
	}
}

func TestReport(t *testing.T) {
	for _, c := range []struct {
		err  error
		text string
		code int
	}{
		{nil, "", exitOK},
		{context.Canceled, "dfsmount: interrupted\n", exitInterrupt},
		{errors.New("two\nlines"), "dfsmount: error: two lines\n", exitFault},
		{fail(exitFull, "buy a disk", "no room for %s", "x"), "dfsmount: error: no room for x\ndfsmount: hint: buy a disk\n", exitFull},
	} {
		var text bytes.Buffer
		if code := report(&text, c.err); code != c.code || text.String() != c.text {
			t.Errorf("%v: exit code %d, %q; want %d, %q", c.err, code, text.String(), c.code, c.text)
		}
	}
}

func TestOrElse(t *testing.T) {
	if err := orElse(exitNode, "", nil); err != nil {
		t.Errorf("no error became %v", err)
	}
	if code, hint := classify(orElse(exitNode, "is it on?", errors.New("x"))); code != exitNode || hint != "is it on?" {
		t.Errorf("an error without a code: %d, %q", code, hint)
	}
	if code, _ := classify(orElse(exitNode, "", seal.ErrPassphrase)); code != exitPassphrase {
		t.Errorf("an error with a code: %d, want its own", code)
	}
}

// Every command shows an example that is one of its own.
func TestEveryCommandHasAnExample(t *testing.T) {
	seen := 0
	var check func(cmd *cobra.Command)
	check = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			check(sub)
		}
		if cmd.Hidden || !cmd.Runnable() || cmd.Name() == "completion" || cmd.Parent() != nil && cmd.Parent().Name() == "completion" {
			return
		}
		seen++
		if !strings.Contains(cmd.Example, cmd.CommandPath()) {
			t.Errorf("%s has no example", cmd.CommandPath())
		}
		if cmd.Short == "" {
			t.Errorf("%s does not say what it does", cmd.CommandPath())
		}
	}
	check(newRoot(console{}))
	if seen < 12 {
		t.Errorf("only %d commands were looked at", seen)
	}
}

func TestMount8(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, dir := range []string{"vault", "status"} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	root := newRoot(console{})
	for line, want := range map[string]string{
		"vault mnt":                    "mount vault mnt",
		"vault mnt -o ro":              "mount vault mnt -o ro",
		"/srv/vault /mnt -o rw,noauto": "mount /srv/vault /mnt -o rw,noauto",
		"./none mnt":                   "mount ./none mnt", // a path is meant: mount says what is wrong with it
		"statsu mnt":                   "statsu mnt",       // a mistyped command
		"status mnt":                   "status mnt",       // a command, also where a directory has its name
		"mount vault mnt":              "mount vault mnt",
		"help mount":                   "help mount",
		"vault":                        "vault",
		"--help x":                     "--help x",
		"":                             "",
	} {
		if got := strings.Join(mount8(root, strings.Fields(line)), " "); got != want {
			t.Errorf("dfsmount %s is taken for dfsmount %s, want dfsmount %s", line, got, want)
		}
	}
}

func readManual(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "doc", "operating.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
