package exercise

import (
	"bytes"
	"errors"
	"fmt"
	"runtime/debug"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxSize bounds a file: many extents, and still compared in a moment.
const maxSize = 2 << 20

// pair is a file on the mount and its twin on a plain filesystem.
type pair struct {
	mount, plain string // paths

	m, p    int    // descriptors; of the mount and of the plain file
	direct  int    // a second one of the mount's file, past the kernel's cache
	mapping []byte // of the mount's file, maxSize long whatever the file's size is; nil if it is not mapped
	size    int64  // of the plain file
}

func (p *pair) open() (err error) {
	const flags = unix.O_RDWR | unix.O_CREAT | unix.O_CLOEXEC
	if p.m, err = unix.Open(p.mount, flags, 0o644); err != nil {
		return fmt.Errorf("open on the mount: %w", err)
	}
	if p.direct, err = unix.Open(p.mount, flags|unix.O_DIRECT, 0o644); err != nil {
		return fmt.Errorf("open with O_DIRECT: %w", err)
	}
	if p.p, err = unix.Open(p.plain, flags, 0o644); err != nil {
		return fmt.Errorf("open the plain file: %w", err)
	}
	return p.learnSize()
}

// close lets go of the file, even of a dead mount. Errors are of no interest: what must not be lost was synced.
func (p *pair) close() error {
	p.unmap()
	for _, fd := range []*int{&p.m, &p.direct, &p.p} {
		if *fd > 0 {
			_ = unix.Close(*fd)
		}
		*fd = 0
	}
	return nil
}

// closeWell lets go of a file on a live mount.
func (p *pair) closeWell() error {
	p.unmap()
	err := errors.Join(unix.Close(p.m), unix.Close(p.direct), unix.Close(p.p))
	p.m, p.direct, p.p = 0, 0, 0
	return err
}

// learnSize also compares the sizes.
func (p *pair) learnSize() error {
	var m, q unix.Stat_t
	if err := errors.Join(unix.Fstat(p.m, &m), unix.Fstat(p.p, &q)); err != nil {
		return err
	}
	p.size = q.Size
	if m.Size != q.Size {
		return fmt.Errorf("the size is %d, want %d", m.Size, q.Size)
	}
	return nil
}

// both does something with the mount's file and with the plain one, and wants the same number and error of both.
func (p *pair) both(do func(fd int) (int, error)) (n int, err error) {
	want, wantErr := do(p.p)
	got, gotErr := do(p.m)
	if got != want || gotErr != wantErr {
		return 0, fmt.Errorf("%d and %v, want %d and %v", got, gotErr, want, wantErr)
	}
	return got, p.learnSize()
}

func (p *pair) write(b []byte, off int64) error {
	_, err := p.both(func(fd int) (int, error) { return unix.Pwrite(fd, b, off) })
	return err
}

// append writes at the end, wherever that is.
func (p *pair) append(b []byte) error {
	_, err := p.both(func(fd int) (int, error) { return unix.Pwritev2(fd, [][]byte{b}, 0, unix.RWF_APPEND) })
	return err
}

// writeSynced writes and wants it durable at once.
func (p *pair) writeSynced(b []byte, off int64) error {
	_, err := p.both(func(fd int) (int, error) { return unix.Pwritev2(fd, [][]byte{b}, off, unix.RWF_DSYNC) })
	return err
}

// writeDirect goes past the kernel's cache on the mount only.
func (p *pair) writeDirect(b []byte, off int64) error {
	_, err := p.both(func(fd int) (int, error) { return unix.Pwrite(p.uncached(fd), b, off) })
	return err
}

func (p *pair) uncached(fd int) int {
	if fd == p.m {
		return p.direct
	}
	return fd
}

func (p *pair) read(off int64, n int, direct bool) error {
	var got [2][]byte
	_, err := p.both(func(fd int) (int, error) {
		b, i := make([]byte, n), 0
		if fd == p.m {
			i = 1
			if direct {
				fd = p.direct
			}
		}
		n, err := unix.Pread(fd, b, off)
		got[i] = b[:max(n, 0)]
		return n, err
	})
	if err != nil {
		return err
	}
	return differ(got[1], got[0], off)
}

func (p *pair) truncate(size int64, byName bool) error {
	_, err := p.both(func(fd int) (int, error) {
		switch {
		case !byName:
			return 0, unix.Ftruncate(fd, size)
		case fd == p.m:
			return 0, unix.Truncate(p.mount, size)
		}
		return 0, unix.Truncate(p.plain, size)
	})
	return err
}

// fallocate takes modes that every plain filesystem has; zeroing is written out there.
func (p *pair) fallocate(mode uint32, off, n int64) error {
	_, err := p.both(func(fd int) (int, error) {
		if fd == p.p && mode&unix.FALLOC_FL_ZERO_RANGE != 0 {
			return 0, zeroPlainly(fd, off, n, p.size, mode&unix.FALLOC_FL_KEEP_SIZE != 0)
		}
		return 0, unix.Fallocate(fd, mode, off, n)
	})
	return err
}

func zeroPlainly(fd int, off, n, size int64, keep bool) error {
	if keep {
		n = min(n, size-off)
	}
	if n <= 0 {
		return nil
	}
	_, err := unix.Pwrite(fd, make([]byte, n), off)
	return err
}

// copyTo copies a range into another pair, or this one.
func (p *pair) copyTo(q *pair, off, to int64, n int) error {
	want, err := copyRange(p.p, q.p, off, to, n)
	if err != nil {
		return fmt.Errorf("copy the plain file: %w", err)
	}
	got, err := copyRange(p.m, q.m, off, to, n)
	if err != nil || got != want {
		return fmt.Errorf("copied %d and %v, want %d", got, err, want)
	}
	return q.learnSize()
}

// copyRange goes on until nothing more comes: one call may copy less.
func copyRange(from, to int, off, toOff int64, n int) (done int, err error) {
	for done < n {
		k, err := unix.CopyFileRange(from, &off, to, &toOff, n-done, 0)
		if k <= 0 || err != nil {
			return done, err
		}
		done += k
	}
	return done, nil
}

// map1 maps the mount's file, if it is not mapped.
func (p *pair) map1() (err error) {
	if p.mapping == nil {
		p.mapping, err = unix.Mmap(p.m, 0, maxSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	}
	return err
}

func (p *pair) unmap() {
	if p.mapping != nil {
		_ = unix.Munmap(p.mapping)
		p.mapping = nil
	}
}

// writeMapped writes through the mapping; only inside of the file, as beyond its end there is nothing to write to.
func (p *pair) writeMapped(b []byte, off int64) error {
	if err := p.map1(); err != nil {
		return fmt.Errorf("map: %w", err)
	}
	if err := faulting(func() { copy(p.mapping[off:], b) }); err != nil {
		return err
	}
	_, err := unix.Pwrite(p.p, b, off)
	return err
}

func (p *pair) readMapped(off, n int64) error {
	if err := p.map1(); err != nil {
		return fmt.Errorf("map: %w", err)
	}
	want := make([]byte, n)
	if _, err := unix.Pread(p.p, want, off); err != nil {
		return err
	}
	got := make([]byte, n)
	if err := faulting(func() { copy(got, p.mapping[off:]) }); err != nil {
		return err
	}
	return differ(got, want, off)
}

// faulting makes an error of a page that cannot be had.
func faulting(do func()) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("page fault: %v", r)
		}
	}()
	do()
	return nil
}

