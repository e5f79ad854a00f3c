package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestShow(t *testing.T) {
	for _, c := range []struct {
		name, in, shown string
		ok              bool
		results         int
	}{
		{"nothing was tested", ``, "", false, 0},
		{"a package without tests", `{"Action":"skip","Package":"p"}`, "", false, 1},
		{"passes in silence", `{"Action":"output","Package":"p","Test":"T","Output":"=== RUN T\n"}
{"Action":"pass","Package":"p","Test":"T"}
{"Action":"output","Package":"p","Output":"ok p 1s\n"}
{"Action":"pass","Package":"p"}`, "ok p 1s\n", true, 2},
		{"fails aloud", `{"Action":"output","Package":"p","Test":"T","Output":"x_test.go:1: broken\n"}
{"Action":"fail","Package":"p","Test":"T"}`, "x_test.go:1: broken\n", false, 1},
		{"dies in the middle", `{"Action":"pass","Package":"p","Test":"A"}
{"Action":"output","Package":"p","Test":"B","Output":"last words\n"}`, "--- DID NOT END: p B\nlast words\n", false, 2},
		{"does not build", `{"Action":"build-output","ImportPath":"p","Output":"syntax error\n"}
{"Action":"fail","Package":"p"}`, "syntax error\n", false, 1},
		{"is no event", "go: cannot find module\n", "go: cannot find module\n", false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var shown strings.Builder
			results, err := show(strings.NewReader(c.in), &shown)
			if err != nil {
				t.Fatal(err)
			}
			if shown.String() != c.shown || passed(results) != c.ok || len(results) != c.results {
				t.Errorf("shown %q, passed %v, %d results; want %q, %v, %d",
					shown.String(), passed(results), len(results), c.shown, c.ok, c.results)
			}
		})
	}
}

func TestSummaryOfSavedRuns(t *testing.T) {
	file := filepath.Join(t.TempDir(), "results")
	for _, run := range [][]result{
		{{Package: "p", Test: "A", Action: "pass", Elapsed: 2}, {Package: "p", Action: "pass", Elapsed: 2.5}},
		{{Package: "q", Test: "B", Action: "skip", Why: "no FUSE"}, {Package: "q", Test: "C", Action: "fail"}},
	} {
		if err := save(file, run); err != nil {
			t.Fatal(err)
		}
	}
	all, err := load(file)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if summarise(&text, all) {
		t.Error("a failed run passed")
	}
	for _, want := range []string{"ok    p  2.5s", "fail: q C", "skip: q B  no FUSE", "1 passed, 1 failed, 1 skipped", "slowest: A 2.0s"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in:\n%s", want, text.String())
		}
	}
}
