package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// bench is one run of everything.
type bench struct {
	cfg     config
	scratch string
	groups  []group
	sites   []*site
	tree    tree
	report  report
}

// env is what a piece of work has.
type env struct {
	ctx   context.Context
	root  string // an empty directory at the start of a group
	round int
	tree  tree
	sizes sizes
}

// path names something in the working directory.
func (e *env) path(name string) string { return filepath.Join(e.root, name) }

// group is work that builds on each other, in order.
type group struct {
	name  string
	needs string // a program
	works []work
}

// work is one row of the table. do returns how many units it did; the time it took is measured around it.
type work struct {
	name, unit string
	cold       bool               // starts with nothing in memory
	prepare    func(e *env) error // not measured
	do         func(e *env) (units float64, err error)
}

func (b *bench) prepare(ctx context.Context) (err error) {
	if err := os.WriteFile(filepath.Join(b.scratch, "passphrase"), []byte("a passphrase for measuring only\n"), 0o600); err != nil {
		return err
	}
	if b.tree, err = packTree(ctx, b.cfg.tree, filepath.Join(b.scratch, "tree.tar"), b.cfg.sizes.treeFiles); err != nil {
		return fmt.Errorf("pack %s: %w", b.cfg.tree, err)
	}
	for _, t := range b.cfg.targets {
		s, err := newSite(t, b.scratch)
		if err != nil {
			return err
		}
		b.sites = append(b.sites, s)
		if err := s.make(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) measure(ctx context.Context) error {
	for _, t := range b.sites {
		b.report.Targets = append(b.report.Targets, t.name)
	}
	for _, g := range b.groups {
		if g.needs != "" && !have(g.needs) {
			fmt.Fprintf(os.Stderr, "bench: %s is not installed: %s left out\n", g.needs, g.name)
			continue
		}
		for round := range b.cfg.rounds {
			for i := range b.sites {
				s := b.sites[(i+round)%len(b.sites)] // nobody always comes first
				if err := b.measureGroup(ctx, g, s, round); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// measureGroup runs a group on one target. Work that fails is a result; only what makes going on senseless is an error.
func (b *bench) measureGroup(ctx context.Context, g group, s *site, round int) (err error) {
	if err := s.up(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.down()) }()
	e := &env{ctx: ctx, root: s.root(), round: round, tree: b.tree, sizes: b.cfg.sizes}
	if err := os.Mkdir(e.root, 0o755); err != nil {
		return err
	}
	defer func() {
		if ctx.Err() == nil { // an interrupted run removes the whole target instead
			err = errors.Join(err, os.RemoveAll(e.root))
		}
	}()
	for _, w := range g.works {
		m, err := b.measureWork(w, s, e)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		b.report.add(g.name, w, s.name, m)
		if err != nil {
			fmt.Fprintf(os.Stderr, "bench: %s on %s FAILED: %v\n", w.name, s.name, err)
			return nil // what follows builds on it
		}
		fmt.Fprintf(os.Stderr, "%-10s %-38s round %d  %12.1f %-8s (load %.1f)\n", s.name, w.name, round+1, m.Rate, w.unit, m.Load)
	}
	return nil
}

func (b *bench) measureWork(w work, s *site, e *env) (m measurement, err error) {
	if w.prepare != nil {
		err = w.prepare(e)
	}
	unix.Sync() // what others left to write does not count here
	if err == nil && w.cold {
		err = s.cold(e.ctx)
	}
	m.Load = load()
	if err != nil {
		m.Failed = err.Error()
		return m, err
	}
	start := time.Now()
	units, err := w.do(e)
	m.Seconds = time.Since(start).Seconds()
	if err != nil {
		m.Failed = err.Error()
		return m, err
	}
	m.Rate = units / m.Seconds
	return m, nil
}

// clean unmounts and removes everything this run made.
func (b *bench) clean() (err error) {
	for _, s := range b.sites {
		if e := s.down(); e != nil || mounted(s.dir) {
			return errors.Join(err, e, fmt.Errorf("%s is kept, as something may still be mounted there", b.scratch))
		}
		if s.log != nil {
			s.log.Close()
		}
		if s.plain != "" {
			err = errors.Join(err, os.RemoveAll(s.dir))
		}
	}
	return errors.Join(err, os.RemoveAll(b.scratch))
}
