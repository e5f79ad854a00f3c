package fs

import "syscall"

// Unlink removes a name that is not a directory's. The inode lives on while it has other names or references.
func (f *FS) Unlink(parent InodeID, name string) error {
	if isDot(name) {
		return syscall.EISDIR
	}
	return f.removeEntry(parent, name, func(t *txn, child *record) error {
		if child.isDir() {
			return syscall.EISDIR
		}
		return nil
	})
}

// Rmdir removes an empty directory.
func (f *FS) Rmdir(parent InodeID, name string) error {
	switch name {
	case ".":
		return syscall.EINVAL
	case "..":
		return syscall.ENOTEMPTY
	}
	return f.removeEntry(parent, name, func(t *txn, child *record) error {
		switch {
		case !child.isDir():
			return syscall.ENOTDIR
		case child.size > 0:
			return syscall.ENOTEMPTY
		}
		return nil
	})
}

func (f *FS) removeEntry(parent InodeID, name string, may func(t *txn, child *record) error) error {
	if err := validName(name); err != nil {
		return err
	}
	return f.update(shrinks, func(t *txn) error {
		dir, err := t.dir(parent)
		if err != nil {
			return err
		}
		d, cookie, err := t.entry(parent, name)
		if err != nil {
			return err
		}
		child, err := t.edit(d.child)
		if err != nil {
			return dangling(err)
		}
		if err := may(t, child); err != nil {
			return err
		}
		t.unlink(parent, dir, cookie)
		t.dropLink(d.child, child, dir)
		return nil
	})
}

// dropLink takes one link, or a directory's only place, from an inode whose entry in dir was removed.
func (t *txn) dropLink(id InodeID, r, dir *record) {
	r.ctime = t.now
	if r.isDir() {
		r.nlink = 0
		dir.nlink--
	} else {
		r.nlink--
	}
	if r.nlink == 0 {
		t.orphan(id)
	}
}

// orphan notes an inode that has no link.
func (t *txn) orphan(id InodeID) {
	t.Put(orphanKey(id), []byte{formatVersion})
	t.orphans = append(t.orphans, id)
}
