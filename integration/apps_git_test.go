package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Clone, commit, branch, merge, gc and fsck of a real repository: this one. After a remount git finds every file as it left it, by the times and
// inode numbers it remembers as well.
func TestAppGit(t *testing.T) {
	a := newApp(t, []string{"git"})
	g := newGit(a)
	g.must("clone", "-q", g.source(), a.on("repo"))
	for i := range 10 {
		g.commit(i)
	}
	g.must("checkout", "-q", "-b", "other", "HEAD~3")
	a.write(a.on("repo", "other"), "of another branch\n")
	g.must("add", "-A")
	g.must("commit", "-q", "-m", "on a branch")
	g.must("merge", "-q", "--no-edit", "-")
	g.must("clone", "-q", a.on("repo"), a.on("second")) // shares objects by hard links
	g.must("worktree", "add", "-q", a.on("tree"), "HEAD~1")
	g.must("repack", "-adq")
	g.must("gc", "-q", "--prune=now")
	g.must("update-index", "--refresh")
	want := g.state()

	a.remount()
	g.must("diff-files", "--exit-code") // without a look into the files
	g.same(want)
	for _, dir := range []string{"second", "tree"} {
		a.must(a.on(dir), "git", "fsck", "--full", "--strict", "--no-dangling")
		if s := a.must(a.on(dir), "git", "status", "--porcelain"); s != "" {
			t.Errorf("status of %s after a remount: %s", dir, s)
		}
	}
	a.finish()
}

// A commit that git made durable is there after the mount's process was killed.
func TestAppGitUnderKill(t *testing.T) {
	a := newApp(t, []string{"git"})
	g := newGit(a)
	g.config("core.fsync", "all")
	g.must("init", "-q", "-b", "main", a.on("repo"))
	a.m.Sync() // git init makes nothing durable
	for round := range 5 {
		for i := range 3 {
			g.commit(100*round + i)
		}
		want := g.state()
		a.must("/", "sync", a.on("repo", ".git", "refs", "heads")) // git syncs what it writes, and not the names it renames
		a.m.Kill()
		a.m = a.v.Mount()
		// Files outside of .git git does not sync: those it can make again.
		g.must("reset", "-q", "--hard")
		g.same(want)
	}
	a.finish()
}

// git is git in the directory repo.
type git struct{ *app }

func newGit(a *app) git {
	g := git{a}
	g.config("user.name", "A Tester")
	g.config("user.email", "tester@example.org")
	g.config("safe.directory", "*")
	return g
}

func (g git) config(key, value string) {
	g.t.Helper()
	g.app.must("/", "git", "config", "--global", key, value)
}

// must runs git in repo, or above it as long as it is not there.
func (g git) must(args ...string) string {
	g.t.Helper()
	dir := g.on("repo")
	if _, err := os.Stat(dir); err != nil {
		dir = g.m.Dir
	}
	return g.app.must(dir, "git", args...)
}

// source is this checkout's repository, or one made of its files where they came without.
func (g git) source() string {
	g.t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		g.t.Fatal(err)
	}
	if top, err := g.try(root, "git", "rev-parse", "--show-toplevel"); err == nil {
		return "file://" + top
	}
	dir := filepath.Dir(g.w.Path("source", "x"))
	g.app.must(root, "cp", "-a", ".", dir)
	for _, args := range [][]string{{"init", "-q"}, {"add", "-A"}, {"commit", "-q", "-m", "all of it"}} {
		g.app.must(dir, "git", args...)
	}
	return "file://" + dir
}

// commit changes a few files and commits.
func (g git) commit(i int) {
	g.t.Helper()
	for k := range 5 {
		g.write(g.on("repo", fmt.Sprintf("dir %d", k), fmt.Sprint("file", i%3)), strings.Repeat(fmt.Sprintf("line %d of %d\n", i, k), 1+i*k))
	}
	g.must("add", "-A")
	g.must("commit", "-q", "-m", fmt.Sprint("commit ", i))
}

// state is which commits and files there are.
func (g git) state() string {
	g.t.Helper()
	return g.must("log", "--format=%H %T %s", "--all") + "\n" + g.must("ls-files", "-s")
}

// same checks the repository, and that it has what it had.
func (g git) same(want string) {
	g.t.Helper()
	if got := g.state(); got != want {
		g.t.Errorf("the repository has\n%s\nwant\n%s", got, want)
	}
	g.must("fsck", "--full", "--strict", "--no-dangling")
	if s := g.must("status", "--porcelain"); s != "" {
		g.t.Errorf("status: %s", s)
	}
}
