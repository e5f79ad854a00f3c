package exercise

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// chooseAttr draws a change of what an inode is like.
func (w *treeWorker) chooseAttr(p string) operation {
	switch k := w.rng.IntN(15); {
	case k < 4:
		mode := w.mode()
		return simple(fmt.Sprintf("chmod %q %o", p, mode), func(t *tree) error { return unix.Chmod(t.at(p), mode) }, p)
	case k < 6:
		uid, gid := w.owner(), w.owner()
		if uid < 0 && gid < 0 {
			gid = w.User // a chown that changes nothing clears setuid on ext4; a FUSE filesystem is not told that it was one
		}
		return simple(fmt.Sprintf("lchown %q %d:%d", p, uid, gid), func(t *tree) error { return unix.Lchown(t.at(p), uid, gid) }, p)
	case k < 9:
		return w.utimes(p)
	case k < 12:
		return w.setxattr(p)
	case k < 13 || !w.ACLs:
		name := w.xattrName()
		return simple(fmt.Sprintf("removexattr %q %s", p, name), func(t *tree) error { return unix.Lremovexattr(t.at(p), name) }, p)
	}
	return w.setACL(p)
}

// owner is any of the workers, a group that the plain ones are in, or no change.
func (w *treeWorker) owner() int { return []int{0, 1001, 1002, 2000, -1}[w.rng.IntN(5)] }

// utimes sets a time of the nineties: what look can tell from now.
func (w *treeWorker) utimes(p string) operation {
	ts := unix.Timespec{Sec: 631152000 + w.rng.Int64N(300_000_000), Nsec: w.rng.Int64N(1e9)}
	flags := []int{0, unix.AT_SYMLINK_NOFOLLOW}[w.rng.IntN(2)]
	return simple(fmt.Sprintf("utimes %q %d.%09d, flags %x", p, ts.Sec, ts.Nsec, flags),
		func(t *tree) error { return unix.UtimesNanoAt(unix.AT_FDCWD, t.at(p), []unix.Timespec{ts, ts}, flags) }, p)
}

func (w *treeWorker) xattrName() string {
	return []string{"user.a", "user.b", "user.ü", "trusted.t", "user.", "nonsense.x"}[min(w.rng.IntN(6), w.rng.IntN(6))]
}

// setxattr keeps values small: ext4 has room for a few KiB only.
func (w *treeWorker) setxattr(p string) operation {
	name, flags := w.xattrName(), []int{0, 0, unix.XATTR_CREATE, unix.XATTR_REPLACE}[w.rng.IntN(4)]
	value := w.content(w.rng.IntN(100))
	return simple(fmt.Sprintf("setxattr %q %s, %d bytes, flags %x", p, name, len(value), flags),
		func(t *tree) error { return unix.Lsetxattr(t.at(p), name, value, flags) }, p)
}

func (w *treeWorker) content(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(w.rng.Uint32())
	}
	return b
}

const (
	aclAccess  = "system.posix_acl_access"
	aclDefault = "system.posix_acl_default"

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

// aclBytes is the form of an ACL as an extended attribute: a version, and the entries in little-endian order.
func aclBytes(entries ...aclEntry) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range entries {
		if e.tag != aclUser && e.tag != aclGroup {
			e.id = 0xffffffff
		}
		b = binary.LittleEndian.AppendUint16(b, e.tag)
		b = binary.LittleEndian.AppendUint16(b, e.perm)
		b = binary.LittleEndian.AppendUint32(b, e.id)
	}
	return b
}

// setACL sets a good ACL mostly, one without the mask it needs at times, or removes it.
func (w *treeWorker) setACL(p string) operation {
	name := []string{aclAccess, aclDefault}[w.rng.IntN(2)]
	if w.rng.IntN(4) == 0 {
		return simple(fmt.Sprintf("removexattr %q %s", p, name), func(t *tree) error { return unix.Removexattr(t.at(p), name) }, p)
	}
	perm := func() uint16 { return uint16(w.rng.IntN(8)) }
	entries := []aclEntry{{aclUserObj, perm() | 7*uint16(w.rng.IntN(2)), 0}}
	if w.looksItself() {
		entries[0].perm = 7
	}
	named := w.rng.IntN(3)
	for i := range named {
		entries = append(entries, aclEntry{aclUser, perm(), uint32(1001 + i)})
	}
	entries = append(entries, aclEntry{aclGroupObj, perm(), 0})
	if w.rng.IntN(2) == 0 {
		named++
		entries = append(entries, aclEntry{aclGroup, perm(), 2000})
	}
	if named > 0 && w.rng.IntN(10) > 0 {
		entries = append(entries, aclEntry{aclMask, perm(), 0})
	}
	entries = append(entries, aclEntry{aclOther, perm(), 0})
	b := aclBytes(entries...)
	return simple(fmt.Sprintf("setxattr %q %s %v", p, name, entries), func(t *tree) error { return unix.Setxattr(t.at(p), name, b, 0) }, p)
}

// chooseLook draws what changes nothing.
func (w *treeWorker) chooseLook(p string) operation {
	look := func(text string, do func(t *tree) (string, error)) operation { return operation{text: text, do: do} }
	switch w.rng.IntN(5) {
	case 0:
		return look(fmt.Sprintf("readlink %q", p), func(t *tree) (string, error) {
			b := make([]byte, 300)
			n, err := unix.Readlink(t.at(p), b)
			return string(b[:max(n, 0)]), err
		})
	case 1:
		name := w.xattrName()
		return look(fmt.Sprintf("getxattr %q %s", p, name), func(t *tree) (string, error) {
			b := make([]byte, 300)
			n, err := unix.Lgetxattr(t.at(p), name, b)
			return string(b[:max(n, 0)]), err
		})
	case 2:
		return look(fmt.Sprintf("listxattr %q", p), func(t *tree) (string, error) {
			b := make([]byte, 3000)
			n, err := unix.Llistxattr(t.at(p), b)
			list := strings.Split(string(bytes.TrimSuffix(b[:max(n, 0)], []byte{0})), "\x00")
			slices.Sort(list)
			return strings.Join(list, " "), err
		})
	case 3:
		mode := w.rng.Uint32N(8)
		return look(fmt.Sprintf("access %q %o", p, mode), func(t *tree) (string, error) { return "", unix.Access(t.at(p), mode) })
	}
	return look(fmt.Sprintf("list %q", p), func(t *tree) (string, error) { return t.list(p) })
}

// list is the names in a directory, and what it says they are.
func (t *tree) list(p string) (string, error) {
	fd, err := unix.Open(t.at(p), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	var names []string
	buf := make([]byte, 4096)
	for {
		n, err := unix.ReadDirent(fd, buf)
		if err != nil || n == 0 {
			slices.Sort(names)
			return strings.Join(names, " "), err
		}
		for b := buf[:n]; len(b) > 0; {
			size := binary.NativeEndian.Uint16(b[16:])
			name, _, _ := bytes.Cut(b[19:size], []byte{0})
			names = append(names, fmt.Sprintf("%q:%d", name, b[18]))
			b = b[size:]
		}
	}
}
