package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"dfsmount/internal/testenv"
)

var manualBlock = regexp.MustCompile("(?ms)^<!-- run -->\n```sh\n(.*?)^```")

// The manual's own steps work, in order, for somebody who has a home directory and the program in the path.
func TestManual(t *testing.T) {
	testenv.NeedFUSE(t)
	notUnderRace(t)
	var steps []string
	for _, m := range manualBlock.FindAllStringSubmatch(readManual(t), -1) {
		steps = append(steps, m[1])
	}
	if len(steps) < 5 {
		t.Fatalf("only %d blocks of the manual are marked <!-- run -->: nothing holds it true", len(steps))
	}
	p := &page{work: t.TempDir()}
	t.Cleanup(func() {
		if err := p.cleanUp(); err != nil {
			t.Error(err)
		}
	})
	script := filepath.Join(p.work, "steps.sh")
	if err := os.WriteFile(script, []byte("set -eu\ncd\n"+strings.Join(steps, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-x", script)
	cmd.Env = append(os.Environ(), "HOME="+p.work, "PS4=\n$ ")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the manual's steps: %v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// Every command and option that the manual shows exists.
func TestManualShowsWhatExists(t *testing.T) {
	root, seen := newRoot(console{}), 0
	for _, m := range regexp.MustCompile("`dfsmount ([a-z-]+)([^`\n]*)`").FindAllStringSubmatch(readManual(t), -1) {
		cmd, _, err := root.Find([]string{m[1]})
		if err != nil || cmd == root {
			t.Errorf("the manual shows %s, and there is no such command", m[0])
			continue
		}
		seen++
		for word := range strings.FieldsSeq(m[2]) {
			name, _, _ := strings.Cut(strings.TrimPrefix(word, "--"), "=")
			if strings.HasPrefix(word, "--") && cmd.Flags().Lookup(name) == nil {
				t.Errorf("the manual shows %s, and %s has no --%s", m[0], m[1], name)
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d commands were found in the manual", seen)
	}
}
