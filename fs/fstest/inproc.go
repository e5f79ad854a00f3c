package fstest

import (
	"context"
	"strings"
	"sync"
	"syscall"
	"time"

	"dfsmount/fs"

	"golang.org/x/sys/unix"
)

// inProcess is the root of an fs.FS. It does what the kernel does above a filesystem: walks paths and keeps open files.
type inProcess struct{ f *fs.FS }

// InProcess is the root directory of f, called directly.
func InProcess(f *fs.FS) Target { return inProcess{f} }

var (
	root = fs.Caller{}
	ctx  = context.Background()
)

func (t inProcess) Path() string { return "" }
func (t inProcess) Plain() bool  { return false }

// parent resolves all of a path but its last name. The reference to the parent is given back by done.
func (t inProcess) parent(path string) (dir fs.InodeID, name string, done func(), err error) {
	trimmed := strings.TrimRight(path, "/")
	names := strings.Split(trimmed, "/")
	dir = fs.Root
	done = func() {}
	for _, n := range names[:len(names)-1] {
		a, err := t.f.Lookup(dir, n)
		done()
		if err != nil {
			return 0, "", nil, err
		}
		if err := onTheWay(a); err != nil {
			t.f.Forget(a.Inode, 1)
			return 0, "", nil, err
		}
		dir, done = a.Inode, func() { t.f.Forget(a.Inode, 1) }
	}
	return dir, names[len(names)-1], done, nil
}

// onTheWay answers why a path cannot go on behind an inode. Symlinks are not followed: those that cases walk over dangle.
func onTheWay(a fs.Attr) error {
	switch a.Mode & syscall.S_IFMT {
	case syscall.S_IFDIR:
		return nil
	case syscall.S_IFLNK:
		return syscall.ENOENT
	}
	return syscall.ENOTDIR
}

// with runs fn on the inode a path leads to, and does not follow a symlink there.
func (t inProcess) with(path string, fn func(a fs.Attr) error) error {
	dir, name, done, err := t.parent(path)
	if err != nil {
		return err
	}
	defer done()
	if name == "" {
		name = "."
	}
	a, err := t.f.Lookup(dir, name)
	if err != nil {
		return err
	}
	defer t.f.Forget(a.Inode, 1)
	return fn(a)
}

// in runs fn on the directory a path is in, and drops the reference to what fn made.
func (t inProcess) in(path string, fn func(dir fs.InodeID, name string) (fs.Attr, error)) error {
	dir, name, done, err := t.parent(path)
	if err != nil {
		return err
	}
	defer done()
	a, err := fn(dir, name)
	if err == nil && a.Inode != 0 {
		t.f.Forget(a.Inode, 1)
	}
	return err
}

func (t inProcess) Open(path string, flags int, mode uint32) (File, error) {
	if flags&unix.O_TMPFILE == unix.O_TMPFILE {
		return t.tmpfile(path, mode)
	}
	dir, name, done, err := t.parent(path)
	if err != nil {
		return nil, err
	}
	defer done()
	if name == "" {
		name = "."
	}
	if flags&syscall.O_CREAT != 0 {
		a, err := t.f.Create(root, dir, name, mode)
		if err == nil {
			return &handle{t: t, id: a.Inode, flags: flags}, nil
		}
		if err != syscall.EEXIST || flags&syscall.O_EXCL != 0 {
			return nil, err
		}
	}
	a, err := t.f.Lookup(dir, name)
	if err != nil {
		return nil, err
	}
	h := &handle{t: t, id: a.Inode, flags: flags}
	if err := h.mayOpen(a); err != nil {
		t.f.Forget(a.Inode, 1)
		return nil, err
	}
	return h, nil
}

// mayOpen does what open(2) checks and changes.
func (h *handle) mayOpen(a fs.Attr) error {
	isDir := a.Mode&syscall.S_IFMT == syscall.S_IFDIR
	switch {
	case a.Mode&syscall.S_IFMT == syscall.S_IFLNK:
		return syscall.ELOOP
	case isDir && h.flags&(syscall.O_ACCMODE|syscall.O_CREAT) != 0:
		return syscall.EISDIR
	case !isDir && h.flags&syscall.O_DIRECTORY != 0:
		return syscall.ENOTDIR
	case h.flags&syscall.O_TRUNC != 0 && !isDir:
		return h.Truncate(0)
	}
	return nil
}

