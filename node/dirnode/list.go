package dirnode

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"dfsmount/node"
)

// List implements node.Node. One directory is read whole before its objects are told, so memory grows with the biggest directory.
func (v *volume) List(ctx context.Context, prefix, after string, fn func(node.Info) error) error {
	err := v.check(ctx, "any")
	if err == nil {
		err = v.list(ctx, prefix, after, fn)
	}
	if err != nil {
		return fmt.Errorf("list %q: %w", prefix, err)
	}
	return nil
}

func (v *volume) list(ctx context.Context, prefix, after string, fn func(node.Info) error) error {
	vol, err := v.open()
	if errors.Is(err, node.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer vol.Close()
	w := walk{ctx, vol, prefix, after, fn}
	return w.dir("", 1)
}

// walk is one List.
type walk struct {
	ctx           context.Context
	vol           *os.Root
	prefix, after string
	fn            func(node.Info) error
}

// dir tells the objects below dir, which is "" or ends in '/'; its entries are part number depth of a name.
func (w *walk) dir(dir string, depth int) error {
	keys, err := w.keys(dir, depth)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if strings.HasSuffix(key, "/") {
			err = w.dir(key, depth+1)
		} else {
			err = w.object(key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// keys are the names of objects in dir, and of directories in it with a '/' at their end, in byte order: so sorted, walking
// directories where they stand tells names in byte order ('-' < '/' < '0').
func (w *walk) keys(dir string, depth int) ([]string, error) {
	entries, err := readDir(w.vol, "./"+dir)
	if err != nil {
		if missing(err) {
			return nil, nil // deleted by hand meanwhile
		}
		return nil, err
	}
	var keys []string
	for _, e := range entries {
		key := dir + e.Name()
		switch {
		case !node.ValidPart(e.Name()):
		case e.IsDir() && depth < node.MaxParts && below(key+"/", w.prefix, w.after):
			keys = append(keys, key+"/")
		case e.Type().IsRegular() && strings.HasPrefix(key, w.prefix) && key > w.after:
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys, nil
}

func (w *walk) object(name string) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	info, err := w.vol.Lstat(name)
	if err != nil && missing(err) {
		return nil // deleted meanwhile
	}
	if err != nil {
		return classify(err)
	}
	return w.fn(node.Info{Name: name, Size: info.Size()})
}

// hasObject reports whether a volume has any.
func hasObject(ctx context.Context, root *os.Root, id string) (bool, error) {
	vol, err := openVolume(root, id)
	if err != nil {
		return false, err
	}
	defer vol.Close()
	found := errors.New("found")
	w := walk{ctx, vol, "", "", func(node.Info) error { return found }}
	err = w.dir("", 1)
	if errors.Is(err, found) {
		return true, nil
	}
	return false, err
}

func readDir(root *os.Root, dir string) ([]fs.DirEntry, error) {
	f, err := root.Open(dir)
	if err != nil {
		return nil, classify(err)
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if err != nil {
		return nil, classify(err)
	}
	return entries, nil
}
