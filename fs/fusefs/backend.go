package fusefs

import (
	"context"

	"dfsmount/fs"
)

// backend is what the adapter needs of a filesystem: *fs.FS, whose documentation is the contract, and the double of the tests.
type backend interface {
	Lookup(parent fs.InodeID, name string) (fs.Attr, error)
	Forget(ino fs.InodeID, n uint64)
	GetAttr(ino fs.InodeID) (fs.Attr, error)
	SetAttr(ino fs.InodeID, s fs.SetAttr) (fs.Attr, error)
	Mkdir(c fs.Caller, parent fs.InodeID, name string, mode uint32) (fs.Attr, error)
	Mknod(c fs.Caller, parent fs.InodeID, name string, mode, rdev uint32) (fs.Attr, error)
	Tmpfile(c fs.Caller, dir fs.InodeID, mode uint32) (fs.Attr, error)
	Symlink(c fs.Caller, parent fs.InodeID, name, target string) (fs.Attr, error)
	Readlink(ino fs.InodeID) (string, error)
	Link(ino, parent fs.InodeID, name string) (fs.Attr, error)
	Unlink(parent fs.InodeID, name string) error
	Rmdir(parent fs.InodeID, name string) error
	Rename(c fs.Caller, parent fs.InodeID, name string, newParent fs.InodeID, newName string, flags uint32) error
	Write(ino fs.InodeID, data []byte, off int64, killSUID bool) (int, error)
	Read(ctx context.Context, ino fs.InodeID, dst []byte, off int64) (int, error)
	Fsync(ctx context.Context, ino fs.InodeID, dataOnly bool) error
	SyncAll(ctx context.Context) error
	Fallocate(ino fs.InodeID, mode uint32, off, length int64) error
	Seek(ino fs.InodeID, off int64, whence int) (int64, error)
	CopyRange(in fs.InodeID, inOff int64, out fs.InodeID, outOff, length int64) (int64, error)
	SetXattr(ino fs.InodeID, name string, value []byte, flags uint32) error
	GetXattr(ino fs.InodeID, name string) ([]byte, error)
	ListXattr(ino fs.InodeID) ([]string, error)
	RemoveXattr(ino fs.InodeID, name string) error
	ReadDir(dir fs.InodeID, cookie uint64, fn func(fs.Dirent) bool) error
	ReadDirPlus(dir fs.InodeID, cookie uint64, fn func(fs.Dirent, fs.Attr) (take, more bool)) error
	Statfs() (fs.Statfs, error)
}

var _ backend = (*fs.FS)(nil)
