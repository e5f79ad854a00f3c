package fs

import (
	"dfsmount/cache"
	"strings"
	"syscall"
)

// Flags of setxattr(2), and one of the kernel's own.
const (
	XattrCreate   = 1
	XattrReplace  = 2
	XattrKillSGID = 1 << 16 // with an access ACL: whoever sets it is not in the file's group
)

const capability = "security.capability"

// validXattr checks a name. Whose namespace may be written, and on what, the kernel has decided.
func validXattr(name string) error {
	if len(name) > maxXattrID {
		return syscall.ERANGE
	}
	space, rest, dot := strings.Cut(name, ".")
	if !dot {
		return syscall.EOPNOTSUPP
	}
	switch space {
	case "system":
		if name != accessACL && name != defaultACL {
			return syscall.EOPNOTSUPP
		}
		return nil
	case "user", "trusted", "security":
		if rest == "" || strings.ContainsRune(rest, 0) {
			return syscall.EINVAL
		}
		return nil
	}
	return syscall.EOPNOTSUPP
}

// xattrHash puts the names of attributes apart from those of files: no file's name has a zero byte.
func (f *FS) xattrHash(id InodeID, name string) uint64 {
	return f.store.NameHash(uint64(id), "\x00"+name) &^ tieMask
}

// findXattr looks for an attribute; its key is nil if there is none. free is a key it could have.
func findXattr(tx *cache.Tx, id InodeID, hash uint64, name string) (x xattr, key, free []byte, err error) {
	next := hash
	bad := tx.Scan(xattrKey(id, hash), keyAfter(xattrKey(id, hash|tieMask)), func(k, v []byte) bool {
		if x, err = decodeXattr(v); err != nil {
			return false
		}
		_, at, _ := parseKey2(tableXattr, k)
		if x.name == name {
			key = xattrKey(id, at)
			return false
		}
		if at == next {
			next++
		}
		return true
	})
	if bad != nil {
		err = bad
	}
	if err != nil || key != nil {
		return x, key, nil, err
	}
	if next > hash|tieMask || next < hash {
		return xattr{}, nil, nil, errTies
	}
	return xattr{}, nil, xattrKey(id, next), nil
}

func keyAfter(k []byte) []byte { return append(k[:len(k):len(k)], 0) }

// SetXattr sets an extended attribute. Flags as setxattr(2): 1 create, 2 replace; and XattrKillSGID.
func (f *FS) SetXattr(ino InodeID, name string, value []byte, flags uint32) error {
	killSGID := flags&XattrKillSGID != 0
	flags &^= XattrKillSGID
	if flags&^(XattrCreate|XattrReplace) != 0 {
		return syscall.EINVAL
	}
	if err := validXattr(name); err != nil {
		return err
	}
	if len(value) > MaxXattr {
		return syscall.E2BIG
	}
	return f.update(grows, func(t *txn) error {
		r, err := t.edit(ino)
		if err != nil {
			return err
		}
		r.ctime = t.now
		if name == accessACL || name == defaultACL {
			return t.setACL(ino, r, name, value, killSGID)
		}
		return t.setXattr(ino, r, name, value, flags)
	})
}

// setXattr stores an attribute.
func (t *txn) setXattr(id InodeID, r *record, name string, value []byte, flags uint32) error {
	_, key, free, err := findXattr(t.Tx, id, t.f.xattrHash(id, name), name)
	switch {
	case err != nil:
		return err
	case key != nil && flags&XattrCreate != 0:
		return syscall.EEXIST
	case key == nil && flags&XattrReplace != 0:
		return syscall.ENODATA
	case key == nil:
		if err := t.listable(id, r, name); err != nil {
			return err
		}
		key = free
		r.xattrs++
	}
	r.flags |= flagOf(name)
	t.Put(key, xattr{name, value}.encode())
	return nil
}

// maxXattrList is the most that the kernel lets listxattr(2) return: names, each with a NUL.
const maxXattrList = 65536

// listable answers ENOSPC if one more name would make the list longer than can be read: a copy of the file could then not be made.
func (t *txn) listable(id InodeID, r *record, name string) error {
	if (r.xattrs+1)*(maxXattrID+1) <= maxXattrList {
		return nil
	}
	names, err := listXattr(t.Tx, id)
	size := len(name) + 1
	for _, n := range names {
		size += len(n) + 1
	}
	if err == nil && size > maxXattrList {
		err = syscall.ENOSPC
	}
	return err
}

// flagOf is what an inode record says of an attribute that changes how the inode behaves.
func flagOf(name string) uint8 {
	switch name {
	case capability:
		return flagCapability
	case accessACL:
		return flagAccess
	case defaultACL:
		return flagDefault
	}
	return 0
}

// GetXattr returns the value of an extended attribute; ENODATA if there is none.
func (f *FS) GetXattr(ino InodeID, name string) ([]byte, error) {
	if err := validXattr(name); err != nil {
		return nil, err
	}
	none, err := f.noXattrs(ino)
	if err != nil {
		return nil, err
	}
	if none {
		return nil, syscall.ENODATA
	}
	hash := f.xattrHash(ino, name)
	var value []byte
	err = f.view(func(tx *cache.Tx) error {
		x, key, _, err := findXattr(tx, ino, hash, name)
		if err == nil && key == nil {
			err = syscall.ENODATA
		}
		value = append([]byte{}, x.value...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return value, nil
}

// noXattrs answers from the record: most inodes have none, and ls asks about each.
func (f *FS) noXattrs(ino InodeID) (bool, error) {
	in := f.table.pin(ino)
	defer f.table.unpin(in)
	rec, err := f.record(in)
	return rec.xattrs == 0, err
}

// ListXattr returns the names of all extended attributes.
func (f *FS) ListXattr(ino InodeID) (names []string, err error) {
	if none, err := f.noXattrs(ino); err != nil || none {
		return nil, err
	}
	err = f.view(func(tx *cache.Tx) error {
		names, err = listXattr(tx, ino)
		return err
	})
	return names, err
}

func listXattr(tx *cache.Tx, id InodeID) (names []string, err error) {
	first, last := rangeOf(tableXattr, id)
	bad := tx.Scan(first, last, func(_, v []byte) bool {
		var x xattr
		if x, err = decodeXattr(v); err != nil {
			return false
		}
		names = append(names, x.name)
		return true
	})
	if bad != nil {
		err = bad
	}
	if err != nil {
		return nil, err
	}
	return names, nil
}

// RemoveXattr removes an extended attribute; ENODATA if there is none, but for an ACL: every file has one, if only in its mode.
func (f *FS) RemoveXattr(ino InodeID, name string) error {
	if err := validXattr(name); err != nil {
		return err
	}
	return f.update(shrinks, func(t *txn) error {
		r, err := t.edit(ino)
		if err != nil {
			return err
		}
		if bit := flagOf(name); bit&(flagAccess|flagDefault) != 0 && r.flags&bit == 0 {
			return nil
		}
		return t.removeXattr(ino, r, name)
	})
}

func (t *txn) removeXattr(id InodeID, r *record, name string) error {
	_, key, _, err := findXattr(t.Tx, id, t.f.xattrHash(id, name), name)
	if err != nil {
		return err
	}
	if key == nil {
		return syscall.ENODATA
	}
	t.Delete(key)
	r.xattrs--
	r.flags &^= flagOf(name)
	r.ctime = t.now
	return nil
}

// dropCapability removes security.capability, which vouches for bytes that are about to change.
func (t *txn) dropCapability(id InodeID, r *record) error {
	if r.flags&flagCapability == 0 {
		return nil
	}
	return t.removeXattr(id, r, capability)
}
