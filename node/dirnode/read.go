package dirnode

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"dfsmount/node"

	"golang.org/x/sys/unix"
)

// errDirectory is what openObject finds where a name is only the beginning of others.
var errDirectory = fmt.Errorf("is a directory: %w", node.ErrNotExist)

// openObject opens an object. ErrNotExist; errDirectory, which matches it too.
func openObject(vol *os.Root, name string) (*os.File, fs.FileInfo, error) {
	info, err := vol.Lstat(name)
	switch {
	case err != nil && missing(err):
		return nil, nil, node.ErrNotExist
	case err != nil:
		return nil, nil, classify(err)
	case info.IsDir():
		return nil, nil, errDirectory
	}
	f, err := openRegular(vol, name)
	if err != nil {
		return nil, nil, err
	}
	if info, err = f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, nil, errors.Join(err, notRegular(vol, name))
	}
	return f, info, nil
}

// openRegular opens without following a symlink and without waiting for a writer of a FIFO.
func openRegular(vol *os.Root, name string) (*os.File, error) {
	if info, err := vol.Lstat(name); err == nil && !info.Mode().IsRegular() {
		return nil, notRegular(vol, name)
	}
	f, err := vol.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil && missing(err) {
		return nil, node.ErrNotExist
	}
	if err != nil {
		return nil, classify(err)
	}
	return f, nil
}

func notRegular(vol *os.Root, name string) error {
	return fmt.Errorf("%s is not a regular file: %w", filepath.Join(vol.Name(), name), node.ErrPermanent)
}

// Get implements node.Node.
func (v *volume) Get(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	err := v.check(ctx, name)
	if err == nil && offset < 0 {
		err = fmt.Errorf("offset %d: %w", offset, node.ErrPermanent)
	}
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", name, err)
	}
	vol, err := v.open()
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", name, err)
	}
	defer vol.Close()
	f, info, err := openObject(vol, name)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", name, err)
	}
	return newReader(ctx, f, info.Size(), offset, length), nil
}

// reader is the body of a Get. It holds the file, so the bytes stay until it is closed, whatever is deleted.
type reader struct {
	ctx  context.Context
	f    *os.File
	part *io.SectionReader
	size int64
}

func newReader(ctx context.Context, f *os.File, size, offset, length int64) *reader {
	offset = min(offset, size)
	if length < 0 || length > size-offset {
		length = size - offset
	}
	return &reader{ctx, f, io.NewSectionReader(f, offset, length), size}
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.part.Read(p)
}

func (r *reader) Close() error { return r.f.Close() }

// ObjectSize implements node.ObjectSizer.
func (r *reader) ObjectSize() int64 { return r.size }

// Stat implements node.Node. It reads the whole object, from the disk if the kernel lets it.
func (v *volume) Stat(ctx context.Context, name string) (node.Info, error) {
	info, err := v.stat(ctx, name)
	if err != nil {
		return node.Info{}, fmt.Errorf("stat %s: %w", name, err)
	}
	return info, nil
}

func (v *volume) stat(ctx context.Context, name string) (node.Info, error) {
	if err := v.check(ctx, name); err != nil {
		return node.Info{}, err
	}
	vol, err := v.open()
	if err != nil {
		return node.Info{}, err
	}
	defer vol.Close()
	f, _, err := openObject(vol, name)
	if err != nil {
		return node.Info{}, err
	}
	defer f.Close()
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) // a hint: drops clean pages
	sum, size, err := sumOf(ctx, f)
	if err != nil {
		return node.Info{}, err
	}
	return node.Info{Name: name, Size: size, Sum: sum}, nil
}

// sumOf hashes a file from its start.
func sumOf(ctx context.Context, f *os.File) (node.Sum, int64, error) {
	hash := sha256.New()
	r := &reader{ctx: ctx, f: f, part: io.NewSectionReader(f, 0, 1<<63-1)}
	size, err := io.CopyBuffer(hash, onlyReader{r}, make([]byte, bufferSize))
	if err != nil {
		return node.Sum{}, 0, classify(err)
	}
	return node.Sum(hash.Sum(nil)), size, nil
}

// onlyReader keeps io.CopyBuffer from other methods than Read.
type onlyReader struct{ io.Reader }
