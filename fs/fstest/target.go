package fstest

import "time"

// Target is a directory of a filesystem, through system calls or in-process. Paths are relative to it. Errors are bare errnos, as system
// calls give them.
type Target interface {
	Open(path string, flags int, mode uint32) (File, error)
	Mkdir(path string, mode uint32) error
	Mknod(path string, mode uint32, dev int) error
	Symlink(target, path string) error
	Readlink(path string) (string, error)
	Link(old, path string) error // does not follow old
	Unlink(path string) error
	Rmdir(path string) error
	Rename(old, path string, flags uint32) error
	Lstat(path string) (Stat, error)
	Btime(path string) (time.Time, error) // when it was made
	Chmod(path string, mode uint32) error
	Lchown(path string, uid, gid int) error // -1: leave
	Truncate(path string, size int64) error
	Utimes(path string, atime, mtime time.Time) error // does not follow
	Setxattr(path, name string, value []byte, flags int) error
	Getxattr(path, name string) ([]byte, error)
	Listxattr(path string) ([]string, error)
	Removexattr(path, name string) error
	Statfs() (Statfs, error)

	// Path is the directory in the kernel's tree; empty in-process.
	Path() string
	// Plain tells of a kernel filesystem that may lack features and is not the one under test.
	Plain() bool
}

// File is an open file or directory.
type File interface {
	ReadAt(p []byte, off int64) (int, error) // 0, nil at the end
	WriteAt(p []byte, off int64) (int, error)
	Append(p []byte) (int, error) // of a file opened with O_APPEND
	Truncate(size int64) error
	Sync() error
	Datasync() error
	Stat() (Stat, error)
	Fallocate(mode uint32, off, length int64) error
	Seek(off int64, whence int) (int64, error) // SEEK_DATA, SEEK_HOLE
	CopyTo(to File, off, toOff, length int64) (int64, error)
	LinkAt(path string) error // gives a file made by O_TMPFILE a name
	// Entries returns at least one entry after cookie, unless there is none; 0 is the start.
	Entries(cookie uint64) ([]Entry, error)
	Close() error
}

// Entry is a directory entry. Cookie is the position after it.
type Entry struct {
	Name   string
	Inode  uint64
	Type   uint32 // of st_mode
	Cookie uint64
}

// Stat is what stat(2) tells.
type Stat struct {
	Inode, Nlink, Rdev, Size, Blocks uint64
	Mode, UID, GID                   uint32
	Atime, Mtime, Ctime              time.Time
}

// Statfs is what statfs(2) tells.
type Statfs struct {
	Blocks, Free, Files, FilesFree uint64
	BlockSize, NameMax             int64
}