func (t inProcess) tmpfile(path string, mode uint32) (File, error) {
	var h *handle
	err := t.with(path, func(a fs.Attr) error {
		made, err := t.f.Tmpfile(root, a.Inode, mode)
		h = &handle{t: t, id: made.Inode}
		return err
	})
	if err != nil {
		return nil, err
	}
	return h, nil
}

func (t inProcess) Mkdir(path string, mode uint32) error {
	return t.in(path, func(d fs.InodeID, n string) (fs.Attr, error) { return t.f.Mkdir(root, d, n, mode) })
}
func (t inProcess) Mknod(path string, mode uint32, dev int) error {
	return t.in(path, func(d fs.InodeID, n string) (fs.Attr, error) {
		return t.f.Mknod(root, d, n, mode, uint32(dev))
	})
}
func (t inProcess) Symlink(target, path string) error {
	return t.in(path, func(d fs.InodeID, n string) (fs.Attr, error) { return t.f.Symlink(root, d, n, target) })
}
func (t inProcess) Readlink(path string) (target string, err error) {
	err = t.with(path, func(a fs.Attr) (err error) {
		target, err = t.f.Readlink(a.Inode)
		return err
	})
	return target, err
}
func (t inProcess) Link(old, path string) error {
	return t.with(old, func(a fs.Attr) error {
		return t.in(path, func(d fs.InodeID, n string) (fs.Attr, error) { return t.f.Link(a.Inode, d, n) })
	})
}
func (t inProcess) Unlink(path string) error {
	return t.in(path, func(d fs.InodeID, n string) (fs.Attr, error) { return fs.Attr{}, t.f.Unlink(d, n) })
}
func (t inProcess) Rmdir(path string) error {
	return t.in(path, func(d fs.InodeID, n string) (fs.Attr, error) { return fs.Attr{}, t.f.Rmdir(d, n) })
}
func (t inProcess) Rename(old, path string, flags uint32) error {
	return t.in(old, func(d fs.InodeID, n string) (fs.Attr, error) {
		return fs.Attr{}, t.in(path, func(nd fs.InodeID, nn string) (fs.Attr, error) {
			return fs.Attr{}, t.f.Rename(root, d, n, nd, nn, flags)
		})
	})
}
func (t inProcess) Lstat(path string) (s Stat, err error) {
	err = t.with(path, func(a fs.Attr) error {
		s = attrStat(a)
		return nil
	})
	return s, err
}

func (t inProcess) Btime(path string) (birth time.Time, err error) {
	err = t.with(path, func(a fs.Attr) error {
		birth = a.Btime
		return nil
	})
	return birth, err
}

func attrStat(a fs.Attr) Stat {
	return Stat{
		Inode: uint64(a.Inode), Nlink: uint64(a.Nlink), Rdev: uint64(a.Rdev), Size: a.Size, Blocks: a.Blocks,
		Mode: a.Mode, UID: a.UID, GID: a.GID, Atime: a.Atime, Mtime: a.Mtime, Ctime: a.Ctime,
	}
}

