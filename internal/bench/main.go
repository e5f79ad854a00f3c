// Command bench does the same work in turn on any list of directories and mounts, and prints how fast each was.
//
//	go run ./internal/bench -quick                  ext4, loopback, gocryptfs and dfsmount, in about a minute
//	go run ./internal/bench -rounds 5 -only 'tree|small' -targets dfsmount,gocryptfs -json out.json
//	go run ./internal/bench -target 'zfs::/tank/x' -target 'mine::mkdir $STATE/d::mymount $STATE/d $DIR::umount $DIR'
//
// Work that builds on other work forms a group (write a file, then read it). A group is run on one target after the other, each
// freshly mounted while no other is, then again in the next round, beginning with another target: so a disturbance of the
// machine meets all of them. A figure is the median of the rounds, with half the distance between the best and the worst beside it.
// Cold means: unmounted, the kernel's caches dropped (which needs root), mounted again. What was read is compared with what was written.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

type config struct {
	sizes           sizes
	quick           bool
	rounds          int
	dir, tree, base string
	names, only     string
	json            string
	targets         []target
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:])
	stop()
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (err error) {
	cfg, err := parse(args)
	if err != nil {
		return err
	}
	groups, err := choose(allGroups(cfg.sizes), cfg.only)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(cfg.dir, "dfsbench")
	if err != nil {
		return err
	}
	b := &bench{cfg: cfg, scratch: scratch, groups: groups, report: report{Facts: facts(scratch), Base: cfg.base}}
	defer func() { err = errors.Join(err, b.clean()) }()
	if err := b.prepare(ctx); err != nil {
		return err
	}
	if err := b.measure(ctx); err != nil {
		return err
	}
	if cfg.json != "" {
		if err := b.report.writeJSON(cfg.json); err != nil {
			return err
		}
	}
	b.report.writeMarkdown(os.Stdout)
	return b.report.failed()
}

func parse(args []string) (cfg config, err error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.BoolVar(&cfg.quick, "quick", false, "small sizes, one round: about a minute, for a first look")
	f.IntVar(&cfg.rounds, "rounds", 0, "how many times everything is done (default 3, quick 1)")
	f.StringVar(&cfg.dir, "dir", os.TempDir(), "where everything is kept: its disk is measured")
	f.StringVar(&cfg.tree, "tree", "", "the tree that is unpacked, listed, read, copied and removed (default: the source of Go)")
	f.StringVar(&cfg.names, "targets", "", "which targets, comma-separated (default: all that are installed, and those of -target)")
	f.StringVar(&cfg.base, "base", "gocryptfs", "the target that counts as 1")
	f.StringVar(&cfg.only, "only", "", "groups or rows that match this regular expression")
	f.StringVar(&cfg.json, "json", "", "write every single figure to this file")
	f.Func("target", "one more target: NAME::DIRECTORY or NAME::INIT::MOUNT::UMOUNT, shell commands that see $STATE, $DIR and $PASS", func(s string) error {
		t, err := parseTarget(s)
		cfg.targets = append(cfg.targets, t)
		return err
	})
	cfg.sizes = fullSizes
	size := f.Int("size", 0, "size of the large file in MiB (default 512, quick 64)")
	files := f.Int("files", 0, "number of small files (default 2000, quick 300)")
	if err := f.Parse(args); err != nil {
		return cfg, err
	}
	if f.NArg() > 0 {
		return cfg, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	rounds := 3
	if cfg.quick {
		cfg.sizes, rounds = quickSizes, 1
	}
	if cfg.rounds == 0 {
		cfg.rounds = rounds
	}
	if *size > 0 {
		cfg.sizes.large = *size << 20
	}
	if *files > 0 {
		cfg.sizes.files = *files
	}
	if cfg.rounds < 1 {
		return cfg, errors.New("-rounds must be 1 or more")
	}
	if cfg.dir, err = filepath.Abs(cfg.dir); err != nil {
		return cfg, err
	}
	if cfg.tree == "" {
		root, err := exec.Command("go", "env", "GOROOT").Output()
		if err != nil {
			return cfg, fmt.Errorf("find the source of Go (or name a tree by -tree): %w", err)
		}
		cfg.tree = filepath.Join(strings.TrimSpace(string(root)), "src")
	}
	return cfg, cfg.chooseTargets()
}

// chooseTargets completes the list of targets and checks the base.
func (cfg *config) chooseTargets() error {
	known := append(installed(), cfg.targets...)
	if cfg.names != "" {
		cfg.targets = nil
		for name := range strings.SplitSeq(cfg.names, ",") {
			i := slices.IndexFunc(known, func(t target) bool { return t.name == name })
			if i < 0 {
				return fmt.Errorf("no target %q, or it is not installed", name)
			}
			cfg.targets = append(cfg.targets, known[i])
		}
	} else {
		cfg.targets = slices.DeleteFunc(known, func(t target) bool { return t.onlyIfNamed })
	}
	if !slices.ContainsFunc(cfg.targets, func(t target) bool { return t.name == cfg.base }) {
		cfg.base = cfg.targets[0].name
	}
	return nil
}

// choose keeps the groups whose name matches, and of the others those that have a row that matches, whole: rows build on each other.
func choose(groups []group, pattern string) ([]group, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("-only: %w", err)
	}
	groups = slices.DeleteFunc(groups, func(g group) bool {
		return !re.MatchString(g.name) && !slices.ContainsFunc(g.works, func(w work) bool { return re.MatchString(w.name) })
	})
	if len(groups) == 0 {
		return nil, fmt.Errorf("-only %q matches no group and no row", pattern)
	}
	return groups, nil
}
