package dirnode

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"dfsmount/node"

	"golang.org/x/sys/unix"
)

const (
	nodeDir = ".node"
	tempDir = ".node/tmp"

	// tempAge is how long after the last write a temporary file is taken for one of a crash. No writer pauses that long: bodies come
	// from a disk, or from a server that gives up on a silent client within a minute.
	tempAge = time.Hour

	bufferSize    = 256 << 10
	writebackStep = 1 << 20
)

// temp is a body on its way in.
type temp struct {
	dir  *os.File // DIR/.node/tmp
	name string   // in dir
	f    *os.File
	root *os.Root
}

func (h *host) newTemp(root *os.Root) (*temp, error) {
	for _, dir := range []string{nodeDir, tempDir} {
		if err := root.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, classify(err)
		}
	}
	h.sweep(root)
	dir, err := root.Open(tempDir)
	if err != nil {
		return nil, classify(err)
	}
	t := &temp{dir: dir, name: rand.Text(), root: root}
	t.f, err = root.OpenFile(t.path(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		dir.Close()
		return nil, classify(err)
	}
	return t, nil
}

func (t *temp) path() string { return tempDir + "/" + t.name }

// remove takes the temporary name away. Errors are left to the sweep: the object, if there is one, has its own name.
func (t *temp) remove() {
	t.f.Close()
	t.dir.Close()
	_ = t.root.Remove(t.path())
}

// sync makes the bytes durable.
func (t *temp) sync() error { return datasync(t.f) }

// fill writes want.Size bytes of body, verifies them and makes them durable.
func (t *temp) fill(ctx context.Context, body io.Reader, want node.Info) error {
	if err := t.allocate(want.Size); err != nil {
		return err
	}
	sum, err := t.copy(ctx, body, want.Size)
	if err != nil {
		return err
	}
	if sum != want.Sum {
		return fmt.Errorf("got %s, not %s: %w", sum, want.Sum, node.ErrChecksum)
	}
	return t.sync()
}

// allocate finds out that there is no room before anything is sent. Filesystems that cannot tell are not asked twice.
func (t *temp) allocate(size int64) error {
	if size == 0 {
		return nil
	}
	err := ignoreEINTR(func() error { return unix.Fallocate(int(t.f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, size) })
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) {
		return classify(fmt.Errorf("allocate %d bytes: %w", size, err))
	}
	return nil
}

// copy writes and hashes size bytes. Writing to the disk begins at once, a MiB at a time, so that the sync at the end has little
// left to wait for.
func (t *temp) copy(ctx context.Context, body io.Reader, size int64) (node.Sum, error) {
	hash, buf, started := sha256.New(), make([]byte, min(bufferSize, size)), int64(0)
	for done := int64(0); done < size; {
		if err := ctx.Err(); err != nil {
			return node.Sum{}, err
		}
		n, err := io.ReadFull(body, buf[:min(int64(len(buf)), size-done)])
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return node.Sum{}, fmt.Errorf("body ended after %d of %d bytes: %w", done+int64(n), size, io.ErrUnexpectedEOF)
		}
		if err != nil {
			return node.Sum{}, fmt.Errorf("read body: %w", err)
		}
		if _, err := t.f.Write(buf[:n]); err != nil {
			return node.Sum{}, classify(err)
		}
		hash.Write(buf[:n])
		if done += int64(n); done-started >= writebackStep {
			_ = unix.SyncFileRange(int(t.f.Fd()), started, done-started, unix.SYNC_FILE_RANGE_WRITE) // a hint: datasync decides
			started = done
		}
	}
	return node.Sum(hash.Sum(nil)), nil
}

// sweep removes what crashes left, at most once every tempAge.
func (h *host) sweep(root *os.Root) {
	now := time.Now()
	last := h.swept.Load()
	if now.Sub(time.Unix(0, last)) < tempAge || !h.swept.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	entries, err := readDir(root, tempDir)
	if err != nil {
		return // the Put that follows meets the same error and tells of it
	}
	for _, e := range entries {
		path := tempDir + "/" + e.Name()
		if info, err := root.Lstat(path); err == nil && info.Mode().IsRegular() && now.Sub(info.ModTime()) > tempAge {
			_ = root.Remove(path)
		}
	}
}

func datasync(f *os.File) error {
	if err := ignoreEINTR(func() error { return unix.Fdatasync(int(f.Fd())) }); err != nil {
		return classify(fmt.Errorf("sync %s: %w", f.Name(), err))
	}
	return nil
}

func ignoreEINTR(fn func() error) error {
	for {
		if err := fn(); err != syscall.EINTR {
			return err
		}
	}
}
