package exercise

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// treeTask is what one process does in one round.
type treeTask struct {
	Seed         uint64
	ID, Round    int
	User         int // whom to be; 0: as started
	Steps        int
	Plain, Mount string // the trees' roots
	ACLs         bool
}

const sharedDir = "shared"

func ownDir(id int) string { return fmt.Sprint("own", id) }

// treeWorkerMain is the process. It prints every operation, and on standard error what was wrong.
func treeWorkerMain(task string) int {
	var w treeWorker
	if err := json.Unmarshal([]byte(task), &w.treeTask); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	w.rng = random(w.Seed, uint64(1000*w.ID+w.Round+1))
	w.trees = [2]*tree{{root: w.Plain}, {root: w.Mount}}
	if err := w.run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// treeWorker does the same to two trees. It touches names only that begin with its number, so that others cannot be in its way.
type treeWorker struct {
	treeTask
	rng   *rand.Rand
	trees [2]*tree
}

// tree is one of the two, and the files that are held open in it.
type tree struct {
	root string
	held [4]int // descriptors; 0: none
}

func (t *tree) at(path string) string { return t.root + "/" + path }

// operation is done to each tree; result and error have to be the same. Afterwards the paths in look are looked at.
type operation struct {
	text string
	do   func(t *tree) (result string, err error)
	look []string
}

func (w *treeWorker) run() error {
	if err := w.become(); err != nil {
		return fmt.Errorf("become user %d: %w", w.User, err)
	}
	unix.Umask([]int{0, 0o002, 0o022, 0o077}[w.rng.IntN(4)])
	for step := range w.Steps {
		op := w.choose()
		op.text = legible.Replace(op.text)
		fmt.Printf("%d: %s\n", w.ID, op.text)
		if err := w.both(op); err != nil {
			return fmt.Errorf("step %d: %s: %w", step, op.text, err)
		}
	}
	for _, t := range w.trees {
		for slot := range t.held {
			t.release(slot)
		}
	}
	return nil
}

// become gives up root's rights, once the program runs: its file may be where only root can reach it.
func (w *treeWorker) become() error {
	if w.User == 0 {
		return nil
	}
	if err := unix.Setgroups([]int{2000}); err != nil {
		return err
	}
	if err := unix.Setresgid(w.User, w.User, w.User); err != nil {
		return err
	}
	return unix.Setresuid(w.User, w.User, w.User)
}

func (w *treeWorker) both(op operation) error {
	want, wantErr := op.do(w.trees[0])
	got, gotErr := op.do(w.trees[1])
	if got != want || gotErr != wantErr {
		return fmt.Errorf("got %q and %v, want %q and %v", got, gotErr, want, wantErr)
	}
	for _, path := range op.look {
		if path == sharedDir { // others change it
			continue
		}
		if want, got := look(w.trees[0].at(path)), look(w.trees[1].at(path)); got != want {
			return fmt.Errorf("%v; then %s has %s, want %s", gotErr, path, got, want)
		}
	}
	return nil
}

// names that a worker uses: few, so that operations meet each other.
var names = []string{"a", "b", "c", "d", "ü", " ", "long" + strings.Repeat("x", 250)}

// legible shortens the long names in what is printed.
var legible = strings.NewReplacer(strings.Repeat("x", 250), "…", strings.Repeat("y", 256), "……")

func (w *treeWorker) name() string {
	return fmt.Sprint(w.ID) + names[min(w.rng.IntN(12), w.rng.IntN(len(names)))]
}

// path is one to three names below the own directory, or below the shared one.
func (w *treeWorker) path() string {
	parts := []string{ownDir(w.ID)}
	if w.rng.IntN(4) == 0 {
		parts[0] = sharedDir
	}
	for range 1 + w.rng.IntN(3) {
		parts = append(parts, w.name())
	}
	switch w.rng.IntN(60) {
	case 0:
		parts = append(parts, ".")
	case 1:
		parts[len(parts)-1] += "/"
	case 2:
		parts[len(parts)-1] += strings.Repeat("y", 256)
	}
	return strings.Join(parts, "/")
}

// around lists what an operation on paths can change.
func around(paths ...string) (list []string) {
	for _, p := range paths {
		list = append(list, p, filepath.Dir(p))
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func (w *treeWorker) choose() operation {
	p, q := w.path(), w.path()
	switch k := w.rng.IntN(100); {
	case k < 9:
		return w.create(p)
	case k < 17:
		mode := w.mode()
		return simple(fmt.Sprintf("mkdir %q %o", p, mode), func(t *tree) error { return unix.Mkdir(t.at(p), mode) }, p)
	case k < 20:
		to := fmt.Sprint(w.ID) + []string{"a", "b", "c/" + fmt.Sprint(w.ID) + "a", "nowhere"}[w.rng.IntN(4)]
		return simple(fmt.Sprintf("symlink %q to %q", p, to), func(t *tree) error { return unix.Symlink(to, t.at(p)) }, p)
	case k < 26:
		flags := []int{0, 0, unix.AT_SYMLINK_FOLLOW}[w.rng.IntN(3)]
		return simple(fmt.Sprintf("link %q as %q, flags %x", p, q, flags),
			func(t *tree) error { return unix.Linkat(unix.AT_FDCWD, t.at(p), unix.AT_FDCWD, t.at(q), flags) }, p, q)
	case k < 29:
		return w.mknod(p)
	case k < 36:
		return simple(fmt.Sprintf("unlink %q", p), func(t *tree) error { return unix.Unlink(t.at(p)) }, p)
	case k < 40:
		return simple(fmt.Sprintf("rmdir %q", p), func(t *tree) error { return unix.Rmdir(t.at(p)) }, p)
	case k < 55:
		flags := []uint{0, 0, 0, unix.RENAME_NOREPLACE, unix.RENAME_EXCHANGE, unix.RENAME_WHITEOUT, unix.RENAME_NOREPLACE | unix.RENAME_EXCHANGE}[w.rng.IntN(7)]
		return simple(fmt.Sprintf("rename %q to %q, flags %x", p, q, flags), func(t *tree) error { return t.rename(p, q, flags) }, p, q)
	case k < 70:
		return w.chooseAttr(p)
	case k < 85:
		return w.chooseContent(p)
	case k < 93:
		return w.chooseHeld(p)
	}
	return w.chooseLook(p)
}

// simple is an operation with no result but its error.
func simple(text string, do func(t *tree) error, paths ...string) operation {
	return operation{text, func(t *tree) (string, error) { return "", do(t) }, around(paths...)}
}

// rename leaves no whiteout when a directory is in the way: ext4 makes it, and changes the time of its directory, before it finds that
// the other is not empty.
func (t *tree) rename(p, q string, flags uint) error {
	var st unix.Stat_t
	if flags == unix.RENAME_WHITEOUT && unix.Lstat(t.at(q), &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
		flags = 0
	}
	return unix.Renameat2(unix.AT_FDCWD, t.at(p), unix.AT_FDCWD, t.at(q), flags)
}

// mode is mostly one with which the owner can go on working.
func (w *treeWorker) mode() uint32 {
	m := w.rng.Uint32N(0o10000)
	if w.rng.IntN(3) > 0 {
		m &= 0o777
	}
	if w.rng.IntN(8) > 0 || w.looksItself() {
		m |= 0o700
	}
	return m
}

// looksItself is true where a plain user runs the test, and has to be able to compare.
func (w *treeWorker) looksItself() bool { return w.User == 0 && os.Geteuid() != 0 }

func (w *treeWorker) create(p string) operation {
	mode, flags := w.mode(), unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC|unix.O_NONBLOCK
	flags |= []int{0, unix.O_EXCL, unix.O_TRUNC, unix.O_NOFOLLOW}[w.rng.IntN(4)]
	return simple(fmt.Sprintf("create %q %o, flags %x", p, mode, flags), func(t *tree) error {
		fd, err := t.open(p, flags, mode)
		if err != nil {
			return err
		}
		return unix.Close(fd)
	}, p)
}

func (w *treeWorker) mknod(p string) operation {
	mode := w.mode() | []uint32{unix.S_IFIFO, unix.S_IFSOCK, unix.S_IFREG, unix.S_IFCHR, unix.S_IFBLK}[w.rng.IntN(5)]
	dev := 0
	if mode&unix.S_IFMT == unix.S_IFCHR || mode&unix.S_IFMT == unix.S_IFBLK {
		dev = int(unix.Mkdev(w.rng.Uint32N(4000), w.rng.Uint32N(1<<20)))
	}
	return simple(fmt.Sprintf("mknod %q %o %x", p, mode, dev), func(t *tree) error { return unix.Mknod(t.at(p), mode, dev) }, p)
}

// open opens a file, but no device, whether that is allowed being a matter of how each tree is mounted, and no FIFO: bytes in one change
// its time on ext4, and a FUSE filesystem does not learn of them.
func (t *tree) open(p string, flags int, mode uint32) (int, error) {
	var st unix.Stat_t
	if err := unix.Stat(t.at(p), &st); err == nil {
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFCHR, unix.S_IFBLK, unix.S_IFIFO:
			return 0, unix.ENODEV
		}
	}
	return unix.Open(t.at(p), flags|unix.O_CLOEXEC|unix.O_NONBLOCK, mode)
}
