package fs

import "syscall"

// Link gives an inode one more name. An inode without any can get one only if Tmpfile made it and it never had one.
func (f *FS) Link(ino, parent InodeID, name string) (Attr, error) {
	if err := newName(name); err != nil {
		return Attr{}, err
	}
	var rec record
	err := f.update(grows, func(t *txn) error {
		dir, err := t.dir(parent)
		if err != nil {
			return err
		}
		cookie, err := t.vacancy(parent, name)
		if err != nil {
			return err
		}
		r, err := t.edit(ino)
		switch {
		case err != nil:
			return err
		case r.isDir():
			return syscall.EPERM
		case r.nlink >= MaxLinks:
			return syscall.EMLINK
		}
		if err := t.firstLink(ino, r); err != nil {
			return err
		}
		r.nlink++
		r.ctime = t.now
		rec = *r
		t.ref(ino)
		t.link(parent, dir, cookie, dirent{ino, r.kind(), name})
		return nil
	})
	if err != nil {
		return Attr{}, err
	}
	in := f.table.find(ino)
	return f.attr(in, &rec), nil
}

// firstLink makes an inode that has no link ready to have one.
func (t *txn) firstLink(id InodeID, r *record) error {
	if r.nlink > 0 {
		return nil
	}
	if r.flags&flagLinkable == 0 {
		return syscall.ENOENT
	}
	r.flags &^= flagLinkable
	t.Delete(orphanKey(id))
	t.linked = id
	return nil
}
