package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// report is everything that was measured.
type report struct {
	Facts   Facts
	Base    string
	Targets []string
	Rows    []*row
}

// row is one work on all targets.
type row struct {
	Group, Work, Unit string
	Measurements      map[string][]measurement // by target, in order of rounds
}

type measurement struct {
	Rate    float64 // units a second
	Seconds float64
	Load    float64
	Failed  string `json:",omitempty"`
}

func (r *report) add(group string, w work, target string, m measurement) {
	i := slices.IndexFunc(r.Rows, func(x *row) bool { return x.Group == group && x.Work == w.name })
	if i < 0 {
		i = len(r.Rows)
		r.Rows = append(r.Rows, &row{group, w.name, w.unit, map[string][]measurement{}})
	}
	r.Rows[i].Measurements[target] = append(r.Rows[i].Measurements[target], m)
}

// failed tells of work that could not be done: the table shows it, and the run must not pass for a good one.
func (r *report) failed() error {
	var errs []error
	for _, row := range r.Rows {
		for target, ms := range row.Measurements {
			for _, m := range ms {
				if m.Failed != "" {
					errs = append(errs, fmt.Errorf("%s on %s: %s", row.Work, target, m.Failed))
				}
			}
		}
	}
	return errors.Join(errs...)
}

func (r *report) writeJSON(file string) error {
	b, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o666)
}

func (r *report) writeMarkdown(w io.Writer) {
	f := r.Facts
	fmt.Fprintf(w, "%s · Linux %s · %d × %s · %.0f GiB · %s · %s · cold: %s\n\n", f.Time.Format("2006-01-02 15:04 MST"), f.Kernel, f.CPUs, f.CPU, f.MemoryGB, f.Filesystem, f.Go, f.Cold)
	fmt.Fprintf(w, "Median ± half the spread; in brackets the ratio to %s: above 1 is faster. Load: highest one-minute average before a measurement.\n\n", r.Base)
	fmt.Fprint(w, "| work | unit |")
	for _, t := range r.Targets {
		fmt.Fprintf(w, " %s |", t)
	}
	fmt.Fprint(w, " load |\n|---|---|")
	for range r.Targets {
		fmt.Fprint(w, "---:|")
	}
	fmt.Fprintln(w, "---:|")
	for _, row := range r.Rows {
		fmt.Fprintf(w, "| %s | %s |", row.Work, row.Unit)
		base, _, _ := summary(row.Measurements[r.Base])
		for _, t := range r.Targets {
			fmt.Fprintf(w, " %s |", cell(row.Measurements[t], base, t == r.Base))
		}
		fmt.Fprintf(w, " %.1f |\n", highestLoad(row))
	}
}

func cell(ms []measurement, base float64, isBase bool) string {
	median, spread, ok := summary(ms)
	if len(ms) == 0 {
		return "–"
	}
	if !ok {
		return "FAILED"
	}
	s := number(median)
	if len(ms) > 1 {
		s += fmt.Sprintf(" ±%.0f%%", spread*100)
	}
	if base > 0 && !isBase {
		s += fmt.Sprintf(" (%.2f×)", median/base)
	}
	return s
}

// summary is the median and half the spread relative to it; not ok if any round failed.
func summary(ms []measurement) (median, spread float64, ok bool) {
	var rates []float64
	for _, m := range ms {
		if m.Failed != "" {
			return 0, 0, false
		}
		rates = append(rates, m.Rate)
	}
	if len(rates) == 0 {
		return 0, 0, false
	}
	slices.Sort(rates)
	n := len(rates)
	median = (rates[(n-1)/2] + rates[n/2]) / 2
	return median, (rates[n-1] - rates[0]) / 2 / median, true
}

func number(x float64) string {
	switch {
	case x >= 10000:
		return fmt.Sprintf("%.1fk", x/1000)
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	default:
		return fmt.Sprintf("%.1f", x)
	}
}

func highestLoad(r *row) (l float64) {
	for _, ms := range r.Measurements {
		for _, m := range ms {
			l = max(l, m.Load)
		}
	}
	return l
}
