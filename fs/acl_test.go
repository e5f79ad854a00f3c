package fs

import (
	"bytes"
	"syscall"
	"testing"
)

const nobody = 1<<32 - 1

// sample gives user 1000 rw- under a mask.
func sample(owner, user, group, mask, other uint16) acl {
	return acl{{aclUserObj, owner, nobody}, {aclUser, user, 1000}, {aclGroupObj, group, nobody}, {aclMask, mask, nobody}, {aclOther, other, nobody}}
}

func perm(t *testing.T, f *FS, id InodeID) uint32 {
	t.Helper()
	return must[Attr](t)(f.GetAttr(id)).Mode & 0777
}

func listOf(t *testing.T, f *FS, id InodeID, name string) acl {
	t.Helper()
	a, err := decodeACL(must[[]byte](t)(f.GetXattr(id, name)))
	ok(t, err)
	return a
}

// TestAccessACL: a list changes the mode, the mode changes the list, and a list that says no more than a mode is not kept.
func TestAccessACL(t *testing.T) {
	f := newFS(t, Options{})
	id := create(t, f, Root, "a")
	ok(t, f.SetXattr(id, accessACL, sample(7, 6, 5, 4, 1).encode(), 0))
	if got := perm(t, f, id); got != 0741 {
		t.Errorf("mode %o after setting a list", got)
	}
	mode := uint32(0620)
	ok(t, second(f.SetAttr(id, SetAttr{Mode: &mode})))
	if got := listOf(t, f, id, accessACL).encode(); !bytes.Equal(got, sample(6, 6, 5, 2, 0).encode()) {
		t.Errorf("list %x after chmod", got)
	}
	ok(t, f.SetXattr(id, accessACL, acl{{aclUserObj, 7, nobody}, {aclGroupObj, 5, nobody}, {aclOther, 0, nobody}}.encode(), 0))
	if _, err := f.GetXattr(id, accessACL); err != syscall.ENODATA {
		t.Errorf("a list of a mode's three entries was kept: %v", err)
	}
	if got := perm(t, f, id); got != 0750 {
		t.Errorf("mode %o", got)
	}
	for _, bad := range []acl{{{aclUserObj, 7, nobody}}, sample(8, 0, 0, 0, 0), sample(7, 7, 7, 7, 7)[1:], {{aclUserObj, 7, nobody}, {aclUser, 7, 1}, {aclGroupObj, 7, nobody}, {aclOther, 7, nobody}}} {
		if err := f.SetXattr(id, accessACL, bad.encode(), 0); err != syscall.EINVAL {
			t.Errorf("%v: %v", bad, err)
		}
	}
	if err := f.SetXattr(id, defaultACL, sample(7, 7, 7, 7, 7).encode(), 0); err != syscall.EACCES {
		t.Errorf("a default list on a file: %v", err)
	}
}

// TestDefaultACL: what is made in a directory gets its default list, cut to the mode asked for; without one the umask counts.
func TestDefaultACL(t *testing.T) {
	f := newFS(t, Options{})
	c := Caller{Umask: 022}
	plain := must[Attr](t)(f.Create(c, Root, "plain", 0666)).Inode
	if got := perm(t, f, plain); got != 0644 {
		t.Errorf("mode %o under umask 022", got)
	}
	dir := must[Attr](t)(f.Mkdir(Caller{}, Root, "d", 0755)).Inode
	ok(t, f.SetXattr(dir, defaultACL, sample(7, 7, 5, 7, 0).encode(), 0))
	file := must[Attr](t)(f.Create(c, dir, "f", 0666)).Inode
	if got := perm(t, f, file); got != 0660 {
		t.Errorf("mode %o of a file", got)
	}
	if got := listOf(t, f, file, accessACL).encode(); !bytes.Equal(got, sample(6, 7, 5, 6, 0).encode()) {
		t.Errorf("list %x of a file", got)
	}
	sub := must[Attr](t)(f.Mkdir(c, dir, "s", 0777)).Inode
	if got := listOf(t, f, sub, defaultACL).encode(); !bytes.Equal(got, sample(7, 7, 5, 7, 0).encode()) {
		t.Errorf("default list %x of a directory", got)
	}
	if got := perm(t, f, sub); got != 0770 {
		t.Errorf("mode %o of a directory", got)
	}
	ok(t, f.RemoveXattr(dir, defaultACL))
	after := must[Attr](t)(f.Create(c, dir, "g", 0666)).Inode
	if got := perm(t, f, after); got != 0644 {
		t.Errorf("mode %o once the list is gone", got)
	}
}
