package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every work on a plain directory, as small as it gets: the work itself is right, and a run leaves nothing behind.
func TestRunOnADirectory(t *testing.T) {
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), "out.json")
	tree := t.TempDir()
	for _, name := range []string{"a/b/c", "a/d", "e"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(tree, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(tree, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	err := run(t.Context(), []string{"-quick", "-size", "2", "-files", "5", "-rounds", "2", "-dir", dir, "-tree", tree,
		"-target", "one::" + dir, "-target", "two::" + dir, "-targets", "one,two", "-only", "data|small|tree", "-json", out})
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Rows) != 14 || r.Base != "one" {
		t.Errorf("%d rows, base %q", len(r.Rows), r.Base)
	}
	for _, row := range r.Rows {
		for _, target := range []string{"one", "two"} {
			if ms := row.Measurements[target]; len(ms) != 2 || ms[0].Rate <= 0 || ms[1].Rate <= 0 {
				t.Errorf("%s on %s: %+v", row.Work, target, ms)
			}
		}
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestInterruptedRunCleansUp(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, []string{"-quick", "-dir", dir, "-tree", t.TempDir(), "-targets", diskName()}); err == nil {
		t.Error("an interrupted run passed")
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestWrongBytesAreNoticed(t *testing.T) {
	b := make([]byte, 4*block)
	fill(b, 8*block)
	if err := check(b, 8*block); err != nil {
		t.Fatal(err)
	}
	if check(b, 9*block) == nil {
		t.Error("blocks of another place passed")
	}
	clear(b[2*block : 3*block])
	if check(b, 8*block) == nil {
		t.Error("zeros passed")
	}
}

func TestTable(t *testing.T) {
	r := report{Base: "a", Targets: []string{"a", "b", "c"}}
	w := work{name: "write", unit: "op/s"}
	for _, rate := range []float64{100, 300, 200} {
		r.add("g", w, "a", measurement{Rate: rate, Load: rate / 100})
		r.add("g", w, "b", measurement{Rate: 2 * rate})
	}
	r.add("g", w, "c", measurement{Failed: "no room"})
	var s strings.Builder
	r.writeMarkdown(&s)
	if want := "| write | op/s | 200 ±50% | 400 ±50% (2.00×) | FAILED | 3.0 |\n"; !strings.HasSuffix(s.String(), want) {
		t.Errorf("no %q in\n%s", want, s.String())
	}
	if r.failed() == nil {
		t.Error("a failed row passed")
	}
}

func TestTargets(t *testing.T) {
	for in, ok := range map[string]bool{"a::/b": true, "a::i::m::u": true, "a": false, "::/b": false, "a::b::c": false} {
		if _, err := parseTarget(in); (err == nil) != ok {
			t.Errorf("parseTarget(%q): %v", in, err)
		}
	}
	if _, err := choose(allGroups(quickSizes), "no such row"); err == nil {
		t.Error("nothing was chosen, and nothing said")
	}
	if g, err := choose(allGroups(quickSizes), "rm -rf"); err != nil || len(g) != 1 || g[0].name != "tree" {
		t.Errorf("chose %v, %v", g, err)
	}
}
