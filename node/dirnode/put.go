package dirnode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"dfsmount/node"
)

// Put implements node.Node; the order of its steps is in the package doc.
func (v *volume) Put(ctx context.Context, name string, body io.Reader, size int64, sum node.Sum) error {
	err := v.check(ctx, name)
	if err == nil && size < 0 {
		err = fmt.Errorf("size %d: %w", size, node.ErrPermanent)
	}
	if err == nil {
		err = v.put(ctx, name, body, node.Info{Name: name, Size: size, Sum: sum})
	}
	if err != nil {
		return fmt.Errorf("put %s: %w", name, err)
	}
	return nil
}

func (v *volume) put(ctx context.Context, name string, body io.Reader, want node.Info) error {
	root, err := v.host.open()
	if err != nil {
		return err
	}
	defer root.Close()
	err = v.putExisting(ctx, root, want)
	if !errors.Is(err, node.ErrNotExist) {
		return err
	}
	tmp, err := v.host.newTemp(root)
	if err != nil {
		return err
	}
	defer tmp.remove()
	if err := tmp.fill(ctx, body, want); err != nil {
		return err
	}
	// From here on the context is not asked: what is done is quick, and half of it helps nobody.
	ctx = context.WithoutCancel(ctx)
	for range publishTries {
		if err := v.publish(root, tmp, want.Name); !errors.Is(err, errTaken) {
			return err
		}
		if err := v.putExisting(ctx, root, want); !errors.Is(err, node.ErrNotExist) {
			return err
		} // else it was deleted meanwhile: the name is free again
	}
	return errors.New("the name is taken and there is no object")
}

// publishTries bounds how often a Put finds its name taken by nothing: deletes may race it, or a network filesystem contradict itself.
const publishTries = 5

// putExisting answers a Put from the object that is there: nil once it is durable, ErrExists, ErrNotExist.
func (v *volume) putExisting(ctx context.Context, root *os.Root, want node.Info) error {
	vol, err := openVolume(root, v.id)
	if err != nil {
		return err
	}
	defer vol.Close()
	f, info, err := openObject(vol, want.Name)
	if errors.Is(err, errDirectory) {
		return fmt.Errorf("other objects are below that name: %w", node.ErrPermanent)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if info.Size() != want.Size {
		return fmt.Errorf("%d bytes, not %d: %w", info.Size(), want.Size, node.ErrExists)
	}
	if sum, _, err := sumOf(ctx, f); err != nil {
		return err
	} else if sum != want.Sum {
		return node.ErrExists
	}
	if err := datasync(f); err != nil {
		return err
	}
	return syncUp(root, vol, path.Dir(want.Name))
}

// publish gives the temporary file its name, durably. errTaken if the name is taken.
func (v *volume) publish(root *os.Root, tmp *temp, name string) error {
	if err := root.Mkdir(v.id, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return classify(err)
	}
	vol, err := openVolume(root, v.id)
	if errors.Is(err, node.ErrNotExist) {
		return errors.New("the volume's directory was removed meanwhile") // ErrNotExist would answer another question
	}
	if err != nil {
		return err
	}
	defer vol.Close()
	dir := path.Dir(name)
	if err := vol.MkdirAll(dir, 0o700); errors.Is(err, syscall.ENOTDIR) || errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("an object has the name of its directory: %w", node.ErrPermanent)
	} else if err != nil {
		return classify(err)
	}
	if err := v.host.publish(tmp, vol, name); err != nil {
		return err
	}
	return syncUp(root, vol, dir)
}

// syncUp makes the names in dir durable, and dir itself, and all above it up to the node's directory (D2).
func syncUp(root, vol *os.Root, dir string) error {
	for dir != "." {
		if err := syncDir(vol, dir); err != nil {
			return err
		}
		dir = path.Dir(dir)
	}
	if err := syncDir(vol, "."); err != nil {
		return err
	}
	return syncDir(root, ".")
}

// Delete implements node.Node. Also what is not there is made sure of: an earlier Delete may have died before its sync.
func (v *volume) Delete(ctx context.Context, name string) error {
	err := v.check(ctx, name)
	if err == nil {
		err = v.delete(name)
	}
	if err != nil {
		return fmt.Errorf("delete %s: %w", name, err)
	}
	return nil
}

func (v *volume) delete(name string) error {
	vol, err := v.open()
	if errors.Is(err, node.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer vol.Close()
	info, err := vol.Lstat(name)
	if err == nil && info.IsDir() {
		return nil
	}
	if err == nil {
		err = vol.Remove(name)
	}
	if err != nil && !missing(err) {
		return classify(err)
	}
	for dir := path.Dir(name); ; dir = path.Dir(dir) {
		if err := syncDir(vol, dir); err == nil || !missing(err) || dir == "." {
			return err
		}
	}
}

// missing reports whether an error of the filesystem says that a name leads to nothing; ENOTDIR: an object stands in its way.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// below reports whether an object under dir, a path with '/' at its end, can start with prefix and be greater than after.
func below(dir, prefix, after string) bool {
	if !strings.HasPrefix(dir, prefix) && !strings.HasPrefix(prefix, dir) {
		return false
	}
	return dir > after || strings.HasPrefix(after, dir)
}
