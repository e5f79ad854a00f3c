package fstest

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	accessACL  = "system.posix_acl_access"
	defaultACL = "system.posix_acl_default"
	nobody     = 1<<32 - 1
)

// ace is an entry of an ACL: a tag of acl(5), permissions, and whom it names.
type ace struct {
	tag, perm uint16
	id        uint32
}

// list makes the attribute's value.
func list(entries ...ace) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range entries {
		b = binary.LittleEndian.AppendUint16(b, e.tag)
		b = binary.LittleEndian.AppendUint16(b, e.perm)
		b = binary.LittleEndian.AppendUint32(b, e.id)
	}
	return b
}

// named gives user 1001 something under a mask.
func named(owner, user, group, mask, other uint16) []byte {
	return list(ace{1, owner, nobody}, ace{2, user, 1001}, ace{4, group, nobody}, ace{16, mask, nobody}, ace{32, other, nobody})
}

func (c *C) setACL(path, name string, value []byte) {
	c.Helper()
	c.feature("ACLs", c.Setxattr(path, name, value, 0))
}

func (c *C) hasACL(path, name string, want []byte) {
	c.Helper()
	got, err := c.Getxattr(path, name)
	c.ok(err)
	c.equal(hex.EncodeToString(got), hex.EncodeToString(want), name+" of "+path)
}

func (c *C) noACL(path, name string) {
	c.Helper()
	_, err := c.Getxattr(path, name)
	c.is(err, syscall.ENODATA, syscall.EOPNOTSUPP)
}

func (c *C) perm(path string, want uint32) {
	c.Helper()
	c.equal(c.stat(path).Mode&07777, want, "mode of "+path)
}

