// Package fs is the filesystem: POSIX semantics as transactions over the state of a cache.Store. It knows nothing of FUSE.
//
// PLACEHOLDER: this file is the agreed interface.
package fs

import (
	"context"
	"dfsmount/cache"
	"log/slog"
	"time"
)

// InodeID numbers an inode; never reused. The root is 1.
type InodeID uint64

// Root is the root directory.
const Root InodeID = 1

// Caller is who asks, for the ownership of what is made.
type Caller struct{ UID, GID uint32 }

// Attr is what stat(2) tells of an inode.
type Attr struct {
	Inode                      InodeID
	Mode                       uint32 // type and permissions, as st_mode
	Nlink                      uint32
	UID, GID                   uint32
	Rdev                       uint32
	Size                       uint64
	Blocks                     uint64 // of 512 bytes
	Atime, Mtime, Ctime, Btime time.Time
}

// SetAttr says which attributes to change.
type SetAttr struct {
	Mode                *uint32 // permission bits
	UID, GID            *uint32
	Size                *uint64
	Atime, Mtime, Ctime *time.Time
	AtimeNow, MtimeNow  bool
	KillSUID            bool // FATTR_KILL_SUIDGID
}

// Options of a mounted filesystem; the zero value works.
type Options struct {
	DirtyBytes   int64                           // most file bytes not yet sealed; default 64 MiB
	DirtyAge     time.Duration                   // sealed and committed at the latest after this; default 2 s, so that C1's 5 s hold
	Sealers      int                             // background sealing threads; default GOMAXPROCS
	Barrier      func(ctx context.Context) error // called after every local sync of fsync/fdatasync/SyncAll; --fsync=nodes waits in it
	NoMtimeWrite bool                            // the kernel's writeback cache owns mtime and size
	Log          *slog.Logger
}

// FS is one filesystem. All methods are safe for concurrent use. An error that is a bare syscall.Errno is the POSIX answer; any other error is a
// fault (EIO for the application, a line in the log).
type FS struct{ stub }
type stub struct{}

// New opens the filesystem in store, making the root directory if the state is empty, and reclaims orphans left by a crash.
func New(store *cache.Store, o Options) (*FS, error) { panic("stub") }

// Lookup, Create, Mkdir, Mknod, Symlink, Link and each entry of ReadDirPlus that is taken add one reference to the inode; Forget gives n
// back. An inode without links lives while it has references.
func (f *FS) Lookup(parent InodeID, name string) (Attr, error)                       { panic("stub") }
func (f *FS) Forget(ino InodeID, n uint64)                                           { panic("stub") }
func (f *FS) GetAttr(ino InodeID) (Attr, error)                                      { panic("stub") }
func (f *FS) SetAttr(ino InodeID, s SetAttr) (Attr, error)                           { panic("stub") }
func (f *FS) Mkdir(c Caller, parent InodeID, name string, mode uint32) (Attr, error) { panic("stub") }
func (f *FS) Mknod(c Caller, parent InodeID, name string, mode, rdev uint32) (Attr, error) {
	panic("stub")
}

// Create makes a regular file; EEXIST if the name is taken.
func (f *FS) Create(c Caller, parent InodeID, name string, mode uint32) (Attr, error) { panic("stub") }

// Tmpfile makes a regular file without a name (O_TMPFILE) in the directory's filesystem.
func (f *FS) Tmpfile(c Caller, dir InodeID, mode uint32) (Attr, error)            { panic("stub") }
func (f *FS) Symlink(c Caller, parent InodeID, name, target string) (Attr, error) { panic("stub") }
func (f *FS) Readlink(ino InodeID) (string, error)                                { panic("stub") }
func (f *FS) Link(ino, parent InodeID, name string) (Attr, error)                 { panic("stub") }
func (f *FS) Unlink(parent InodeID, name string) error                            { panic("stub") }
func (f *FS) Rmdir(parent InodeID, name string) error                             { panic("stub") }

// Flags of Rename, as renameat2(2) numbers them.
const (
	RenameNoReplace = 1
	RenameExchange  = 2
	RenameWhiteout  = 4
)

func (f *FS) Rename(c Caller, parent InodeID, name string, newParent InodeID, newName string, flags uint32) error {
	panic("stub")
}

// Write puts data at off. ENOSPC and EFBIG are known before anything is accepted. data is not kept. killSUID: WRITE_KILL_SUIDGID.
func (f *FS) Write(ino InodeID, data []byte, off int64, killSUID bool) (int, error) { panic("stub") }

// Read fills dst from off; short at the end of the file. ctx ends only waits on the network.
func (f *FS) Read(ctx context.Context, ino InodeID, dst []byte, off int64) (int, error) {
	panic("stub")
}

// Fsync: the inode's data, attributes and the names that led to them are durable when it returns nil; so is everything that completed before.
func (f *FS) Fsync(ctx context.Context, ino InodeID, dataOnly bool) error { panic("stub") }

// SyncAll is sync(2).
func (f *FS) SyncAll(ctx context.Context) error { panic("stub") }

// Fallocate, as fallocate(2) numbers its modes: 0, KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE; others EOPNOTSUPP.
func (f *FS) Fallocate(ino InodeID, mode uint32, off, length int64) error { panic("stub") }

// Seek answers SEEK_DATA (3) and SEEK_HOLE (4).
func (f *FS) Seek(ino InodeID, off int64, whence int) (int64, error) { panic("stub") }

// CopyRange copies within the filesystem by sharing extents.
func (f *FS) CopyRange(in InodeID, inOff int64, out InodeID, outOff, length int64) (int64, error) {
	panic("stub")
}

// Extended attributes. Flags as setxattr(2): 1 create, 2 replace.
func (f *FS) SetXattr(ino InodeID, name string, value []byte, flags uint32) error { panic("stub") }
func (f *FS) GetXattr(ino InodeID, name string) ([]byte, error)                   { panic("stub") }
func (f *FS) ListXattr(ino InodeID) ([]string, error)                             { panic("stub") }
func (f *FS) RemoveXattr(ino InodeID, name string) error                          { panic("stub") }

// Dirent is one entry of a directory. Resume after it with its Cookie.
type Dirent struct {
	Name   string
	Inode  InodeID
	Mode   uint32 // type bits
	Cookie uint64 // 1 and 2 are "." and ".."; never 0, never above 2^63-1
}

// ReadDir calls fn for the entries after cookie (0: from the start, "." and ".." first) until it returns false.
func (f *FS) ReadDir(dir InodeID, cookie uint64, fn func(Dirent) bool) error { panic("stub") }

// ReadDirPlus is ReadDir with attributes; fn takes a reference by answering take.
func (f *FS) ReadDirPlus(dir InodeID, cookie uint64, fn func(Dirent, Attr) (take, more bool)) error {
	panic("stub")
}

// Statfs is what statfs(2) tells.
type Statfs struct {
	BlockSize           uint32
	Blocks, Free, Avail uint64 // in BlockSize
	Files, FilesFree    uint64
	NameMax             uint32
}

func (f *FS) Statfs() (Statfs, error) { panic("stub") }

// Problem is one thing Check found wrong.
type Problem struct{ Rule, Text string }

// Check verifies the invariants of the state (F1…), calling progress now and then.
func (f *FS) Check(ctx context.Context) ([]Problem, error) { panic("stub") }

// Close seals and commits all dirty data. The store stays open.
func (f *FS) Close() error { panic("stub") }