func (t inProcess) setAttr(path string, s fs.SetAttr) error {
	return t.with(path, func(a fs.Attr) error {
		_, err := t.f.SetAttr(a.Inode, s)
		return err
	})
}
func (t inProcess) Chmod(path string, mode uint32) error {
	return t.setAttr(path, fs.SetAttr{Mode: &mode})
}
func (t inProcess) Lchown(path string, uid, gid int) error {
	var s fs.SetAttr
	if uid >= 0 {
		s.UID = new(uint32)
		*s.UID = uint32(uid)
	}
	if gid >= 0 {
		s.GID = new(uint32)
		*s.GID = uint32(gid)
	}
	return t.setAttr(path, s)
}
func (t inProcess) Truncate(path string, size int64) error {
	n := uint64(size)
	return t.setAttr(path, fs.SetAttr{Size: &n})
}
func (t inProcess) Utimes(path string, atime, mtime time.Time) error {
	return t.setAttr(path, fs.SetAttr{Atime: &atime, Mtime: &mtime})
}
func (t inProcess) Setxattr(path, name string, value []byte, flags int) error {
	return t.with(path, func(a fs.Attr) error { return t.f.SetXattr(a.Inode, name, value, uint32(flags)) })
}
func (t inProcess) Getxattr(path, name string) (value []byte, err error) {
	err = t.with(path, func(a fs.Attr) (err error) {
		value, err = t.f.GetXattr(a.Inode, name)
		return err
	})
	return value, err
}
func (t inProcess) Listxattr(path string) (names []string, err error) {
	err = t.with(path, func(a fs.Attr) (err error) {
		names, err = t.f.ListXattr(a.Inode)
		return err
	})
	return names, err
}
func (t inProcess) Removexattr(path, name string) error {
	return t.with(path, func(a fs.Attr) error { return t.f.RemoveXattr(a.Inode, name) })
}
func (t inProcess) Statfs() (Statfs, error) {
	s, err := t.f.Statfs()
	return Statfs{s.Blocks, s.Free, s.Files, s.FilesFree, int64(s.BlockSize), int64(s.NameMax)}, err
}

// handle is an open file: a reference to an inode.
type handle struct {
	t     inProcess
	id    fs.InodeID
	flags int
	mu    sync.Mutex // orders appends, as the kernel's inode lock does
}

func (h *handle) ReadAt(p []byte, off int64) (int, error)  { return h.t.f.Read(ctx, h.id, p, off) }
func (h *handle) WriteAt(p []byte, off int64) (int, error) { return h.t.f.Write(h.id, p, off, false) }
func (h *handle) Append(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a, err := h.t.f.GetAttr(h.id)
	if err != nil {
		return 0, err
	}
	return h.WriteAt(p, int64(a.Size))
}
func (h *handle) Truncate(size int64) error {
	n := uint64(size)
	_, err := h.t.f.SetAttr(h.id, fs.SetAttr{Size: &n})
	return err
}
func (h *handle) Sync() error     { return h.t.f.Fsync(ctx, h.id, false) }
func (h *handle) Datasync() error { return h.t.f.Fsync(ctx, h.id, true) }
func (h *handle) Stat() (Stat, error) {
	a, err := h.t.f.GetAttr(h.id)
	return attrStat(a), err
}
func (h *handle) Fallocate(mode uint32, off, length int64) error {
	return h.t.f.Fallocate(h.id, mode, off, length)
}
func (h *handle) Seek(off int64, whence int) (int64, error) { return h.t.f.Seek(h.id, off, whence) }
func (h *handle) CopyTo(to File, off, toOff, length int64) (int64, error) {
	return h.t.f.CopyRange(h.id, off, to.(*handle).id, toOff, length)
}
func (h *handle) LinkAt(path string) error {
	return h.t.in(path, func(d fs.InodeID, n string) (fs.Attr, error) { return h.t.f.Link(h.id, d, n) })
}

// Entries alternates between the two ways to list, so that both are tested.
func (h *handle) Entries(cookie uint64) (list []Entry, err error) {
	add := func(d fs.Dirent) bool {
		list = append(list, Entry{d.Name, uint64(d.Inode), d.Mode, d.Cookie})
		return len(list) < 20
	}
	if cookie%2 == 0 {
		return list, h.t.f.ReadDir(h.id, cookie, add)
	}
	var bad error
	err = h.t.f.ReadDirPlus(h.id, cookie, func(d fs.Dirent, a fs.Attr) (take, more bool) {
		if a.Inode != d.Inode || a.Mode&syscall.S_IFMT != d.Mode {
			bad = syscall.EIO
		}
		return false, add(d)
	})
	if err == nil {
		err = bad
	}
	return list, err
}

func (h *handle) Close() error {
	h.t.f.Forget(h.id, 1)
	return nil
}
