package fusefs

import (
	"context"
	"log/slog"
	"syscall"

	"dfsmount/fs"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// adapter is the fuse.RawFileSystem over a backend. Every method may run at any time beside any other.
type adapter struct {
	fuse.RawFileSystem // what is not implemented: ENOSYS

	fs       backend
	log      *slog.Logger
	readOnly bool
	selinux  bool // this machine has SELinux

	kernel notifier // set by the loop before it serves
	stale  *stale
	lost   lost
}

func newAdapter(b backend, o Options) *adapter {
	a := &adapter{
		RawFileSystem: fuse.NewDefaultRawFileSystem(),
		fs:            b,
		log:           o.log(),
		readOnly:      o.ReadOnly,
		selinux:       haveSELinux(),
	}
	a.kernel = notifier{invalidate: func(uint64, int64) error { return nil }, log: a.log} // nothing is cached before a loop serves
	a.stale = newStale(func(ino uint64) { a.kernel.dropAttr(ino) })
	return a
}

// String names the filesystem type to the library.
func (a *adapter) String() string { return subtype }

// refuse is EROFS on a read-only mount. The kernel answers so itself until somebody remounts it writable.
func (a *adapter) refuse() bool { return a.readOnly }

// callerOf is who makes something. The umask is applied by the backend, which alone knows whether a default ACL takes its place.
func callerOf(h *fuse.InHeader, umask uint32) fs.Caller {
	return fs.Caller{UID: h.Uid, GID: h.Gid, Umask: umask}
}

// entry answers what gives the kernel an inode.
func (a *adapter) entry(op string, parent uint64, attr fs.Attr, err error, out *fuse.EntryOut) fuse.Status {
	if err != nil {
		return a.status(op, parent, err)
	}
	fillEntry(out, &attr)
	return fuse.OK
}

// Access is left to the kernel, which checks permissions from the attributes.
func (a *adapter) Access(<-chan struct{}, *fuse.AccessIn) fuse.Status { return fuse.ENOSYS }

// Open says that there are no handles; the kernel then opens files by itself, keeps their pages, and does not ask again.
func (a *adapter) Open(<-chan struct{}, *fuse.OpenIn, *fuse.OpenOut) fuse.Status { return fuse.ENOSYS }

// OpenDir is Open for directories.
func (a *adapter) OpenDir(<-chan struct{}, *fuse.OpenIn, *fuse.OpenOut) fuse.Status {
	return fuse.ENOSYS
}

// Flush has nothing to do: dirty pages have been written by the kernel before it would ask, and locks are its own.
func (a *adapter) Flush(<-chan struct{}, *fuse.FlushIn) fuse.Status { return fuse.ENOSYS }

// Ioctl knows none.
func (a *adapter) Ioctl(<-chan struct{}, *fuse.IoctlIn, []byte, *fuse.IoctlOut, []byte) fuse.Status {
	return fuse.Status(syscall.ENOTTY)
}

// StatFs answers statfs(2).
func (a *adapter) StatFs(_ <-chan struct{}, h *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	s, err := a.fs.Statfs()
	if err != nil {
		return a.status("statfs", h.NodeId, err)
	}
	*out = fuse.StatfsOut{
		Blocks: s.Blocks, Bfree: s.Free, Bavail: s.Avail,
		Files: s.Files, Ffree: s.FilesFree,
		Bsize: s.BlockSize, Frsize: s.BlockSize, NameLen: s.NameMax,
	}
	return fuse.OK
}

// syncAll answers SYNCFS, which the kernel sends to fuseblk mounts only, and for which the library has no method.
func (a *adapter) syncAll(ino uint64) fuse.Status {
	return a.status("syncfs", ino, a.fs.SyncAll(context.Background()))
}
