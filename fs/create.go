package fs

import "syscall"

// Mkdir makes a directory.
func (f *FS) Mkdir(c Caller, parent InodeID, name string, mode uint32) (Attr, error) {
	return f.make(c, parent, name, record{mode: syscall.S_IFDIR | mode&07777, nlink: 2})
}

// Mknod makes a regular file, fifo, socket or device.
func (f *FS) Mknod(c Caller, parent InodeID, name string, mode, rdev uint32) (Attr, error) {
	r := record{mode: mode & (syscall.S_IFMT | 07777), nlink: 1}
	switch r.kind() {
	case 0:
		r.mode |= syscall.S_IFREG
	case syscall.S_IFCHR, syscall.S_IFBLK:
		r.rdev = rdev
	case syscall.S_IFREG, syscall.S_IFIFO, syscall.S_IFSOCK:
	case syscall.S_IFDIR:
		return Attr{}, syscall.EPERM
	default:
		return Attr{}, syscall.EINVAL
	}
	return f.make(c, parent, name, r)
}

// Create makes a regular file; EEXIST if the name is taken.
func (f *FS) Create(c Caller, parent InodeID, name string, mode uint32) (Attr, error) {
	return f.Mknod(c, parent, name, syscall.S_IFREG|mode&07777, 0)
}

// Symlink makes a symbolic link to target, which is kept as it is.
func (f *FS) Symlink(c Caller, parent InodeID, name, target string) (Attr, error) {
	switch {
	case target == "":
		return Attr{}, syscall.ENOENT
	case len(target) > MaxTarget:
		return Attr{}, syscall.ENAMETOOLONG
	}
	return f.make(c, parent, name, record{mode: syscall.S_IFLNK | 0777, nlink: 1, size: uint64(len(target)), target: target})
}

// Readlink returns the target of a symbolic link.
func (f *FS) Readlink(ino InodeID) (string, error) {
	in := f.table.pin(ino)
	defer f.table.unpin(in)
	rec, err := f.record(in)
	if err != nil {
		return "", err
	}
	if rec.kind() != syscall.S_IFLNK {
		return "", syscall.EINVAL
	}
	return rec.target, nil
}

// make adds an inode and its name.
func (f *FS) make(c Caller, parent InodeID, name string, r record) (Attr, error) {
	if err := newName(name); err != nil {
		return Attr{}, err
	}
	var id InodeID
	err := f.update(grows, func(t *txn) (err error) {
		dir, err := t.dir(parent)
		if err != nil {
			return err
		}
		cookie, err := t.vacancy(parent, name)
		if err != nil {
			return err
		}
		if id, err = t.inherit(c, parent, dir, &r); err != nil {
			return err
		}
		if r.isDir() {
			if dir.nlink >= MaxLinks {
				return syscall.EMLINK
			}
			dir.nlink++
		}
		t.add(id, r)
		t.ref(id)
		t.link(parent, dir, cookie, dirent{id, r.kind(), name})
		return nil
	})
	if err != nil {
		return Attr{}, err
	}
	return attrOf(id, &r, &pend{}), nil
}

// inherit fills in what a new inode has from its maker, its parent and the moment.
func (t *txn) inherit(c Caller, parent InodeID, dir, r *record) (InodeID, error) {
	r.uid, r.gid = c.UID, c.GID
	if dir.mode&syscall.S_ISGID != 0 {
		r.gid = dir.gid
		if r.isDir() {
			r.mode |= syscall.S_ISGID
		}
	}
	if r.isDir() {
		r.parent = parent
	}
	r.atime, r.mtime, r.ctime, r.btime = t.now, t.now, t.now, t.now
	id, err := t.newInode()
	if err == nil {
		err = t.inheritACL(parent, dir, id, r, c.Umask)
	}
	return id, err
}

// Tmpfile makes a regular file without a name (O_TMPFILE) in the directory's filesystem.
func (f *FS) Tmpfile(c Caller, dir InodeID, mode uint32) (Attr, error) {
	r := record{mode: syscall.S_IFREG | mode&07777, flags: flagLinkable}
	var id InodeID
	err := f.update(grows, func(t *txn) error {
		d, err := t.inode(dir)
		switch {
		case err != nil:
			return err
		case !d.isDir():
			return syscall.ENOTDIR
		case d.nlink == 0:
			return syscall.ENOENT
		}
		if id, err = t.inherit(c, dir, d, &r); err != nil {
			return err
		}
		t.add(id, r)
		t.ref(id)
		t.orphan(id)
		return nil
	})
	if err != nil {
		return Attr{}, err
	}
	return attrOf(id, &r, &pend{}), nil
}
