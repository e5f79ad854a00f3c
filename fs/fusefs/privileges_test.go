package fusefs

import (
	"syscall"
	"testing"

	"dfsmount/fs"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// The kernel leaves it to us that a file loses its setuid bit when another than root changes its content. (xfstests generic/683 and those after it)
func TestContentChangedByOthersLosesSetuid(t *testing.T) {
	for name, change := range map[string]func(a *adapter, h fuse.InHeader) fuse.Status{
		"fallocate": func(a *adapter, h fuse.InHeader) fuse.Status {
			return a.Fallocate(nil, &fuse.FallocateIn{InHeader: h, Length: 10})
		},
		"copy_file_range": func(a *adapter, h fuse.InHeader) fuse.Status {
			_, status := a.CopyFileRange(nil, &fuse.CopyFileRangeIn{InHeader: h, NodeIdOut: h.NodeId, OffOut: 1, Len: 1})
			return status
		},
	} {
		for _, uid := range []uint32{0, 1000} {
			ram := newRAMFS()
			a := newAdapter(ram, Options{})
			made, err := ram.Mknod(fs.Caller{UID: 1000}, fs.Root, "file", syscall.S_IFREG|0o4755, 0)
			must(t, err)
			h := fuse.InHeader{NodeId: uint64(made.Inode)}
			h.Uid = uid
			if status := change(a, h); status != fuse.OK {
				t.Fatalf("%s: %v", name, status)
			}
			attr, err := ram.GetAttr(made.Inode)
			must(t, err)
			if kept := attr.Mode&syscall.S_ISUID != 0; kept != (uid == 0) {
				t.Errorf("after %s by user %d: mode %o", name, uid, attr.Mode)
			}
		}
	}
}

// Setgid of a file that its group may not execute goes unless the caller is in the group. (xfstests generic/683 and those after it)
func TestContentChangedByStrangersLosesSetgid(t *testing.T) {
	for gid, kept := range map[uint32]bool{7: true, 8: false} {
		ram := newRAMFS()
		a := newAdapter(ram, Options{})
		made, err := ram.Mknod(fs.Caller{UID: 1000, GID: 7}, fs.Root, "file", syscall.S_IFREG|0o2644, 0)
		must(t, err)
		h := fuse.InHeader{NodeId: uint64(made.Inode)}
		h.Uid, h.Gid = 1000, gid // of a process that cannot be seen
		if status := a.Fallocate(nil, &fuse.FallocateIn{InHeader: h, Length: 10}); status != fuse.OK {
			t.Fatal(status)
		}
		attr, err := ram.GetAttr(made.Inode)
		must(t, err)
		if (attr.Mode&syscall.S_ISGID != 0) != kept {
			t.Errorf("after fallocate by group %d: mode %o", gid, attr.Mode)
		}
	}
	status := []byte("Name:\tx\nGid:\t8\t8\t8\t8\nGroups:\t8 20 1007 \nNStgid:\t1\n")
	if !hasGroup(status, 20) || !hasGroup(status, 1007) || hasGroup(status, 7) || hasGroup(status, 1) {
		t.Error("groups of a process are misread")
	}
}
