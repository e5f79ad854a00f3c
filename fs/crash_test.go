package fs

import (
	"bytes"
	"dfsmount/cache"
	"dfsmount/internal/disk/simdisk"
	"dfsmount/seal"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// tiny makes everything happen often.
func tiny(d *simdisk.Disk) cache.Options {
	return cache.Options{
		Disk: d, SegmentSize: 64 << 10, MaxSegmentSize: 1 << 20, SealAge: 2 * time.Millisecond, CommitInterval: 3 * time.Millisecond,
		OverlayBytes: 24 << 10, PageCacheBytes: 16 << 10, ExtentBytes: 64 << 10, OpenSegments: 3, CheckpointMin: 16 << 10,
	}
}

// moment is what a crash may leave: the tree after some operation, and how long files are at least.
type moment struct {
	tree  string
	least map[InodeID]int
}

// crasher works on a filesystem whose disk will stop. Every file holds a prefix of its own pattern, so that a byte that is not what was
// written there is seen: a zero above all.
type crasher struct {
	t       *testing.T
	f       *FS
	rng     *rand.Rand
	moments []moment
	acked   int             // index of the oldest moment a crash may leave
	synced  map[InodeID]int // length that an fsync acknowledged
	length  map[InodeID]int
	least   map[InodeID]int // length at which a rename over another file put it in place
	names   map[string]InodeID
	dirs    map[string]InodeID
	n       int
}

func newCrasher(t *testing.T, f *FS, seed uint64) *crasher {
	c := &crasher{
		t: t, f: f, rng: rand.New(rand.NewPCG(seed, 3)), synced: map[InodeID]int{}, length: map[InodeID]int{}, least: map[InodeID]int{},
		names: map[string]InodeID{}, dirs: map[string]InodeID{"": Root},
	}
	c.done()
	return c
}

// tree is the names as the reference has them.
func (c *crasher) tree() string {
	var l []string
	for name, id := range c.names {
		l = append(l, fmt.Sprint(name, "=", id))
	}
	for name := range c.dirs {
		l = append(l, name+"/")
	}
	slices.Sort(l)
	return strings.Join(l, " ")
}

// done notes the state after an operation.
func (c *crasher) done() { c.moments = append(c.moments, moment{c.tree(), maps.Clone(c.least)}) }

func (c *crasher) dir() (string, InodeID) {
	all := slices.Sorted(maps.Keys(c.dirs))
	name := all[c.rng.IntN(len(all))]
	return name, c.dirs[name]
}

func (c *crasher) some() (string, InodeID, bool) {
	if len(c.names) == 0 {
		return "", 0, false
	}
	all := slices.Sorted(maps.Keys(c.names))
	name := all[c.rng.IntN(len(all))]
	return name, c.names[name], true
}

// place splits a path of the reference.
func (c *crasher) place(path string) (InodeID, string) {
	i := strings.LastIndexByte(path, '/')
	return c.dirs[path[:max(i, 0)]], path[i+1:]
}

func (c *crasher) step() error {
	c.n++
	switch c.rng.IntN(10) {
	case 0, 1:
		return c.create()
	case 2:
		return c.replace()
	case 3:
		return c.move()
	case 4:
		return c.unlink()
	case 5:
		name, id := c.dir()
		if len(c.dirs) > 5 {
			return nil
		}
		sub := fmt.Sprint("d", c.n)
		a, err := c.f.Mkdir(Caller{}, id, sub, 0755)
		if err != nil {
			return err
		}
		c.dirs[strings.TrimPrefix(name+"/"+sub, "/")] = a.Inode
		c.done()
	case 6:
		return c.fsync()
	default:
		if _, id, ok := c.some(); ok {
			return c.grow(id)
		}
	}
	return nil
}

func (c *crasher) create() error {
	dir, id := c.dir()
	name := fmt.Sprint("f", c.n)
	a, err := c.f.Create(Caller{}, id, name, 0644)
	if err != nil {
		return err
	}
	c.names[strings.TrimPrefix(dir+"/"+name, "/")] = a.Inode
	c.done()
	return c.grow(a.Inode)
}

// grow appends to a file, now and then much.
func (c *crasher) grow(id InodeID) error {
	n := 1 + c.rng.IntN(3000)
	if c.rng.IntN(8) == 0 {
		n = 200<<10 + c.rng.IntN(200<<10)
	}
	at := c.length[id]
	if _, err := c.f.Write(id, patternOf(id, at+n)[at:], int64(at), false); err != nil {
		return err
	}
	c.length[id] = at + n
	return nil
}

func patternOf(id InodeID, n int) []byte {
	return bytes.ReplaceAll(random(uint64(id), n), []byte{0}, []byte{1})
}

// replace writes a new file and renames it over another, without fsync.
func (c *crasher) replace() error {
	old, _, ok := c.some()
	if !ok {
		return nil
	}
	if err := c.create(); err != nil {
		return err
	}
	for name, id := range c.names {
		if strings.HasSuffix(name, fmt.Sprint("f", c.n)) {
			return c.rename(name, id, old)
		}
	}
	return nil
}

func (c *crasher) move() error {
	name, id, ok := c.some()
	if !ok {
		return nil
	}
	dir, _ := c.dir()
	return c.rename(name, id, strings.TrimPrefix(fmt.Sprint(dir, "/m", c.n), "/"))
}

func (c *crasher) rename(name string, id InodeID, to string) error {
	from, a := c.place(name)
	dir, b := c.place(to)
	if _, taken := c.names[to]; taken && name != to {
		c.least[id] = c.length[id]
	}
	delete(c.names, name)
	c.names[to] = id
	c.done() // even if it fails, it may have happened
	return c.f.Rename(Caller{}, from, a, dir, b, 0)
}

func (c *crasher) unlink() error {
	name, _, ok := c.some()
	if !ok {
		return nil
	}
	dir, base := c.place(name)
	delete(c.names, name)
	c.done()
	return c.f.Unlink(dir, base)
}

func (c *crasher) fsync() error {
	_, id, ok := c.some()
	if !ok {
		return nil
	}
	n, at := c.length[id], len(c.moments)-1
	if err := c.f.Fsync(ctx, id, false); err != nil {
		return err
	}
	c.synced[id], c.acked = n, at
	return nil
}

// recovered compares what a crash left with what it may leave.
func (c *crasher) recovered(f *FS) {
	c.t.Helper()
	names, dirs := map[string]InodeID{}, []string{"/"}
	walk(c.t, f, Root, "", names, &dirs)
	l := dirs
	for name, id := range names {
		l = append(l, fmt.Sprint(name, "=", id))
	}
	slices.Sort(l)
	tree := strings.Join(l, " ")
	size := map[InodeID]int{}
	for name, id := range names {
		got := content(c.t, f, id)
		size[id] = len(got)
		if want := patternOf(id, len(got)); !bytes.Equal(got, want) {
			c.t.Fatalf("%s (inode %d) has other bytes than were written: %d of %d are zeros", name, id, bytes.Count(got, []byte{0}), len(got))
		}
		if len(got) < c.synced[id] {
			c.t.Fatalf("%s (inode %d) has %d bytes, and fsync acknowledged %d", name, id, len(got), c.synced[id])
		}
	}
	why := "it is no state from the last acknowledged one on"
	for _, m := range c.moments[c.acked:] {
		if m.tree != tree {
			continue
		}
		if why = m.missing(size); why == "" {
			return
		}
	}
	c.t.Fatalf("after a crash: %s\n%s\nlast moments:\n%s", why, tree, c.moments[len(c.moments)-1].tree)
}

func (m moment) missing(size map[InodeID]int) string {
	for id, n := range m.least {
		if got, there := size[id]; there && got < n {
			return fmt.Sprintf("inode %d took another's place with %d bytes, and has %d", id, n, got)
		}
	}
	return ""
}

func walk(t *testing.T, f *FS, dir InodeID, path string, names map[string]InodeID, dirs *[]string) {
	t.Helper()
	ok(t, f.ReadDir(dir, 0, func(d Dirent) bool {
		name := strings.TrimPrefix(path+"/"+d.Name, "/")
		switch {
		case isDot(d.Name):
		case d.Mode == syscall.S_IFDIR:
			*dirs = append(*dirs, name+"/")
			walk(t, f, d.Inode, name, names, dirs)
		default:
			names[name] = d.Inode
		}
		return true
	}))
}

// TestCrash stops the disk at operation k, for k on and on until a run ends unharmed. What a crash leaves is a whole tree as it was
// after some operation, not before the last acknowledged one; files are prefixes of what was written, as long as fsync acknowledged,
// and all of them where they were renamed over another.
func TestCrash(t *testing.T) {
	step := 5
	if testing.Short() || raceEnabled {
		step = 149
	}
	for seed := range uint64(5) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			t.Parallel()
			for k := 1 + int(seed); !crashAt(t, k, seed); k += step {
			}
		})
	}
}

func crashAt(t *testing.T, k int, seed uint64) (unharmed bool) {
	t.Helper()
	defer func() {
		if t.Failed() || unharmed {
			t.Logf("seed %d, stopped at operation %d of the disk", seed, k)
		}
	}()
	d := simdisk.New()
	s, err := cache.Create(ctx, "", seal.TestKeys(), tiny(d))
	ok(t, err)
	f, err := New(s, Options{DirtyBytes: 1 << 20, DirtyAge: time.Millisecond})
	ok(t, err)
	ok(t, f.SyncAll(ctx))
	d.StopAt(k)
	c := newCrasher(t, f, seed)
	for err == nil && c.n < 200 {
		err = c.step()
	}
	if err != nil && !d.Stopped() {
		t.Fatalf("stopped at %d: %v", k, err)
	}
	unharmed = !d.Stopped()
	crashed := d.Crash(uint64(k))
	_, _ = f.Close(), s.Close() // of a disk that is gone

	s, err = cache.Open(ctx, "", seal.TestKeys(), tiny(crashed))
	ok(t, err)
	f, err = New(s, Options{})
	ok(t, err)
	check(t, f)
	c.recovered(f)
	ok(t, f.Close())
	ok(t, s.Close())
	return unharmed
}
