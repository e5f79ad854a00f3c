package fs

import (
	"syscall"
	"time"
)

// stamp is a moment, in seconds and nanoseconds since 1970, as the inode record keeps it.
type stamp struct {
	sec  int64
	nsec uint32
}

func stampOf(t time.Time) stamp { return stamp{t.Unix(), uint32(t.Nanosecond())} }

func (s stamp) time() time.Time { return time.Unix(s.sec, int64(s.nsec)) }

func (s stamp) before(o stamp) bool {
	return s.sec < o.sec || s.sec == o.sec && s.nsec < o.nsec
}

// Flags of an inode record.
const (
	flagLinkable   = 1 << 0 // made by O_TMPFILE and never linked: link(2) may give it a name although it has none
	flagCapability = 1 << 1 // has security.capability, which a write drops
	flagAccess     = 1 << 2 // has an access ACL that says more than the mode
	flagDefault    = 1 << 3 // has a default ACL, for what is made in the directory
	flagsKnown     = flagLinkable | flagCapability | flagAccess | flagDefault
)

// record is an inode as the state keeps it.
type record struct {
	mode                       uint32
	flags                      uint8
	nlink, uid, gid, rdev      uint32
	xattrs                     uint32 // how many extended attributes there are
	size                       uint64 // bytes of a file or a target; entries of a directory
	alloc                      uint64 // bytes that extents map
	parent                     InodeID
	atime, mtime, ctime, btime stamp
	target                     string // of a symlink
}

const recordFixed = 98

func (r *record) kind() uint32 { return r.mode & syscall.S_IFMT }
func (r *record) isDir() bool  { return r.kind() == syscall.S_IFDIR }
func (r *record) isFile() bool { return r.kind() == syscall.S_IFREG }

func (r *record) encode() []byte {
	b := make([]byte, recordFixed, recordFixed+len(r.target))
	b[0], b[1] = formatVersion, r.flags
	for i, v := range [...]uint32{r.mode, r.nlink, r.uid, r.gid, r.rdev, r.xattrs} {
		be.PutUint32(b[2+4*i:], v)
	}
	be.PutUint64(b[26:], r.size)
	be.PutUint64(b[34:], r.alloc)
	be.PutUint64(b[42:], uint64(r.parent))
	for i, s := range [...]stamp{r.atime, r.mtime, r.ctime, r.btime} {
		be.PutUint64(b[50+12*i:], uint64(s.sec))
		be.PutUint32(b[58+12*i:], s.nsec)
	}
	return append(b, r.target...)
}

func decodeRecord(b []byte) (record, error) {
	if len(b) < recordFixed || b[0] != formatVersion || b[1]&^flagsKnown != 0 {
		return record{}, damaged(tableInode, "value", b)
	}
	var s [4]stamp
	for i := range s {
		s[i] = stamp{int64(be.Uint64(b[50+12*i:])), be.Uint32(b[58+12*i:])}
		if s[i].nsec >= 1e9 {
			return record{}, damaged(tableInode, "value", b)
		}
	}
	r := record{
		flags: b[1], mode: be.Uint32(b[2:]), nlink: be.Uint32(b[6:]), uid: be.Uint32(b[10:]), gid: be.Uint32(b[14:]),
		rdev: be.Uint32(b[18:]), xattrs: be.Uint32(b[22:]), size: be.Uint64(b[26:]), alloc: be.Uint64(b[34:]),
		parent: InodeID(be.Uint64(b[42:])), atime: s[0], mtime: s[1], ctime: s[2], btime: s[3], target: string(b[recordFixed:]),
	}
	if !r.plausible() {
		return record{}, damaged(tableInode, "value", b)
	}
	return r, nil
}

func (r *record) plausible() bool {
	symlink := r.kind() == syscall.S_IFLNK
	switch {
	case !knownKind(r.kind()), r.mode&^(syscall.S_IFMT|07777) != 0, r.isDir() != (r.parent != 0):
		return false
	case symlink:
		return len(r.target) >= 1 && len(r.target) <= MaxTarget && r.size == uint64(len(r.target))
	}
	return r.target == "" && (!r.isFile() || r.size <= MaxSize)
}

func knownKind(kind uint32) bool {
	switch kind {
	case syscall.S_IFREG, syscall.S_IFDIR, syscall.S_IFLNK, syscall.S_IFIFO, syscall.S_IFSOCK, syscall.S_IFCHR, syscall.S_IFBLK:
		return true
	}
	return false
}

// dirSize is what stat shows as the size of any directory: how many entries it has is nobody's buffer size.
const dirSize = 4096

func attrOf(id InodeID, r *record, p *pend) Attr {
	a := Attr{
		Inode: id, Mode: r.mode, Nlink: r.nlink, UID: r.uid, GID: r.gid, Rdev: r.rdev,
		Size: max(r.size, p.size), Blocks: (r.alloc + p.bytes + 511) / 512,
		Atime: r.atime.time(), Mtime: r.mtime.time(), Ctime: p.latest(r.ctime).time(), Btime: r.btime.time(),
	}
	if p.hasMtime {
		a.Mtime = p.mtime.time()
	}
	if r.isDir() {
		a.Size = dirSize
	}
	return a
}

// dropPrivileges clears setuid, and setgid where it means a group's rights and not mandatory locking.
func (r *record) dropPrivileges() {
	r.mode &^= syscall.S_ISUID
	if r.mode&syscall.S_IXGRP != 0 {
		r.mode &^= syscall.S_ISGID
	}
}

// privileged tells whether dropPrivileges would change anything.
func (r *record) privileged() bool {
	return r.mode&syscall.S_ISUID != 0 || r.mode&(syscall.S_ISGID|syscall.S_IXGRP) == syscall.S_ISGID|syscall.S_IXGRP
}
