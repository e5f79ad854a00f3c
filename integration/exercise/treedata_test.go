package exercise

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// chooseContent draws a change of a file's content by its name.
func (w *treeWorker) chooseContent(p string) operation {
	off, n := w.rng.Int64N(300<<10), w.rng.IntN(20000)
	switch w.rng.IntN(6) {
	case 0:
		return simple(fmt.Sprintf("truncate %q %d", p, off), func(t *tree) error {
			var st unix.Stat_t
			if err := unix.Stat(t.at(p), &st); err == nil && st.Size == off {
				return nil // whether that changes the time is nowhere written
			}
			return unix.Truncate(t.at(p), off)
		}, p)
	case 1:
		return w.tmpfile(p)
	case 2:
		b := w.content(n)
		return w.opened(fmt.Sprintf("append %d to %q", n, p), p, unix.O_WRONLY|unix.O_APPEND, func(fd int) error { return writeAll(fd, b, -1) })
	case 3:
		return w.opened(fmt.Sprintf("punch %d at %d into %q", n+1, off, p), p, unix.O_RDWR, func(fd int) error {
			return unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, int64(n+1))
		})
	}
	b := w.content(n)
	return w.opened(fmt.Sprintf("write %d at %d into %q", n, off, p), p, unix.O_RDWR, func(fd int) error { return writeAll(fd, b, off) })
}

// opened is an operation on an open file.
func (w *treeWorker) opened(text, p string, flags int, do func(fd int) error) operation {
	return simple(text, func(t *tree) error {
		fd, err := t.open(p, flags, 0)
		if err != nil {
			return err
		}
		return first(do(fd), unix.Close(fd))
	}, p)
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

var errShort = errors.New("short write")

// writeAll writes at a place, or with a negative one where the file stands.
func writeAll(fd int, b []byte, off int64) (err error) {
	var n int
	if off < 0 {
		n, err = unix.Write(fd, b)
	} else {
		n, err = unix.Pwrite(fd, b, off)
	}
	if err == nil && n != len(b) {
		return errShort
	}
	return err
}

// tmpfile makes a file without a name in the directory and gives it one there.
func (w *treeWorker) tmpfile(p string) operation {
	b, mode, name := w.content(w.rng.IntN(5000)), w.mode()&0o777, w.name()
	return simple(fmt.Sprintf("tmpfile in %q %o, %d bytes, named %q", p, mode, len(b), name), func(t *tree) error {
		fd, err := unix.Open(t.at(p), unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, mode)
		if err != nil {
			return err
		}
		return first(writeAll(fd, b, 0),
			unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), unix.AT_FDCWD, t.at(p+"/"+name), unix.AT_SYMLINK_FOLLOW),
			unix.Close(fd))
	}, p, p+"/"+name)
}

// chooseHeld draws what is done with files that stay open: whatever becomes of their names, they are what they are.
func (w *treeWorker) chooseHeld(p string) operation {
	slot := w.rng.IntN(len(w.trees[0].held))
	if w.trees[0].held[slot] == 0 {
		return simple(fmt.Sprintf("hold %q as %d", p, slot), func(t *tree) (err error) {
			t.held[slot], err = t.open(p, unix.O_RDWR, 0)
			t.held[slot] = max(t.held[slot], 0)
			return err
		}, p)
	}
	held := func(text string, do func(fd int) (string, error)) operation {
		return operation{text: fmt.Sprintf("%s held %d", text, slot), do: func(t *tree) (string, error) { return do(t.held[slot]) }}
	}
	off, n := w.rng.Int64N(100<<10), w.rng.IntN(20000)
	switch w.rng.IntN(8) {
	case 0:
		b := w.content(n)
		return held(fmt.Sprintf("write %d at %d to", n, off), func(fd int) (string, error) { return "", writeAll(fd, b, off) })
	case 1:
		return held(fmt.Sprintf("read %d at %d of", n, off), func(fd int) (string, error) {
			b := make([]byte, n)
			n, err := unix.Pread(fd, b, off)
			return string(b[:max(n, 0)]), err
		})
	case 2:
		return held(fmt.Sprintf("truncate to %d", off), func(fd int) (string, error) { return "", unix.Ftruncate(fd, off) })
	case 3:
		mode := w.mode()
		return held(fmt.Sprintf("chmod %o", mode), func(fd int) (string, error) { return "", unix.Fchmod(fd, mode) })
	case 4:
		b := w.content(20)
		return held("setxattr of", func(fd int) (string, error) { return "", unix.Fsetxattr(fd, "user.held", b, 0) })
	case 5:
		return held("fsync", func(fd int) (string, error) { return "", unix.Fsync(fd) })
	case 6:
		return operation{text: fmt.Sprintf("release %d", slot), do: func(t *tree) (string, error) { return "", t.release(slot) }}
	}
	return held("stat", func(fd int) (string, error) {
		var st unix.Stat_t
		err := unix.Fstat(fd, &st)
		return describe(&st), err
	})
}

func (t *tree) release(slot int) error {
	fd := t.held[slot]
	t.held[slot] = 0
	if fd == 0 {
		return nil
	}
	return unix.Close(fd)
}
