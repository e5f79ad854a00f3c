package fs

import (
	"context"
	"log/slog"
	"time"
)

// InodeID numbers an inode; never reused. The root is 1.
type InodeID uint64

// Root is the root directory.
const Root InodeID = 1

// Limits of a filesystem.
const (
	MaxName    = 255       // bytes of a name
	MaxTarget  = 4095      // bytes of a symlink's target
	MaxSize    = 1<<63 - 1 // bytes of a file: the kernel's limit, which it enforces itself before its cache takes anything
	MaxLinks   = 1<<31 - 1 // links of an inode
	MaxXattr   = 65536     // bytes of an extended attribute's value
	maxXattrID = 255       // bytes of an extended attribute's name
)

// Caller is who asks, for the ownership of what is made. Umask is taken from the mode of what is made, unless the directory has a
// default ACL; zero if the kernel has done so.
type Caller struct{ UID, GID, Umask uint32 }

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
	DirtyBytes   int64                           // most memory for file bytes not yet sealed; default 64 MiB, at least 1 MiB
	DirtyAge     time.Duration                   // sealed and committed at the latest after this; default 1.5 s: with the store's 3 s it stays below the 5 s of C1
	Sealers      int                             // background sealing goroutines; default GOMAXPROCS
	Barrier      func(ctx context.Context) error // called after every local sync of fsync/fdatasync/SyncAll; --fsync=nodes waits in it
	Quota        int64                           // most bytes that files may take: SetQuota. 0: no bound
	NoMtimeWrite bool                            // the kernel's writeback cache owns mtime and size
	Log          *slog.Logger
}

// Dirent is one entry of a directory. Resume after it with its Cookie.
type Dirent struct {
	Name   string
	Inode  InodeID
	Mode   uint32 // type bits
	Cookie uint64 // 1 and 2 are "." and ".."; never 0, never above 2^63-1
}

// Statfs is what statfs(2) tells.
type Statfs struct {
	BlockSize           uint32
	Blocks, Free, Avail uint64 // in BlockSize
	Files, FilesFree    uint64
	NameMax             uint32
}

// Problem is one thing Check found wrong.
type Problem struct{ Rule, Text string }