func (p *pair) msync(flags int) error {
	if p.mapping == nil {
		return nil
	}
	return unix.Msync(p.mapping, flags)
}

func (p *pair) sync() error { return unix.Fsync(p.m) }

// forget makes the kernel give up its pages of the file, so that the next read asks the mount.
func (p *pair) forget() error {
	p.unmap()
	if err := p.sync(); err != nil {
		return err
	}
	return unix.Fadvise(p.m, 0, 0, unix.FADV_DONTNEED)
}

// replace writes a new file with b and renames it over this one, as editors do. What was open stays open until then.
func (p *pair) replace(b []byte, sync bool) error {
	for _, path := range []string{p.mount, p.plain} {
		fd, err := unix.Open(path+".new", unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600)
		if err != nil {
			return fmt.Errorf("create the new file: %w", err)
		}
		if _, err = unix.Pwrite(fd, b, 0); err == nil && sync {
			err = unix.Fsync(fd)
		}
		if err = errors.Join(err, unix.Close(fd), unix.Rename(path+".new", path)); err != nil {
			return fmt.Errorf("replace: %w", err)
		}
	}
	return p.reopen()
}

func (p *pair) reopen() error { return errors.Join(p.closeWell(), p.open()) }

// compare reads all of both, and asks the mount where it has data: that must be everywhere where not all is zero.
func (p *pair) compare() error {
	if err := p.learnSize(); err != nil {
		return err
	}
	want, got := make([]byte, p.size+1), make([]byte, p.size+1)
	n, err1 := unix.Pread(p.p, want, 0)
	k, err2 := unix.Pread(p.m, got, 0)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if err := differ(got[:k], want[:n], 0); err != nil {
		return err
	}
	return p.compareHoles(want[:n])
}

func (p *pair) compareHoles(want []byte) error {
	for off := int64(0); off < p.size; {
		data, err := unix.Seek(p.m, off, unix.SEEK_DATA)
		if err == syscall.ENXIO {
			data, err = p.size, nil
		}
		if err != nil {
			return fmt.Errorf("SEEK_DATA from %d: %w", off, err)
		}
		if data < off || data > p.size || bytes.Count(want[off:data], []byte{0}) != int(data-off) {
			return fmt.Errorf("SEEK_DATA from %d is %d: the file has %d bytes, and there is data in between", off, data, p.size)
		}
		if data == p.size {
			return nil
		}
		if off, err = unix.Seek(p.m, data, unix.SEEK_HOLE); err != nil || off <= data || off > p.size {
			return fmt.Errorf("SEEK_HOLE from %d is %d, %v", data, off, err)
		}
	}
	return nil
}

// differ is nil if both are the same.
func differ(got, want []byte, off int64) error {
	if bytes.Equal(got, want) {
		return nil
	}
	if len(got) != len(want) {
		return fmt.Errorf("%d bytes at %d, want %d", len(got), off, len(want))
	}
	first, last, wrong, zeros := -1, 0, 0, 0
	for i := range want {
		if got[i] != want[i] {
			if first < 0 {
				first = i
			}
			last = i
			wrong++
			if got[i] == 0 {
				zeros++
			}
		}
	}
	return fmt.Errorf("%d bytes are wrong, from %d to %d; %d of them are zero; at the first is %x, want %x", wrong, off+int64(first), off+int64(last), zeros,
		got[first:min(first+8, len(got))], want[first:min(first+8, len(want))])
}
