package fusefs

import (
	"math"
	"syscall"

	"dfsmount/fs"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// Lookup finds a name. Its absence is an answer too, which the kernel keeps as long as any other: node id 0, no reference.
func (a *adapter) Lookup(_ <-chan struct{}, h *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	attr, err := a.fs.Lookup(fs.InodeID(h.NodeId), name)
	if err == syscall.ENOENT {
		out.SetEntryTimeout(forever)
		return fuse.OK
	}
	return a.entry("lookup", h.NodeId, attr, err, out)
}

// Forget gives n references back. The kernel waits for no answer.
func (a *adapter) Forget(node, n uint64) {
	a.lost.forget(node)
	a.fs.Forget(fs.InodeID(node), n)
}

// GetAttr answers stat(2).
func (a *adapter) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	attr, err := a.fs.GetAttr(fs.InodeID(in.NodeId))
	return a.attr("getattr", in.NodeId, attr, err, out)
}

// Statx is GetAttr with the time of birth.
func (a *adapter) Statx(_ <-chan struct{}, in *fuse.StatxIn, out *fuse.StatxOut) fuse.Status {
	attr, err := a.fs.GetAttr(fs.InodeID(in.NodeId))
	if err != nil {
		return a.status("statx", in.NodeId, err)
	}
	out.SetTimeout(forever)
	fillStatx(&out.Statx, &attr)
	return fuse.OK
}

// SetAttr is chmod, chown, utimensat, truncate, and what the writeback cache says of times when it has written a file.
func (a *adapter) SetAttr(_ <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	if a.refuse() {
		return fuse.EROFS
	}
	if in.Valid&fuse.FATTR_KILL_SUIDGID != 0 && in.Valid&fuse.FATTR_SIZE != 0 && a.privileged(in.NodeId) {
		a.dropSetgid(&in.InHeader)
	}
	attr, err := a.fs.SetAttr(fs.InodeID(in.NodeId), setAttrOf(in))
	if err == nil && in.Valid&fuse.FATTR_SIZE != 0 {
		a.lost.regain(in.NodeId, span{int64(in.Size), math.MaxInt64})
	}
	return a.attr("setattr", in.NodeId, attr, err, out)
}

func (a *adapter) attr(op string, ino uint64, attr fs.Attr, err error, out *fuse.AttrOut) fuse.Status {
	if err != nil {
		return a.status(op, ino, err)
	}
	out.SetTimeout(forever)
	fillAttr(&out.Attr, &attr)
	return fuse.OK
}

// Create would make and open a file in one request. Opening is no request here, and a file opened by CREATE costs a RELEASE when it is closed, so
// we say once that there is none: the kernel makes files with MKNOD then, a tenth cheaper.
func (a *adapter) Create(<-chan struct{}, *fuse.CreateIn, string, *fuse.CreateOut) fuse.Status {
	return fuse.ENOSYS
}

// Tmpfile makes a file without a name (O_TMPFILE).
func (a *adapter) Tmpfile(_ <-chan struct{}, in *fuse.CreateIn, out *fuse.CreateOut) fuse.Status {
	if a.refuse() {
		return fuse.EROFS
	}
	attr, err := a.fs.Tmpfile(callerOf(&in.InHeader, in.Umask), fs.InodeID(in.NodeId), in.Mode)
	out.OpenFlags = fuse.FOPEN_KEEP_CACHE
	return a.entry("tmpfile", in.NodeId, attr, err, &out.EntryOut)
}

// Mknod makes a file of any type but a directory.
func (a *adapter) Mknod(_ <-chan struct{}, in *fuse.MknodIn, name string, out *fuse.EntryOut) fuse.Status {
	if a.refuse() {
		return fuse.EROFS
	}
	attr, err := a.fs.Mknod(callerOf(&in.InHeader, in.Umask), fs.InodeID(in.NodeId), name, in.Mode, in.Rdev)
	return a.entry("mknod", in.NodeId, attr, err, out)
}

// Mkdir makes a directory.
func (a *adapter) Mkdir(_ <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	if a.refuse() {
		return fuse.EROFS
	}
	attr, err := a.fs.Mkdir(callerOf(&in.InHeader, in.Umask), fs.InodeID(in.NodeId), name, in.Mode)
	return a.entry("mkdir", in.NodeId, attr, err, out)
}

// Symlink makes a symbolic link.
func (a *adapter) Symlink(_ <-chan struct{}, h *fuse.InHeader, target, name string, out *fuse.EntryOut) fuse.Status {
	if a.refuse() {
		return fuse.EROFS
	}
	attr, err := a.fs.Symlink(callerOf(h, 0), fs.InodeID(h.NodeId), name, target)
	return a.entry("symlink", h.NodeId, attr, err, out)
}

// Readlink reads one. The kernel keeps the answer.
func (a *adapter) Readlink(_ <-chan struct{}, h *fuse.InHeader) ([]byte, fuse.Status) {
	target, err := a.fs.Readlink(fs.InodeID(h.NodeId))
	if err != nil {
		return nil, a.status("readlink", h.NodeId, err)
	}
	return []byte(target), fuse.OK
}

// Link gives an inode another name. The header names the directory.
func (a *adapter) Link(_ <-chan struct{}, in *fuse.LinkIn, name string, out *fuse.EntryOut) fuse.Status {
	if a.refuse() {
		return fuse.EROFS
	}
	attr, err := a.fs.Link(fs.InodeID(in.Oldnodeid), fs.InodeID(in.NodeId), name)
	return a.entry("link", in.Oldnodeid, attr, err, out)
}

// Unlink removes a name of a file.
func (a *adapter) Unlink(_ <-chan struct{}, h *fuse.InHeader, name string) fuse.Status {
	if a.refuse() {
		return fuse.EROFS
	}
	return a.status("unlink", h.NodeId, a.fs.Unlink(fs.InodeID(h.NodeId), name))
}

// Rmdir removes an empty directory.
func (a *adapter) Rmdir(_ <-chan struct{}, h *fuse.InHeader, name string) fuse.Status {
	if a.refuse() {
		return fuse.EROFS
	}
	return a.status("rmdir", h.NodeId, a.fs.Rmdir(fs.InodeID(h.NodeId), name))
}

// Rename is renameat2(2), its flags numbered as there.
func (a *adapter) Rename(_ <-chan struct{}, in *fuse.RenameIn, name, newName string) fuse.Status {
	if a.refuse() {
		return fuse.EROFS
	}
	err := a.fs.Rename(callerOf(&in.InHeader, 0), fs.InodeID(in.NodeId), name, fs.InodeID(in.Newdir), newName, in.Flags)
	return a.status("rename", in.NodeId, err)
}
