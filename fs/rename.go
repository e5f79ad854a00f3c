package fs

import (
	"dfsmount/cache"
	"syscall"
)

// Flags of Rename, as renameat2(2) numbers them.
const (
	RenameNoReplace = 1
	RenameExchange  = 2
	RenameWhiteout  = 4
)

// Rename moves a name. If it replaces a file, what was written to the source before is committed first: after a crash the name has the
// old content or all of the new one (C1).
func (f *FS) Rename(c Caller, parent InodeID, name string, newParent InodeID, newName string, flags uint32) error {
	if err := validRename(name, newName, flags); err != nil {
		return err
	}
	if flags&RenameNoReplace == 0 {
		if err := f.flushSource(parent, name, newParent, newName, flags); err != nil {
			return err
		}
	}
	return f.update(grows, func(t *txn) error {
		m, err := t.move(parent, name, newParent, newName)
		if err != nil {
			return err
		}
		switch {
		case flags&RenameExchange != 0:
			return m.exchange()
		case flags&RenameNoReplace != 0 && m.to.exists:
			return syscall.EEXIST
		case m.to.exists && m.from.d.child == m.to.d.child:
			return nil // two names of one inode: nothing happens (POSIX)
		}
		if err := m.replace(); err != nil {
			return err
		}
		if flags&RenameWhiteout != 0 {
			return m.whiteout(c)
		}
		return nil
	})
}

func validRename(name, newName string, flags uint32) error {
	if flags&^(RenameNoReplace|RenameExchange|RenameWhiteout) != 0 ||
		flags&RenameExchange != 0 && flags&(RenameNoReplace|RenameWhiteout) != 0 {
		return syscall.EINVAL
	}
	if isDot(name) || isDot(newName) {
		return syscall.EBUSY
	}
	if err := validName(name); err != nil {
		return err
	}
	return validName(newName)
}

// flushSource commits the dirty data of what is about to take the place of something.
func (f *FS) flushSource(parent InodeID, name string, newParent InodeID, newName string, flags uint32) error {
	var source, target InodeID
	err := f.view(func(tx *cache.Tx) error {
		to, _, err := findEntry(tx, f.store.NameHash(uint64(newParent), newName), newParent, newName)
		if err != nil {
			return err
		}
		from, _, err := findEntry(tx, f.store.NameHash(uint64(parent), name), parent, name)
		source, target = from.child, to.child
		return err
	})
	if err == syscall.ENOENT || err == nil && source == target {
		return nil
	}
	if err == nil {
		err = f.flushID(source)
	}
	if err == nil && flags&RenameExchange != 0 {
		err = f.flushID(target)
	}
	return err
}

// flushID commits the dirty data an inode may have.
func (f *FS) flushID(id InodeID) error {
	if f.table.find(id) == nil {
		return nil
	}
	in := f.table.pin(id)
	defer f.table.unpin(in)
	return f.flush(in)
}

// place is one end of a rename.
type place struct {
	id     InodeID // of the directory
	dir    *record
	name   string
	exists bool
	d      dirent
	cookie uint64
	child  *record
}

// move is a rename under way.
type move struct {
	*txn
	from, to place
}

func (t *txn) move(parent InodeID, name string, newParent InodeID, newName string) (*move, error) {
	m := &move{txn: t, from: place{id: parent, name: name}, to: place{id: newParent, name: newName}}
	for _, p := range []*place{&m.from, &m.to} {
		var err error
		if p.dir, err = t.dir(p.id); err != nil {
			return nil, err
		}
	}
	if err := t.occupy(&m.from); err != nil {
		return nil, err
	}
	if err := t.occupy(&m.to); err != nil && err != syscall.ENOENT {
		return nil, err
	}
	return m, nil
}

// occupy finds what is at a place; ENOENT if nothing is.
func (t *txn) occupy(p *place) (err error) {
	if p.d, p.cookie, err = t.entry(p.id, p.name); err != nil {
		return err
	}
	p.exists = true
	p.child, err = t.edit(p.d.child)
	return dangling(err)
}

