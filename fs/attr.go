package fs

import (
	"syscall"
	"time"
)

const errInvalid = syscall.EINVAL

// GetAttr is stat(2).
func (f *FS) GetAttr(ino InodeID) (Attr, error) {
	in := f.table.find(ino)
	if in != nil {
		in.attr.Lock()
		if in.valid && in.pending == 0 {
			defer in.attr.Unlock()
			return attrOf(ino, &in.rec, &in.pend), nil
		}
		in.attr.Unlock()
	}
	in = f.table.pin(ino)
	defer f.table.unpin(in)
	rec, err := f.record(in)
	if err != nil {
		return Attr{}, err
	}
	return f.attr(in, &rec), nil
}

// SetAttr changes attributes, all that s names in one transaction, and returns the new ones.
func (f *FS) SetAttr(ino InodeID, s SetAttr) (Attr, error) {
	in := f.table.pin(ino)
	defer f.table.unpin(in)
	var err error
	if s.Size != nil {
		err = f.truncate(in, s)
	} else {
		err = f.setAttr(in, s)
	}
	if err != nil {
		return Attr{}, err
	}
	return f.GetAttr(ino)
}

// setAttr changes attributes other than the size. in.mu puts it in order with writes, whose times it may override.
func (f *FS) setAttr(in *inode, s SetAttr) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	return f.update(grows, func(t *txn) error {
		r, err := t.edit(in.id)
		if err != nil {
			return err
		}
		return t.setAttr(in, r, s)
	})
}

// setAttr applies s, but for the size, to r. in.mu is held.
func (t *txn) setAttr(in *inode, r *record, s SetAttr) error {
	after := in.pend
	after.apply(r)
	after.hasMtime, after.hasCtime = false, false
	t.setPend(in.id, after)
	if s.KillSUID {
		r.dropPrivileges()
	}
	if err := t.chown(in.id, r, s); err != nil {
		return err
	}
	if s.Mode != nil {
		r.mode = r.kind() | *s.Mode&07777
		if err := t.chmodACL(in.id, r); err != nil {
			return err
		}
	}
	setTime(&r.atime, s.Atime, s.AtimeNow, t.now)
	setTime(&r.mtime, s.Mtime, s.MtimeNow, t.now)
	r.ctime = t.now
	setTime(&r.ctime, s.Ctime, false, t.now)
	return nil
}

func setTime(dst *stamp, to *time.Time, isNow bool, now stamp) {
	switch {
	case isNow:
		*dst = now
	case to != nil:
		*dst = stampOf(*to)
	}
}

// chown changes the owner. As in Linux, a file that changes hands loses its privileges, whoever does it.
func (t *txn) chown(id InodeID, r *record, s SetAttr) error {
	if s.UID == nil && s.GID == nil {
		return nil
	}
	if s.UID != nil {
		r.uid = *s.UID
	}
	if s.GID != nil {
		r.gid = *s.GID
	}
	if r.isDir() {
		return nil
	}
	r.dropPrivileges()
	return t.dropCapability(id, r)
}
