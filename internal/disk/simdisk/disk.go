package simdisk

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"

	"dfsmount/internal/disk"
)

// ErrStopped is the answer of a disk that was stopped, or that was left behind by a crash.
var ErrStopped = errors.New("simulated disk: stopped")

// Unlimited is the capacity of a new Disk.
const Unlimited = int64(1) << 50

// Disk implements disk.FS. Safe for concurrent use.
type Disk struct {
	mu       sync.Mutex
	root     *inode
	pending  []rename // changes of names that are not durable, in order
	nextID   uint64
	ops      int // mutating operations so far
	stopAt   int // the number of the one to stop at; 0 for none
	stopped  bool
	capacity int64
	used     int64
	faults   []*Fault
	rng      *rand.Rand // what a failed Datasync leaves on the disk
}

// place is a name in a directory.
type place struct {
	dir  *inode
	name string
}

// rename is any change of names: a file (nil: nothing) gets the name to, and gives up the name from.
type rename struct {
	from, to place // from.dir or to.dir is nil if there is none
	node     *inode
}

// New returns an empty disk without limits.
func New() *Disk {
	d := &Disk{capacity: Unlimited, rng: rand.New(rand.NewPCG(1, 1))}
	d.root = d.newDir()
	return d
}

func (d *Disk) newNode() *inode {
	d.nextID++
	return &inode{id: d.nextID, now: newContent(), durable: newContent()}
}

func (d *Disk) newDir() *inode {
	n := d.newNode()
	n.names, n.kept = map[string]*inode{}, map[string]*inode{}
	return n
}

// Open implements disk.FS.
func (d *Disk) Open(name string, how disk.Flag) (disk.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if how != disk.Create {
		return d.openLocked(name, how)
	}
	p, have, err := d.lookupLocked("open", name)
	if err == nil && have != nil {
		err = fail("open", name, syscall.EEXIST)
	}
	if err != nil {
		return nil, err
	}
	n := d.newNode()
	err = d.mutateLocked(Create, name, func() { d.nameLocked(rename{to: p, node: n}) })
	if err != nil {
		return nil, err
	}
	n.handles++
	return &file{d: d, node: n, path: name, writable: true}, nil
}

func (d *Disk) openLocked(name string, how disk.Flag) (disk.File, error) {
	_, n, err := d.lookupLocked("open", name)
	switch {
	case err != nil:
		return nil, err
	case n == nil:
		return nil, fail("open", name, syscall.ENOENT)
	case n.isDir():
		return nil, fail("open", name, syscall.EISDIR)
	}
	if err := d.faultLocked(Open, name); err != nil {
		return nil, err
	}
	n.handles++
	return &file{d: d, node: n, path: name, writable: how == disk.Write}, nil
}

// Mkdir implements disk.FS.
func (d *Disk) Mkdir(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, have, err := d.lookupLocked("mkdir", name)
	switch {
	case err != nil:
		return err
	case have != nil && have.isDir():
		return nil
	case have != nil:
		return fail("mkdir", name, syscall.ENOTDIR)
	}
	return d.mutateLocked(Mkdir, name, func() { d.nameLocked(rename{to: p, node: d.newDir()}) })
}

// Rename implements disk.FS.
func (d *Disk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	src, n, err := d.lookupLocked("rename", from)
	if err == nil && n == nil {
		err = fail("rename", from, syscall.ENOENT)
	}
	if err != nil {
		return err
	}
	dst, old, err := d.lookupLocked("rename", to)
	switch {
	case err != nil:
		return err
	case n.isDir() || (old != nil && old.isDir()):
		return fail("rename", to, syscall.EISDIR) // no user of disk.FS renames directories
	case n == old:
		return nil
	}
	return d.mutateLocked(Rename, to, func() { d.nameLocked(rename{from: src, to: dst, node: n}) })
}

// Remove implements disk.FS.
func (d *Disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, n, err := d.lookupLocked("remove", name)
	switch {
	case err != nil:
		return err
	case n == nil:
		return fail("remove", name, syscall.ENOENT)
	case n.isDir():
		return fail("remove", name, syscall.EISDIR)
	}
	return d.mutateLocked(Remove, name, func() { d.nameLocked(rename{from: p}) })
}

// List implements disk.FS.
func (d *Disk) List(dir string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.dirLocked("list", dir)
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(n.names)), nil
}

// SyncDir implements disk.FS.
func (d *Disk) SyncDir(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.dirLocked("syncdir", dir)
	if err != nil {
		return err
	}
	if err := d.beginLocked(SyncDir, dir); err != nil {
		return err
	}
	d.pending = slices.DeleteFunc(d.pending, func(r rename) bool {
		if r.from.dir != n && r.to.dir != n {
			return false
		}
		r.apply((*inode).durableNames)
		return true
	})
	return nil
}

// Free implements disk.FS.
func (d *Disk) Free() (bytes int64, total int64, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return 0, 0, ErrStopped
	}
	return max(0, d.capacity-d.used), d.capacity, nil
}

// nameLocked makes a change of names visible and remembers that it is not durable.
func (d *Disk) nameLocked(r rename) {
	if r.node != nil {
		r.node.links++ // before the old name goes: a file between two names must not be given up
	}
	for _, p := range []place{r.from, r.to} {
		if p.dir != nil && p.dir.names[p.name] != nil {
			d.unlinkLocked(p.dir.names[p.name])
		}
	}
	r.apply((*inode).visibleNames)
	d.pending = append(d.pending, r)
}

func (n *inode) visibleNames() map[string]*inode { return n.names }
func (n *inode) durableNames() map[string]*inode { return n.kept }

func (r rename) apply(names func(*inode) map[string]*inode) {
	if r.from.dir != nil {
		delete(names(r.from.dir), r.from.name)
	}
	if r.to.dir != nil {
		names(r.to.dir)[r.to.name] = r.node
	}
}

func (d *Disk) unlinkLocked(n *inode) {
	n.links--
	d.freeLocked(n)
}

// freeLocked gives the room of a file back once nothing refers to it.
func (d *Disk) freeLocked(n *inode) {
	if n.links == 0 && n.handles == 0 {
		d.used -= n.now.size
	}
}

// lookupLocked finds the place a path names and what is there, if anything.
func (d *Disk) lookupLocked(op, name string) (place, *inode, error) {
	if d.stopped {
		return place{}, nil, ErrStopped
	}
	dir, last := path.Split(name)
	if last == "" || last == "." || last == ".." {
		return place{}, nil, fail(op, name, syscall.EINVAL)
	}
	n, err := d.dirLocked(op, strings.TrimSuffix(dir, "/"))
	if err != nil {
		return place{}, nil, err
	}
	return place{n, last}, n.names[last], nil
}

func (d *Disk) dirLocked(op, name string) (*inode, error) {
	if d.stopped {
		return nil, ErrStopped
	}
	n := d.root
	if name == "" || name == "." {
		return n, nil
	}
	for _, part := range strings.Split(name, "/") {
		if n = n.names[part]; n == nil {
			return nil, fail(op, name, syscall.ENOENT)
		}
		if !n.isDir() {
			return nil, fail(op, name, syscall.ENOTDIR)
		}
	}
	return n, nil
}

func fail(op, name string, err error) error {
	if err == syscall.ENOSPC {
		err = fmt.Errorf("%w: %w", disk.ErrFull, err)
	}
	return &iofs.PathError{Op: op, Path: name, Err: err}
}
