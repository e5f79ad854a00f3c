package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// event is a line of go test -json, as go doc test2json describes it.
type event struct {
	Action, Package, Test, Output string
	ImportPath                    string // of build output
	Elapsed                       float64
}

// show copies to w what go test without -json would have printed, and returns how everything ended. Lines that are no
// events (a crash of go itself, a stray print) are shown as they are.
func show(r io.Reader, w io.Writer) (results []result, err error) {
	type test struct{ pkg, name string }
	output := map[test]*strings.Builder{}
	in := bufio.NewReader(r)
	for {
		line, readErr := in.ReadBytes('\n')
		var e event
		if len(line) > 0 && json.Unmarshal(line, &e) != nil {
			fmt.Fprintf(w, "%s", line)
		}
		t := test{e.Package, e.Test}
		switch e.Action {
		case "build-output":
			io.WriteString(w, e.Output)
		case "output":
			if e.Test == "" {
				if e.Output != "PASS\n" {
					io.WriteString(w, e.Output)
				}
				break
			}
			if output[t] == nil {
				output[t] = new(strings.Builder)
			}
			output[t].WriteString(e.Output)
		case "pass", "fail", "skip":
			res := result{Package: e.Package, Test: e.Test, Action: e.Action, Elapsed: e.Elapsed}
			if b := output[t]; b != nil {
				if e.Action == "fail" {
					io.WriteString(w, b.String())
				} else if e.Action == "skip" {
					res.Why = reason(b.String())
				}
				delete(output, t)
			}
			results = append(results, res)
		}
		if readErr == io.EOF {
			break
		} else if readErr != nil {
			return results, fmt.Errorf("read events: %w", readErr)
		}
	}
	// A test binary that died (a panic, a timeout, a signal) ends its package, not its tests.
	for t, b := range output {
		fmt.Fprintf(w, "--- DID NOT END: %s %s\n%s", t.pkg, t.name, b)
		results = append(results, result{Package: t.pkg, Test: t.name, Action: "fail"})
	}
	return results, nil
}

// reason finds what t.Skip was told in the output of a test.
func reason(output string) (why string) {
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "---") && !strings.HasPrefix(line, "===") {
			why = line
		}
	}
	return why
}
