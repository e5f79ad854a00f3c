package fstest

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
)

// ref is a filesystem small enough to be believed: a tree of maps and byte slices.
type ref struct{ root *node }

type node struct {
	kind   uint32
	mode   uint32
	nlink  int
	data   []byte
	target string
	xattrs map[string]string
	kids   map[string]*node
	parent *node
}

func newRef() *ref { return &ref{newDir(nil, 0755)} }

func newDir(parent *node, mode uint32) *node {
	return &node{kind: syscall.S_IFDIR, mode: mode, nlink: 2, kids: map[string]*node{}, xattrs: map[string]string{}, parent: parent}
}

func (r *ref) walk(path string) (dir *node, name string, err error) {
	dir = r.root
	names := strings.Split(path, "/")
	for _, n := range names[:len(names)-1] {
		if dir = dir.kids[n]; dir == nil {
			return nil, "", syscall.ENOENT
		}
		if dir.kind == syscall.S_IFLNK {
			return nil, "", syscall.ENOENT // it dangles
		}
		if dir.kind != syscall.S_IFDIR {
			return nil, "", syscall.ENOTDIR
		}
	}
	return dir, names[len(names)-1], nil
}

func (r *ref) get(path string) (*node, error) {
	dir, name, err := r.walk(path)
	if err != nil {
		return nil, err
	}
	if n := dir.kids[name]; n != nil {
		return n, nil
	}
	return nil, syscall.ENOENT
}

// file is get for what must be a regular file.
func (r *ref) file(path string) (*node, error) {
	n, err := r.get(path)
	if err == nil && n.kind != syscall.S_IFREG {
		err = syscall.EINVAL
	}
	return n, err
}

func (r *ref) make(path string, n *node) error {
	dir, name, err := r.walk(path)
	if err != nil {
		return err
	}
	if dir.kids[name] != nil {
		return syscall.EEXIST
	}
	dir.kids[name] = n
	if n.kids != nil {
		n.parent = dir
		dir.nlink++
	}
	return nil
}

func (r *ref) create(path string) error {
	return r.make(path, &node{kind: syscall.S_IFREG, mode: 0644, nlink: 1, xattrs: map[string]string{}})
}
func (r *ref) mkdir(path string) error { return r.make(path, newDir(nil, 0755)) }
func (r *ref) symlink(target, path string) error {
	return r.make(path, &node{kind: syscall.S_IFLNK, mode: 0777, nlink: 1, target: target, xattrs: map[string]string{}})
}

func (r *ref) link(old, path string) error {
	n, err := r.get(old)
	if err != nil {
		return err
	}
	dir, name, err := r.walk(path)
	switch {
	case err != nil:
		return err
	case dir.kids[name] != nil:
		return syscall.EEXIST
	case n.kids != nil:
		return syscall.EPERM
	}
	dir.kids[name] = n
	n.nlink++
	return nil
}

func (r *ref) remove(path string, isDir bool) error {
	dir, name, err := r.walk(path)
	if err != nil {
		return err
	}
	n := dir.kids[name]
	switch {
	case n == nil:
		return syscall.ENOENT
	case isDir && n.kids == nil:
		return syscall.ENOTDIR
	case !isDir && n.kids != nil:
		return syscall.EISDIR
	case len(n.kids) > 0:
		return syscall.ENOTEMPTY
	}
	delete(dir.kids, name)
	if n.kids != nil {
		dir.nlink--
	}
	n.nlink--
	return nil
}

func (n *node) below(top *node) bool {
	for ; n != nil; n = n.parent {
		if n == top {
			return true
		}
	}
	return false
}

func (r *ref) rename(old, path string, flags uint32) error {
	from, a, err := r.walk(old)
	if err != nil {
		return err
	}
	to, b, err := r.walk(path)
	if err != nil {
		return err
	}
	n, m := from.kids[a], to.kids[b]
	switch {
	case n == nil, flags&exchange != 0 && m == nil:
		return syscall.ENOENT
	case flags&noReplace != 0 && m != nil:
		return syscall.EEXIST
	case n.kids != nil && to.below(n):
		return syscall.EINVAL
	case m != nil && m.kids != nil && from.below(m):
		if flags&exchange != 0 {
			return syscall.EINVAL
		}
		return syscall.ENOTEMPTY
	case n == m:
		return nil
	}
	if flags&exchange != 0 {
		from.kids[a], to.kids[b] = m, n
		n.moved(from, to)
		m.moved(to, from)
		return nil
	}
	if m != nil {
		switch {
		case m.kids != nil && n.kids == nil:
			return syscall.EISDIR
		case m.kids == nil && n.kids != nil:
			return syscall.ENOTDIR
		case len(m.kids) > 0:
			return syscall.ENOTEMPTY
		}
		if m.nlink--; m.kids != nil {
			to.nlink--
		}
	}
	delete(from.kids, a)
	to.kids[b] = n
	n.moved(from, to)
	return nil
}

func (n *node) moved(from, to *node) {
	if n.kids != nil {
		from.nlink--
		to.nlink++
		n.parent = to
	}
}

func (n *node) write(p []byte, off int) {
	if off+len(p) > len(n.data) {
		n.truncate(off + len(p))
	}
	copy(n.data[off:], p)
}

func (n *node) truncate(size int) {
	if size <= len(n.data) {
		n.data = n.data[:size:size]
	} else {
		n.data = append(n.data, make([]byte, size-len(n.data))...)
	}
}

func (n *node) zero(off, end int, grow bool) {
	if grow && end > len(n.data) {
		n.truncate(end)
	}
	if end = min(end, len(n.data)); off < end {
		clear(n.data[off:end])
	}
}

// same compares the whole tree with what a target has.
func (r *ref) same(c *C) {
	c.Helper()
	r.sameDir(c, r.root, "")
}

func (r *ref) sameDir(c *C, dir *node, path string) {
	c.Helper()
	at := path
	if at == "" {
		at = "."
	}
	d, err := c.Open(at, rdonly|syscall.O_DIRECTORY, 0)
	c.ok(err)
	got := names(c.list(d))
	c.ok(d.Close())
	if want := slices.Sorted(maps.Keys(dir.kids)); !slices.Equal(slices.Sorted(maps.Keys(got)), want) {
		c.Fatalf("%s has %v, want %v", at, got, want)
	}
	for name, n := range dir.kids {
		r.sameNode(c, n, strings.TrimPrefix(path+"/"+name, "/"))
	}
}

func (r *ref) sameNode(c *C, n *node, path string) {
	c.Helper()
	s := c.stat(path)
	got := fmt.Sprintf("%s: mode %o, nlink %d", path, s.Mode, s.Nlink)
	want := fmt.Sprintf("%s: mode %o, nlink %d", path, n.kind|n.mode, n.nlink)
	c.equal(got, want, "stat")
	attrs := map[string][]byte{}
	for name, value := range n.xattrs {
		attrs[name] = []byte(value)
	}
	c.listed(path, attrs)
	switch n.kind {
	case syscall.S_IFDIR:
		r.sameDir(c, n, path)
	case syscall.S_IFLNK:
		target, err := c.Readlink(path)
		c.ok(err)
		c.equal(target, n.target, "target of "+path)
	case syscall.S_IFREG:
		if got := c.content(path); !bytes.Equal(got, n.data) {
			c.same(got, n.data, path)
		}
	}
}
