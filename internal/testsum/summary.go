package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
)

// passed tells whether something was tested and nothing failed.
func passed(results []result) bool {
	tested := slices.ContainsFunc(results, func(r result) bool { return r.Test != "" && r.Action == "pass" })
	failed := slices.ContainsFunc(results, func(r result) bool { return r.Action == "fail" })
	return tested && !failed
}

// slowest is how many of the slowest tests the summary names.
const slowest = 5

func summarise(w io.Writer, results []result) (ok bool) {
	var tests []result
	count := map[string]int{}
	fmt.Fprintln(w, "\n== summary")
	for _, r := range results {
		if r.Test == "" {
			printPackage(w, r)
			continue
		}
		tests = append(tests, r)
		count[r.Action]++
	}
	slices.SortFunc(tests, func(a, b result) int { return cmp.Compare(b.Elapsed, a.Elapsed) })
	fmt.Fprintf(w, "slowest:")
	for _, r := range tests[:min(slowest, len(tests))] {
		fmt.Fprintf(w, " %s %.1fs,", r.Test, r.Elapsed)
	}
	fmt.Fprintln(w)
	for _, r := range tests {
		if r.Action != "pass" {
			fmt.Fprintf(w, "%s: %s %s  %s\n", r.Action, r.Package, r.Test, r.Why)
		}
	}
	fmt.Fprintf(w, "tests: %d passed, %d failed, %d skipped\n", count["pass"], count["fail"], count["skip"])
	ok = passed(results)
	if ok {
		fmt.Fprintln(w, "PASS")
	} else {
		fmt.Fprintln(w, "FAIL")
	}
	return ok
}

func printPackage(w io.Writer, r result) {
	switch r.Action {
	case "pass":
		fmt.Fprintf(w, "ok    %s  %.1fs\n", r.Package, r.Elapsed)
	case "fail":
		fmt.Fprintf(w, "FAIL  %s  %.1fs\n", r.Package, r.Elapsed)
	} // a package without tests is of no interest
}
