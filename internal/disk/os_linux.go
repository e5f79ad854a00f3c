package disk

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// osFS is a directory of the operating system. os.Root keeps every path below it, also through symbolic links.
type osFS struct {
	root *os.Root
	self *os.File // the root itself, for statfs
}

// OS returns the tree at root, an existing directory. The handle lives as long as the process uses it.
func OS(root string) (FS, error) {
	r, err := os.OpenRoot(root)
	if err != nil {
		return nil, fmt.Errorf("open directory: %w", err)
	}
	self, err := r.Open(".")
	if err != nil {
		r.Close()
		return nil, fmt.Errorf("open directory: %w", err)
	}
	return &osFS{root: r, self: self}, nil
}

func (d *osFS) Open(path string, how Flag) (File, error) {
	flag, ok := map[Flag]int{
		Read:   os.O_RDONLY,
		Write:  os.O_RDWR,
		Create: os.O_RDWR | os.O_CREATE | os.O_EXCL,
	}[how]
	if !ok {
		return nil, &iofs.PathError{Op: "open", Path: path, Err: unix.EINVAL}
	}
	f, err := d.root.OpenFile(path, flag, 0o600)
	if err != nil {
		return nil, full(err)
	}
	return &osFile{f}, nil
}

func (d *osFS) Mkdir(path string) error {
	err := d.root.Mkdir(path, 0o700)
	if errors.Is(err, iofs.ErrExist) {
		return d.existingDir(path)
	}
	return full(err)
}

func (d *osFS) existingDir(path string) error {
	info, err := d.root.Stat(path)
	if err == nil && !info.IsDir() {
		return &iofs.PathError{Op: "mkdir", Path: path, Err: unix.ENOTDIR}
	}
	return err
}

func (d *osFS) Rename(from, to string) error { return full(d.root.Rename(from, to)) }

// Remove refuses directories, which os.Root.Remove would take if they are empty.
func (d *osFS) Remove(path string) error {
	info, err := d.root.Lstat(path)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return &iofs.PathError{Op: "remove", Path: path, Err: unix.EISDIR}
	}
	return full(d.root.Remove(path))
}

func (d *osFS) List(dir string) ([]string, error) {
	f, err := d.root.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	return names, nil
}

func (d *osFS) SyncDir(dir string) error {
	f, err := d.root.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return full(f.Sync())
}

func (d *osFS) Free() (bytes int64, total int64, err error) {
	var st unix.Statfs_t
	err = onFD(d.self, "statfs", func(fd int) error { return unix.Fstatfs(fd, &st) })
	if err != nil {
		return 0, 0, err
	}
	return int64(st.Bavail) * st.Frsize, int64(st.Blocks) * st.Frsize, nil
}

// osFile adds to os.File what the standard library does not have, and tells a full disk from other failures.
type osFile struct{ f *os.File }

func (f *osFile) ReadAt(p []byte, off int64) (int, error) { return f.f.ReadAt(p, off) }

func (f *osFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.f.WriteAt(p, off)
	return n, full(err)
}

func (f *osFile) Close() error { return full(f.f.Close()) }

func (f *osFile) Truncate(size int64) error { return full(f.f.Truncate(size)) }

func (f *osFile) Size() (int64, error) {
	info, err := f.f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (f *osFile) Datasync() error { return onFD(f.f, "fdatasync", unix.Fdatasync) }

// Allocate uses fallocate(2). Where the filesystem has none (NFS before 4.2, some FUSE filesystems), the part of the
// range behind the end of the file is written with zeros, which takes the room as surely; holes before the end stay
// holes, and a later write into one may still meet a full disk.
func (f *osFile) Allocate(offset, length int64) error {
	err := onFD(f.f, "fallocate", func(fd int) error { return unix.Fallocate(fd, 0, offset, length) })
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return f.writeZeros(offset, length)
	}
	return err
}

func (f *osFile) writeZeros(offset, length int64) error {
	size, err := f.Size()
	if err != nil {
		return err
	}
	if size < offset {
		if err := f.Truncate(offset); err != nil {
			return err
		}
	}
	zeros := make([]byte, 256<<10)
	for at, end := max(offset, size), offset+length; at < end; {
		n, err := f.WriteAt(zeros[:min(int64(len(zeros)), end-at)], at)
		if err != nil {
			return err
		}
		at += int64(n)
	}
	return nil
}

// onFD runs a system call on f's descriptor, which cannot be closed meanwhile, again whenever a signal interrupted it
// (Go's preemption sends signals to its own threads).
func onFD(f *os.File, op string, call func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = conn.Control(func(fd uintptr) {
		for {
			if failed = call(int(fd)); failed != unix.EINTR {
				return
			}
		}
	})
	if err == nil && failed != nil {
		err = &iofs.PathError{Op: op, Path: f.Name(), Err: failed}
	}
	return full(err)
}

// fullError is an error of the operating system that also matches ErrFull.
type fullError struct{ err error }

func (e *fullError) Error() string   { return e.err.Error() }
func (e *fullError) Unwrap() []error { return []error{ErrFull, e.err} }

func full(err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return &fullError{err}
	}
	return err
}