// below tells whether dir is id or somewhere under it.
func (t *txn) below(dir, id InodeID) (bool, error) {
	for dir != id {
		r, err := t.inode(dir)
		if err != nil {
			return false, dangling(err)
		}
		if r.parent == dir {
			return false, nil
		}
		dir = r.parent
	}
	return true, nil
}

// fits answers EINVAL if the directory p would come to be below itself in dir.
func (m *move) fits(p *place, dir InodeID) error {
	if !p.child.isDir() || p.id == dir {
		return nil
	}
	in, err := m.below(dir, p.d.child)
	if err == nil && in {
		err = syscall.EINVAL
	}
	return err
}

func (m *move) exchange() error {
	if !m.to.exists {
		return syscall.ENOENT
	}
	if m.from.d.child == m.to.d.child {
		return nil
	}
	if err := m.fits(&m.from, m.to.id); err != nil {
		return err
	}
	if err := m.fits(&m.to, m.from.id); err != nil {
		return err
	}
	a, b := m.from.d, m.to.d
	a.name, b.name = m.to.name, m.from.name
	m.Put(direntKey(m.to.id, m.to.cookie), a.encode())
	m.Put(direntKey(m.from.id, m.from.cookie), b.encode())
	m.rehome(m.from.child, m.from.dir, m.to.dir, m.to.id)
	m.rehome(m.to.child, m.to.dir, m.from.dir, m.from.id)
	m.touchDir(m.from.dir)
	m.touchDir(m.to.dir)
	return m.tooManyLinks()
}

// rehome moves a child from one directory's count of subdirectories to the other's.
func (m *move) rehome(child, from, to *record, toID InodeID) {
	child.ctime = m.now
	if child.isDir() {
		from.nlink--
		to.nlink++
		child.parent = toID
	}
}

func (m *move) tooManyLinks() error {
	if m.to.dir.nlink > MaxLinks || m.from.dir.nlink > MaxLinks {
		return syscall.EMLINK
	}
	return nil
}

func (m *move) replace() error {
	if err := m.fits(&m.from, m.to.id); err != nil {
		return err
	}
	d := m.from.d
	d.name = m.to.name
	if m.to.exists {
		if err := m.displace(); err != nil {
			return err
		}
		// The entry takes over the place: a position in the directory before it still leads to the name.
		m.Put(direntKey(m.to.id, m.to.cookie), d.encode())
		m.touchDir(m.to.dir)
	} else if err := m.enter(m.to.id, m.to.dir, d); err != nil {
		return err
	}
	m.rehome(m.from.child, m.from.dir, m.to.dir, m.to.id)
	m.unlink(m.from.id, m.from.dir, m.from.cookie)
	return m.tooManyLinks()
}

// displace takes the link of what is in the way.
func (m *move) displace() error {
	target := m.to.child
	if target.isDir() {
		// As in Linux: a directory that the source is in is not empty, before anything else.
		if above, err := m.below(m.from.id, m.to.d.child); err != nil {
			return err
		} else if above {
			return syscall.ENOTEMPTY
		}
	}
	switch {
	case target.isDir() && !m.from.child.isDir():
		return syscall.EISDIR
	case !target.isDir() && m.from.child.isDir():
		return syscall.ENOTDIR
	case target.isDir() && target.size > 0:
		return syscall.ENOTEMPTY
	}
	m.dropLink(m.to.d.child, target, m.to.dir)
	return nil
}

// whiteout leaves a character device 0:0 in the place that was left, as overlayfs wants it.
func (m *move) whiteout(c Caller) error {
	r := record{mode: syscall.S_IFCHR, nlink: 1}
	id, err := m.inherit(c, m.from.id, m.from.dir, &r)
	if err != nil {
		return err
	}
	m.add(id, r)
	return m.enter(m.from.id, m.from.dir, dirent{id, r.kind(), m.from.name})
}

// enter makes an entry for a name that is not there.
func (m *move) enter(id InodeID, dir *record, d dirent) error {
	cookie, err := m.vacancy(id, d.name)
	if err == nil {
		m.link(id, dir, cookie, d)
	}
	return err
}
