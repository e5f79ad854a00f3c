package dirnode

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"

	"dfsmount/node"
)

// Options of Open. The zero value is a node that exists.
type Options struct {
	// Create makes a node of the directory if it is none yet: it must be empty (lost+found and .node do not count) or missing,
	// and its parent must exist. Only ask for it when a person asked for a new node: otherwise a mount point without its disk
	// becomes an empty node.
	Create bool

	// ID, if set, is the id the marker must have (see ID), so that another disk in the same place is not taken for this one.
	ID string
}

// host is a directory.
type host struct {
	path       string // absolute
	id         string
	publishers []publisher
	swept      atomic.Int64 // when temporary files were last looked through, Unix nanoseconds
}

// Open returns the node in the directory at path. Without Create it looks at nothing: a disk that is not plugged in is a node that
// is away, not an error of configuration, and every operation looks for itself.
func Open(path string, o Options) (node.Host, error) {
	h, err := open(path, o)
	if err != nil {
		return nil, err
	}
	return h, nil
}

func open(path string, o Options) (*host, error) {
	if path == "" {
		return nil, errors.New("the path of the node's directory is empty")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open node: %w", err)
	}
	h := &host{path: abs, id: o.ID, publishers: []publisher{link, renameNoReplace}}
	if !o.Create {
		return h, nil
	}
	if err := h.create(); err != nil {
		return nil, fmt.Errorf("create node: %w", err)
	}
	return h, nil
}

// ID tells which node the directory at path is: 32 hex digits made with it.
func ID(path string) (string, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return "", fmt.Errorf("open node: %w", err)
	}
	defer root.Close()
	return readMarker(root)
}

// String implements node.Host.
func (h *host) String() string { return "dir:" + h.path }

// Close implements node.Host.
func (h *host) Close() error { return nil }

// Volumes implements node.Host.
func (h *host) Volumes(ctx context.Context) ([]string, error) {
	root, err := h.open()
	if err != nil {
		return nil, fmt.Errorf("list volumes: %w", err)
	}
	defer root.Close()
	entries, err := readDir(root, ".")
	if err != nil {
		return nil, fmt.Errorf("list volumes: %w", err)
	}
	var ids []string
	for _, e := range entries {
		if !e.IsDir() || !node.ValidVolume(e.Name()) {
			continue
		}
		some, err := hasObject(ctx, root, e.Name())
		if err != nil {
			return nil, fmt.Errorf("list volumes: %w", err)
		}
		if some {
			ids = append(ids, e.Name())
		}
	}
	slices.Sort(ids)
	return ids, ctx.Err()
}

// Volume implements node.Host.
func (h *host) Volume(id string) node.Node { return &volume{h, id} }

// open opens the directory for one operation, if it is the node it should be (D4).
func (h *host) open() (*os.Root, error) {
	root, err := os.OpenRoot(h.path)
	if err != nil {
		return nil, classify(err)
	}
	id, err := readMarker(root)
	if err == nil && h.id != "" && id != h.id {
		err = fmt.Errorf("%s is node %s, not %s: another disk in its place?", h.path, id, h.id)
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	return root, nil
}

// volume is one volume of a host.
type volume struct {
	host *host
	id   string
}

func (v *volume) check(ctx context.Context, name string) error {
	if err := node.Check(v.id, name); err != nil {
		return err
	}
	return ctx.Err()
}

// open opens the volume's directory for reading. ErrNotExist if it has none.
func (v *volume) open() (*os.Root, error) {
	root, err := v.host.open()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return openVolume(root, v.id)
}

// openVolume opens a volume's directory, which is one: a symlink to another volume is none (D3).
func openVolume(root *os.Root, id string) (*os.Root, error) {
	info, err := root.Lstat(id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, node.ErrNotExist
	}
	if err != nil {
		return nil, classify(err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is not a directory: %w", filepath.Join(root.Name(), id), node.ErrPermanent)
	}
	vol, err := root.OpenRoot(id)
	if err != nil {
		return nil, classify(err)
	}
	return vol, nil
}

// classify adds to an error of the filesystem what it means for a node. The rest is transient.
func classify(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: %w", node.ErrFull, err)
	case errors.Is(err, syscall.EROFS), errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return fmt.Errorf("%w: %w", node.ErrPermanent, err)
	}
	return err
}
