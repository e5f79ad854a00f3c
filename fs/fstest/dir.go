package fstest

import (
	"bytes"
	"path/filepath"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// dir is a directory of the kernel's tree.
type dir struct {
	root  string
	plain bool
}

// Dir is a directory of a mount under test.
func Dir(path string) Target { return dir{path, false} }

// Plain is a directory of a kernel filesystem, on which the suite itself is tested.
func Plain(path string) Target { return dir{path, true} }

func (d dir) Path() string          { return d.root }
func (d dir) Plain() bool           { return d.plain }
func (d dir) at(path string) string { return filepath.Join(d.root, path) }

// again repeats a system call that a signal interrupted.
func again(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

func (d dir) Open(path string, flags int, mode uint32) (File, error) {
	var fd int
	err := again(func() (err error) {
		fd, err = unix.Open(d.at(path), flags|unix.O_CLOEXEC, mode)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &descriptor{fd: fd, d: d}, nil
}

func (d dir) Mkdir(path string, mode uint32) error { return unix.Mkdir(d.at(path), mode) }
func (d dir) Mknod(path string, mode uint32, dev int) error {
	return unix.Mknod(d.at(path), mode, dev)
}
func (d dir) Symlink(target, path string) error { return unix.Symlink(target, d.at(path)) }
func (d dir) Readlink(path string) (string, error) {
	b := make([]byte, 8192)
	n, err := unix.Readlink(d.at(path), b)
	return string(b[:max(n, 0)]), err
}
func (d dir) Link(old, path string) error { return unix.Link(d.at(old), d.at(path)) }
func (d dir) Unlink(path string) error    { return unix.Unlink(d.at(path)) }
func (d dir) Rmdir(path string) error     { return unix.Rmdir(d.at(path)) }
func (d dir) Rename(old, path string, flags uint32) error {
	return unix.Renameat2(unix.AT_FDCWD, d.at(old), unix.AT_FDCWD, d.at(path), uint(flags))
}
func (d dir) Lstat(path string) (Stat, error) {
	var st unix.Stat_t
	err := unix.Lstat(d.at(path), &st)
	return statOf(&st), err
}
func (d dir) Btime(path string) (time.Time, error) {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, d.at(path), unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BTIME, &st)
	if err == nil && st.Mask&unix.STATX_BTIME == 0 {
		err = unix.EOPNOTSUPP
	}
	return time.Unix(st.Btime.Sec, int64(st.Btime.Nsec)), err
}
func (d dir) Chmod(path string, mode uint32) error   { return unix.Chmod(d.at(path), mode) }
func (d dir) Lchown(path string, uid, gid int) error { return unix.Lchown(d.at(path), uid, gid) }
func (d dir) Truncate(path string, size int64) error { return unix.Truncate(d.at(path), size) }
func (d dir) Utimes(path string, a, m time.Time) error {
	ts := []unix.Timespec{timespec(a), timespec(m)}
	return unix.UtimesNanoAt(unix.AT_FDCWD, d.at(path), ts, unix.AT_SYMLINK_NOFOLLOW)
}
func (d dir) Setxattr(path, name string, value []byte, flags int) error {
	return unix.Lsetxattr(d.at(path), name, value, flags)
}
func (d dir) Getxattr(path, name string) ([]byte, error) {
	b := make([]byte, 65536)
	n, err := unix.Lgetxattr(d.at(path), name, b)
	return b[:max(n, 0)], err
}
func (d dir) Listxattr(path string) ([]string, error) {
	b := make([]byte, 65536)
	n, err := unix.Llistxattr(d.at(path), b)
	if err != nil {
		return nil, err
	}
	var names []string
	for name := range bytes.SplitSeq(b[:n], []byte{0}) {
		if len(name) > 0 && string(name) != "security.selinux" {
			names = append(names, string(name))
		}
	}
	return names, nil
}
func (d dir) Removexattr(path, name string) error { return unix.Lremovexattr(d.at(path), name) }
func (d dir) Statfs() (Statfs, error) {
	var s unix.Statfs_t
	err := unix.Statfs(d.root, &s)
	return Statfs{s.Blocks, s.Bfree, s.Files, s.Ffree, s.Bsize, s.Namelen}, err
}

func timespec(t time.Time) unix.Timespec {
	return unix.Timespec{Sec: t.Unix(), Nsec: int64(t.Nanosecond())}
}

func statOf(st *unix.Stat_t) Stat {
	return Stat{
		Inode: st.Ino, Nlink: uint64(st.Nlink), Rdev: uint64(st.Rdev), Size: uint64(st.Size), Blocks: uint64(st.Blocks),
		Mode: st.Mode, UID: st.Uid, GID: st.Gid,
		Atime: time.Unix(st.Atim.Unix()), Mtime: time.Unix(st.Mtim.Unix()), Ctime: time.Unix(st.Ctim.Unix()),
	}
}

// descriptor is an open file of the kernel's.
type descriptor struct {
	fd int
	d  dir
}

func (f *descriptor) ReadAt(p []byte, off int64) (n int, err error) {
	err = again(func() error { n, err = unix.Pread(f.fd, p, off); return err })
	return max(n, 0), err
}
func (f *descriptor) WriteAt(p []byte, off int64) (n int, err error) {
	err = again(func() error { n, err = unix.Pwrite(f.fd, p, off); return err })
	return max(n, 0), err
}
func (f *descriptor) Append(p []byte) (n int, err error) {
	err = again(func() error { n, err = unix.Write(f.fd, p); return err })
	return max(n, 0), err
}
func (f *descriptor) Truncate(size int64) error {
	return again(func() error { return unix.Ftruncate(f.fd, size) })
}
func (f *descriptor) Sync() error     { return again(func() error { return unix.Fsync(f.fd) }) }
func (f *descriptor) Datasync() error { return again(func() error { return unix.Fdatasync(f.fd) }) }
func (f *descriptor) Stat() (Stat, error) {
	var st unix.Stat_t
	err := unix.Fstat(f.fd, &st)
	return statOf(&st), err
}
func (f *descriptor) Fallocate(mode uint32, off, length int64) error {
	return again(func() error { return unix.Fallocate(f.fd, mode, off, length) })
}
func (f *descriptor) Seek(off int64, whence int) (int64, error) { return unix.Seek(f.fd, off, whence) }
func (f *descriptor) CopyTo(to File, off, toOff, length int64) (int64, error) {
	n, err := unix.CopyFileRange(f.fd, &off, to.(*descriptor).fd, &toOff, int(length), 0)
	return int64(max(n, 0)), err
}
func (f *descriptor) LinkAt(path string) error {
	old := "/proc/self/fd/" + strconv.Itoa(f.fd)
	return unix.Linkat(unix.AT_FDCWD, old, unix.AT_FDCWD, f.d.at(path), unix.AT_SYMLINK_FOLLOW)
}
func (f *descriptor) Close() error { return unix.Close(f.fd) }

// Entries uses getdents64, whose position is a cookie, as telldir and seekdir do.
func (f *descriptor) Entries(cookie uint64) ([]Entry, error) {
	if _, err := unix.Seek(f.fd, int64(cookie), 0); err != nil {
		return nil, err
	}
	b := make([]byte, 1024) // little, so that there are many positions
	n, err := unix.Getdents(f.fd, b)
	if err != nil {
		return nil, err
	}
	var list []Entry
	for b = b[:n]; len(b) > 0; {
		d := (*unix.Dirent)(unsafe.Pointer(&b[0]))
		name := b[unsafe.Offsetof(d.Name):d.Reclen]
		name, _, _ = bytes.Cut(name, []byte{0})
		list = append(list, Entry{string(name), d.Ino, uint32(d.Type) << 12, uint64(d.Off)})
		b = b[d.Reclen:]
	}
	return list, nil
}