var aclCases = []testCase{
	{"a list and the mode", "xfstests generic/099, generic/307", func(c *C) {
		c.file("f", nil)
		c.setACL("f", accessACL, named(7, 6, 5, 4, 1))
		c.perm("f", 0741)
		c.ok(c.Chmod("f", 0620))
		c.hasACL("f", accessACL, named(6, 6, 5, 2, 0))
		names, err := c.Listxattr("f")
		c.ok(err)
		c.equal(slices.Contains(names, accessACL), true, "the list is listed")
		c.ok(c.Removexattr("f", accessACL))
		c.noACL("f", accessACL)
		c.ok(c.Removexattr("f", accessACL))
		c.setACL("f", accessACL, list(ace{1, 7, nobody}, ace{4, 5, nobody}, ace{32, 0, nobody}))
		c.perm("f", 0750)
		c.noACL("f", accessACL)
	}},
	{"ctime of a list", "xfstests generic/307", func(c *C) {
		c.file("f", nil)
		t0 := c.stat("f").Ctime
		c.tick()
		c.setACL("f", accessACL, named(6, 6, 4, 6, 4))
		if t1 := c.stat("f").Ctime; !t1.After(t0) {
			c.Fatalf("ctime %v, and %v after a list was set", t0, t1)
		}
	}},
	{"lists that are none", "xfstests generic/026", func(c *C) {
		c.file("f", nil)
		c.ok(c.Symlink("f", "l"))
		c.setACL("f", accessACL, named(6, 6, 6, 6, 6))
		for what, bad := range map[string][]byte{
			"no mask":      list(ace{1, 7, nobody}, ace{2, 7, 5}, ace{4, 7, nobody}, ace{32, 7, nobody}),
			"not in order": list(ace{4, 7, nobody}, ace{1, 7, nobody}, ace{32, 7, nobody}),
			"no others":    list(ace{1, 7, nobody}, ace{4, 7, nobody}),
			"permission 8": list(ace{1, 8, nobody}, ace{4, 7, nobody}, ace{32, 7, nobody}),
			"half a byte":  {2, 0},
		} {
			if err := c.Setxattr("f", accessACL, bad, 0); err != syscall.EINVAL {
				c.Fatalf("%s: %v, want EINVAL", what, err)
			}
		}
		c.hasACL("f", accessACL, named(6, 6, 6, 6, 6))
		c.is(c.Setxattr("f", defaultACL, named(7, 7, 7, 7, 7), 0), syscall.EACCES)
		c.is(c.Setxattr("l", accessACL, named(7, 7, 7, 7, 7), 0), syscall.EOPNOTSUPP)
		c.is(c.Setxattr("f", "system.other", []byte("x"), 0), syscall.EOPNOTSUPP)
	}},
	{"inheritance", "xfstests generic/319", func(c *C) {
		defer syscall.Umask(syscall.Umask(077)) // no matter where there is a default list
		c.ok(c.Mkdir("d", 0755))
		c.setACL("d", defaultACL, named(7, 7, 5, 7, 0))
		c.perm("d", 0755&^c.umask())
		c.noACL("d", accessACL)
		f, err := c.Open("d/f", syscall.O_CREAT|syscall.O_EXCL|rdwr, 0666)
		c.ok(err)
		c.ok(f.Close())
		c.perm("d/f", 0660)
		c.hasACL("d/f", accessACL, named(6, 7, 5, 6, 0))
		c.ok(c.Mkdir("d/s", 0777))
		c.perm("d/s", 0770)
		c.hasACL("d/s", accessACL, named(7, 7, 5, 7, 0))
		c.hasACL("d/s", defaultACL, named(7, 7, 5, 7, 0))
		c.ok(c.Mknod("d/p", syscall.S_IFIFO|0640, 0))
		c.hasACL("d/p", accessACL, named(6, 7, 5, 4, 0))
		c.ok(c.Symlink("x", "d/l"))
		c.noACL("d/l", accessACL)
		c.ok(c.Rename("d/f", "f", 0))
		c.hasACL("f", accessACL, named(6, 7, 5, 6, 0))
		c.ok(c.Removexattr("d", defaultACL))
		c.ok(c.Mkdir("d/t", 0777))
		c.perm("d/t", 0777&^c.umask())
		c.noACL("d/t", accessACL)
	}},
	{"a default list of a mode's entries", "xfstests generic/319", func(c *C) {
		defer syscall.Umask(syscall.Umask(077))
		c.ok(c.Mkdir("d", 0777))
		c.setACL("d", defaultACL, list(ace{1, 7, nobody}, ace{4, 5, nobody}, ace{32, 1, nobody}))
		c.ok(c.Mkdir("d/s", 0777))
		c.perm("d/s", 0751)
		c.noACL("d/s", accessACL)
		c.hasACL("d/s", defaultACL, list(ace{1, 7, nobody}, ace{4, 5, nobody}, ace{32, 1, nobody}))
	}},
	{"O_TMPFILE inherits", "xfstests generic/004", func(c *C) {
		c.ok(c.Mkdir("d", 0755))
		c.setACL("d", defaultACL, named(7, 7, 5, 7, 0))
		f, err := c.Open("d", unix.O_TMPFILE|rdwr, 0666)
		c.feature("O_TMPFILE", err)
		defer f.Close()
		c.ok(f.LinkAt("t"))
		c.perm("t", 0660)
		c.hasACL("t", accessACL, named(6, 7, 5, 6, 0))
	}},
	{"lists are obeyed", "xfstests generic/099", func(c *C) {
		c.needUsers()
		c.file("f", []byte("x"))
		c.ok(c.Chmod("f", 0600))
		c.is(c.as(1001, reads("f")), syscall.EACCES)
		c.setACL("f", accessACL, named(6, 4, 0, 4, 0))
		c.ok(c.as(1001, reads("f")))
		c.is(c.as(1001, writes("f")), syscall.EACCES)
		c.is(c.as(1002, reads("f")), syscall.EACCES)
		c.ok(c.Chmod("f", 0620)) // the mask: user 1001 may not read any more
		c.is(c.as(1001, reads("f")), syscall.EACCES)
		c.setACL("f", accessACL, named(6, 6, 0, 6, 0))
		c.ok(c.as(1001, writes("f")))
		c.setACL("f", accessACL, list(ace{1, 6, nobody}, ace{4, 0, nobody}, ace{8, 4, 1002}, ace{16, 4, nobody}, ace{32, 0, nobody}))
		c.ok(c.as(1002, reads("f")))
		c.is(c.as(1001, reads("f")), syscall.EACCES)
		c.is(c.as(1001, func(c *C) error { return c.Setxattr("f", accessACL, named(7, 7, 7, 7, 7), 0) }), syscall.EPERM)
		c.ok(c.Mkdir("d", 0700))
		c.file("d/f", []byte("x"))
		c.is(c.as(1001, reads("d/f")), syscall.EACCES)
		c.setACL("d", accessACL, named(7, 1, 0, 1, 0))
		c.ok(c.as(1001, reads("d/f")))
	}},
	{"setting a list takes set-group-id from strangers to the group", "xfstests generic/375", func(c *C) {
		c.needUsers()
		c.file("mine", nil)
		c.file("theirs", nil)
		c.ok(c.Lchown("mine", 1001, 1001))
		c.ok(c.Lchown("theirs", 1001, 1002))
		for path, want := range map[string]uint32{"mine": 02770, "theirs": 0770} {
			c.ok(c.Chmod(path, 02770))
			err := c.as(1001, func(c *C) error { return c.Setxattr(path, accessACL, named(7, 7, 7, 7, 0), 0) })
			c.feature("ACLs", err)
			c.perm(path, want)
		}
	}},
}

// umask is that of the process, which in-process nobody applies.
func (c *C) umask() uint32 {
	if c.Path() == "" {
		return 0
	}
	mask := syscall.Umask(0)
	syscall.Umask(mask)
	return uint32(mask)
}
