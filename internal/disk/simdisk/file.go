package simdisk

import (
	"bytes"
	"io"
	iofs "io/fs"
	"syscall"
)

// file is an open handle. Its fields are guarded by the disk's lock.
type file struct {
	d        *Disk
	node     *inode
	path     string // it was opened by, to name it in errors and faults
	writable bool
	closed   bool
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.usableLocked("read", off); err != nil {
		return 0, err
	}
	if err := f.d.faultLocked(ReadAt, f.path); err != nil {
		return 0, err
	}
	size := f.node.now.size
	if off >= size {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), size-off))
	f.node.now.readAt(p[:n], off)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt writes what fits on the disk and tells how much that was.
func (f *file) WriteAt(p []byte, off int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.changeableLocked("write", off); err != nil {
		return 0, err
	}
	fits := f.d.fitsLocked(f.node, off+int64(len(p)))
	n := int(max(0, min(int64(len(p)), fits-off)))
	c := change{what: write, data: bytes.Clone(p[:n]), off: off}
	err := f.d.mutateLocked(WriteAt, f.path, func() { f.changeLocked(c) })
	if err != nil {
		return 0, err
	}
	if n < len(p) {
		return n, fail("write", f.path, syscall.ENOSPC)
	}
	return n, nil
}

func (f *file) Allocate(offset, length int64) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.changeableLocked("allocate", offset); err != nil {
		return err
	}
	if f.d.fitsLocked(f.node, offset+length) < offset+length {
		return fail("allocate", f.path, syscall.ENOSPC)
	}
	c := change{what: grow, off: offset + length}
	return f.d.mutateLocked(Allocate, f.path, func() { f.changeLocked(c) })
}

func (f *file) Truncate(size int64) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.changeableLocked("truncate", size); err != nil {
		return err
	}
	if f.d.fitsLocked(f.node, size) < size {
		return fail("truncate", f.path, syscall.ENOSPC)
	}
	c := change{what: truncate, off: size}
	return f.d.mutateLocked(Truncate, f.path, func() { f.changeLocked(c) })
}

func (f *file) Datasync() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.usableLocked("datasync", 0); err != nil {
		return err
	}
	if err := f.d.beginLocked(Datasync, f.path); err != nil {
		if !f.d.stopped {
			f.node.settle(f.d.rng, 0.5)
		}
		return err
	}
	f.node.sync()
	return nil
}

func (f *file) Size() (int64, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	return f.node.now.size, f.usableLocked("stat", 0)
}

func (f *file) Close() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.closed {
		return fail("close", f.path, iofs.ErrClosed)
	}
	f.closed = true
	f.node.handles--
	f.d.freeLocked(f.node)
	return nil
}

func (f *file) usableLocked(op string, off int64) error {
	switch {
	case f.d.stopped:
		return ErrStopped
	case f.closed:
		return fail(op, f.path, iofs.ErrClosed)
	case off < 0:
		return fail(op, f.path, syscall.EINVAL)
	}
	return nil
}

func (f *file) changeableLocked(op string, off int64) error {
	err := f.usableLocked(op, off)
	if err == nil && !f.writable {
		err = fail(op, f.path, syscall.EBADF)
	}
	return err
}

// changeLocked applies a change that fits.
func (f *file) changeLocked(c change) {
	before := f.node.now.size
	f.node.do(c)
	f.d.used += f.node.now.size - before
}

// fitsLocked is how long the file can be, at most want.
func (d *Disk) fitsLocked(n *inode, want int64) int64 {
	if want <= n.now.size {
		return want
	}
	return min(want, n.now.size+max(0, d.capacity-d.used))
}
