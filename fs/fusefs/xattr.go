package fusefs

import (
	"os"
	"syscall"

	"dfsmount/fs"

	"github.com/hanwen/go-fuse/v2/fuse"
)

const xattrSELinux = "security.selinux"

func haveSELinux() bool {
	_, err := os.Stat("/sys/fs/selinux/enforce")
	return err == nil
}

// GetXAttr reads a value; with no room given it tells the size only. Without SELinux the answer for its label is "not supported" rather than
// "not there": ls(1) asks for it with every file, and only the former makes it stop.
func (a *adapter) GetXAttr(_ <-chan struct{}, h *fuse.InHeader, name string, dest []byte) (uint32, fuse.Status) {
	value, err := a.fs.GetXattr(fs.InodeID(h.NodeId), name)
	if err == syscall.ENODATA && name == xattrSELinux && !a.selinux {
		return 0, fuse.ENOTSUP
	}
	if err != nil {
		return 0, a.status("getxattr", h.NodeId, err)
	}
	return fit(dest, value)
}

// ListXAttr lists names, each with a NUL behind it.
func (a *adapter) ListXAttr(_ <-chan struct{}, h *fuse.InHeader, dest []byte) (uint32, fuse.Status) {
	names, err := a.fs.ListXattr(fs.InodeID(h.NodeId))
	if err != nil {
		return 0, a.status("listxattr", h.NodeId, err)
	}
	var list []byte
	for _, name := range names {
		list = append(append(list, name...), 0)
	}
	return fit(dest, list)
}

// fit copies value into dest. An empty dest is a question for the size; a dest too small is ERANGE.
func fit(dest, value []byte) (uint32, fuse.Status) {
	n := uint32(len(value))
	if len(dest) > 0 && len(dest) < len(value) {
		return n, fuse.ERANGE
	}
	copy(dest, value)
	return n, fuse.OK
}

// SetXAttr stores a value. data is a part of the request, and the backend may keep what it gets.
func (a *adapter) SetXAttr(_ <-chan struct{}, in *fuse.SetXAttrIn, name string, data []byte) fuse.Status {
	if a.refuse() {
		return fuse.EROFS
	}
	value, flags := append([]byte{}, data...), in.Flags
	if in.SetXAttrFlags&fuse.SETXATTR_ACL_KILL_SGID != 0 {
		flags |= fs.XattrKillSGID
	}
	return a.status("setxattr", in.NodeId, a.fs.SetXattr(fs.InodeID(in.NodeId), name, value, flags))
}

// RemoveXAttr removes one.
func (a *adapter) RemoveXAttr(_ <-chan struct{}, h *fuse.InHeader, name string) fuse.Status {
	if a.refuse() {
		return fuse.EROFS
	}
	return a.status("removexattr", h.NodeId, a.fs.RemoveXattr(fs.InodeID(h.NodeId), name))
}
