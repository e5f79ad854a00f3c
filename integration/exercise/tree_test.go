package exercise

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	treeWorkers = 4
	treeSteps   = 900 // of a worker in a round
)

// treeUsers are the users that the workers are, if root runs the test.
var treeUsers = [treeWorkers]int{0, 0, 1001, 1002}

// Random work on names by several processes, in directories of their own and in one that all share, under both ways to cache.
func TestTree(t *testing.T) {
	for name, with := range map[string][]string{"writeback": nil, "writethrough": {"writethrough"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			episodes(t, "tree-"+name, func(e *episode) {
				e.with = with
				(&treeWork{episode: e, plain: e.world.Path("plain")}).run()
			})
		})
	}
}

// treeWork is two trees, and processes that do the same to both.
type treeWork struct {
	*episode
	plain string
	acls  bool // both have them
}

func (w *treeWork) run() {
	w.up()
	w.prepare()
	for round := range w.rounds {
		w.round(round)
		w.same(w.mount.Dir)
		i := w.next()
		if i == kill || i == killAndRemoveIndex {
			w.mount.Sync()
		}
		w.interrupt(i, func() {})
		if i != nothing {
			w.same(w.mount.Dir)
		}
	}
	w.finish(w.same)
}

// prepare makes the directories in both trees.
func (w *treeWork) prepare() {
	w.t.Helper()
	try := func(err error) {
		w.t.Helper()
		if err != nil {
			w.t.Fatal(err)
		}
	}
	try(os.Mkdir(w.plain, 0o755))
	w.acls = true
	for _, root := range []string{w.plain, w.mount.Dir} {
		shared := filepath.Join(root, sharedDir)
		try(os.Mkdir(shared, 0o777))
		try(os.Chmod(shared, 0o1777))
		for id := range treeWorkers {
			own := filepath.Join(root, ownDir(id))
			try(os.Mkdir(own, 0o755))
			try(os.Chmod(own, 0o755))
			if os.Geteuid() == 0 {
				try(os.Chown(own, treeUsers[id], treeUsers[id]))
			}
		}
		w.acls = w.acls && hasACLs(w.t, root)
	}
	if !w.acls {
		w.t.Log("without POSIX ACLs: the mount or the plain directory has none")
	}
}

func hasACLs(t *testing.T, root string) bool {
	t.Helper()
	path := filepath.Join(root, "probe")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(path)
	err := unix.Setxattr(path, aclAccess, aclBytes(aclEntry{aclUserObj, 6, 0}, aclEntry{aclUser, 4, 1001}, aclEntry{aclGroupObj, 4, 0},
		aclEntry{aclMask, 4, 0}, aclEntry{aclOther, 4, 0}), 0)
	if err != nil && err != unix.EOPNOTSUPP {
		t.Fatalf("set an ACL below %s: %v", root, err)
	}
	return err == nil
}

// round lets all workers work, each a process.
func (w *treeWork) round(round int) {
	w.t.Helper()
	var wg sync.WaitGroup
	for id := range treeWorkers {
		wg.Go(func() {
			if err := w.work(treeTask{Seed: w.seed, ID: id, Round: round, Steps: treeSteps, Plain: w.plain, Mount: w.mount.Dir, ACLs: w.acls}); err != nil {
				w.note("%d: FAILED: %v", id, err)
				w.t.Errorf("worker %d in round %d: %v", id, round, err)
			}
		})
	}
	wg.Wait()
	if w.t.Failed() {
		w.t.FailNow()
	}
	w.ops += treeWorkers * treeSteps
}

func (w *treeWork) work(task treeTask) error {
	if os.Geteuid() == 0 {
		task.User = treeUsers[task.ID]
	}
	text, err := json.Marshal(task)
	if err != nil {
		return err
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), taskVar+"="+string(text))
	var errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = w.log, &errs
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(errs.String()))
	}
	return nil
}

// same compares the tree in dir with the plain one.
func (w *treeWork) same(dir string) {
	w.t.Helper()
	want, err := listing(w.plain)
	if err != nil {
		w.t.Fatal(err)
	}
	got, err := listing(dir)
	if err != nil {
		w.t.Fatal(err)
	}
	if bytes.Equal(want, got) {
		return
	}
	w.note("FAILED: the trees differ")
	w.t.Fatalf("the trees differ (-plain, +mount):\n%s", unlike(want, got, 20))
}

// unlike shows the lines that are in one only.
func unlike(want, got []byte, limit int) string {
	a, b := map[string]bool{}, map[string]bool{}
	for line := range strings.Lines(string(want)) {
		a[line] = true
	}
	var out strings.Builder
	show := func(sign, line string) {
		if limit--; limit >= 0 {
			out.WriteString(sign + line)
		}
	}
	for line := range strings.Lines(string(got)) {
		b[line] = true
		if !a[line] {
			show("+", line)
		}
	}
	for line := range strings.Lines(string(want)) {
		if !b[line] {
			show("-", line)
		}
	}
	return out.String()
}
