package fs

import (
	"encoding/binary"
	"slices"
	"syscall"
)

// The extended attributes of POSIX ACLs (acl(5)). The kernel obeys them; what they do to modes and to what is made in a
// directory is ours.
const (
	accessACL  = "system.posix_acl_access"
	defaultACL = "system.posix_acl_default"
)

// Tags of an entry, in the order of a list.
const (
	aclUserObj  = 0x01
	aclUser     = 0x02
	aclGroupObj = 0x04
	aclGroup    = 0x08
	aclMask     = 0x10
	aclOther    = 0x20
)

type aclEntry struct {
	tag, perm uint16
	id        uint32
}

type acl []aclEntry

// The format is the kernel's: version 2 (4), then tag(2) permissions(2) id(4) for each entry, little-endian.
const (
	aclVersion = 2
	aclHeader  = 4
	aclSize    = 8
)

func decodeACL(b []byte) (acl, error) {
	le := binary.LittleEndian
	if len(b) < aclHeader || len(b)%aclSize != aclHeader || le.Uint32(b) != aclVersion {
		return nil, syscall.EINVAL
	}
	var a acl
	for b = b[aclHeader:]; len(b) > 0; b = b[aclSize:] {
		a = append(a, aclEntry{le.Uint16(b), le.Uint16(b[2:]), le.Uint32(b[4:])})
	}
	if len(a) > 0 && !a.valid() {
		return nil, syscall.EINVAL
	}
	return a, nil
}

func (a acl) encode() []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, aclVersion)
	for _, e := range a {
		b = le.AppendUint16(b, e.tag)
		b = le.AppendUint16(b, e.perm)
		b = le.AppendUint32(b, e.id)
	}
	return b
}

// valid tells of a list in order with one entry each for owner, group and others, and a mask if it names anybody else.
func (a acl) valid() bool {
	count := map[uint16]int{}
	for i, e := range a {
		if e.perm > 7 || i > 0 && e.tag < a[i-1].tag {
			return false
		}
		count[e.tag]++
	}
	named := count[aclUser] + count[aclGroup]
	return count[aclUserObj] == 1 && count[aclGroupObj] == 1 && count[aclOther] == 1 && count[aclMask] <= 1 &&
		(named == 0 || count[aclMask] == 1) && len(a) == named+3+count[aclMask]
}

// extended tells whether the list says more than a mode can.
func (a acl) extended() bool { return len(a) > 3 }

// entry returns the one entry of a tag; nil if there is none.
func (a acl) entry(tag uint16) *aclEntry {
	i := slices.IndexFunc(a, func(e aclEntry) bool { return e.tag == tag })
	if i < 0 {
		return nil
	}
	return &a[i]
}

// group is the entry that the group bits of the mode stand for: the mask if there is one.
func (a acl) group() *aclEntry {
	if m := a.entry(aclMask); m != nil {
		return m
	}
	return a.entry(aclGroupObj)
}

// mode is what the list says as permission bits.
func (a acl) mode() uint32 {
	return uint32(a.entry(aclUserObj).perm)<<6 | uint32(a.group().perm)<<3 | uint32(a.entry(aclOther).perm)
}

// chmod makes the list say what mode says.
func (a acl) chmod(mode uint32) {
	a.entry(aclUserObj).perm = uint16(mode >> 6 & 7)
	a.group().perm = uint16(mode >> 3 & 7)
	a.entry(aclOther).perm = uint16(mode & 7)
}

// setACL sets a list, whether there is one or not. An access list changes the mode with it, and is kept only if it says more.
func (t *txn) setACL(id InodeID, r *record, name string, value []byte, killSGID bool) error {
	a, err := decodeACL(value)
	switch {
	case err != nil:
		return err
	case r.mode&syscall.S_IFMT == syscall.S_IFLNK:
		return syscall.EOPNOTSUPP
	case name == defaultACL && !r.isDir():
		return syscall.EACCES
	}
	if name == accessACL && len(a) > 0 {
		r.mode = r.mode&^0777 | a.mode()
		if killSGID {
			r.mode &^= syscall.S_ISGID
		}
	}
	if len(a) == 0 || name == accessACL && !a.extended() {
		if r.flags&flagOf(name) == 0 {
			return nil
		}
		return t.removeXattr(id, r, name)
	}
	return t.setXattr(id, r, name, value, 0)
}

// getACL reads the list of an inode whose record says that it has it.
func (t *txn) getACL(id InodeID, name string) (acl, error) {
	x, key, _, err := findXattr(t.Tx, id, t.f.xattrHash(id, name), name)
	if err != nil {
		return nil, err
	}
	a, err := decodeACL(x.value)
	if key == nil || err != nil || len(a) == 0 {
		return nil, damaged(tableXattr, "access list", x.value)
	}
	return a, nil
}

// chmodACL makes the access list follow the mode.
func (t *txn) chmodACL(id InodeID, r *record) error {
	if r.flags&flagAccess == 0 {
		return nil
	}
	a, err := t.getACL(id, accessACL)
	if err != nil {
		return err
	}
	a.chmod(r.mode)
	return t.setXattr(id, r, accessACL, a.encode(), 0)
}

// inheritACL gives a new inode the permissions its directory's default list wants, or takes the umask from its mode.
func (t *txn) inheritACL(parent InodeID, dir *record, id InodeID, r *record, umask uint32) error {
	if r.kind() == syscall.S_IFLNK {
		return nil
	}
	if dir.flags&flagDefault == 0 {
		r.mode &^= umask & 0777
		return nil
	}
	a, err := t.getACL(parent, defaultACL)
	if err != nil {
		return err
	}
	if r.isDir() {
		if err := t.setXattr(id, r, defaultACL, a.encode(), 0); err != nil {
			return err
		}
	}
	allowed := r.mode & a.mode()
	r.mode = r.mode&^0777 | allowed&0777
	if !a.extended() {
		return nil
	}
	a.chmod(allowed)
	return t.setXattr(id, r, accessACL, a.encode(), 0)
}
