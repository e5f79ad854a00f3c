// Command testsum reads the output of go test -json, shows it as go test would, and closes with a summary of every run of
// make test: how many tests passed, failed and were skipped, which ones, and the slowest.
//
//	go test -json ./... | testsum -o FILE    show, and add what happened to FILE
//	testsum -total FILE                      the summary of all that FILE holds
//
// Both exit with 1 if anything failed, and if nothing at all was tested: a run that tested nothing has not passed.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	out := flag.String("o", "", "add the results to this `file`")
	total := flag.String("total", "", "print the summary of this `file` instead of reading standard input")
	flag.Parse()
	ok, err := run(*out, *total)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

func run(out, total string) (ok bool, err error) {
	if total != "" {
		results, err := load(total)
		if err != nil {
			return false, fmt.Errorf("read results: %w", err)
		}
		return summarise(os.Stdout, results), nil
	}
	results, err := show(os.Stdin, os.Stdout)
	if out != "" {
		err = errors.Join(err, save(out, results))
	}
	return passed(results), err
}

// result is how one test or (Test empty) one package ended.
type result struct {
	Package, Test string
	Action        string // pass, fail, skip
	Elapsed       float64
	Why           string `json:",omitempty"` // of a skip: the last line it printed
}

func load(file string) (all []result, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d := json.NewDecoder(bufio.NewReader(f))
	for {
		var r result
		if err := d.Decode(&r); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
}

func save(file string, results []result) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o666)
	if err != nil {
		return fmt.Errorf("save results: %w", err)
	}
	defer f.Close()
	e := json.NewEncoder(f)
	for _, r := range results {
		if err := e.Encode(r); err != nil {
			return fmt.Errorf("save results: %w", err)
		}
	}
	return f.Close()
}
