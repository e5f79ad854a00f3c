package dirnode

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"dfsmount/node"
)

const (
	markerName   = "dfsmount-node"
	markerFormat = "dfsmount-node 1\nid "
)

// readMarker returns the id of the node.
func readMarker(root *os.Root) (string, error) {
	data, err := root.ReadFile(markerName)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s is not a node: it has no file %s (is its disk mounted?)", root.Name(), markerName)
	}
	if err != nil {
		return "", classify(err)
	}
	id, ok := strings.CutPrefix(string(data), markerFormat)
	if id, nl := strings.CutSuffix(id, "\n"); ok && nl && node.ValidVolume(id) {
		return id, nil
	}
	return "", fmt.Errorf("%s is not a node of a format known here: %w", filepath.Join(root.Name(), markerName), node.ErrPermanent)
}

// create makes a node of the directory unless it is one.
func (h *host) create() error {
	if err := os.Mkdir(h.path, 0o700); err == nil {
		err = syncPath(filepath.Dir(h.path))
		if err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return err
	}
	root, err := os.OpenRoot(h.path)
	if err != nil {
		return err
	}
	defer root.Close()
	if _, err := root.Lstat(markerName); err == nil {
		_, err = readMarker(root)
		return err
	}
	if err := empty(root); err != nil {
		return err
	}
	return h.writeMarker(root)
}

// empty refuses a directory that is in use for something else.
func empty(root *os.Root) error {
	entries, err := readDir(root, ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if name := e.Name(); name != "lost+found" && name != nodeDir {
			return fmt.Errorf("%s is not empty: it has %q", root.Name(), name)
		}
	}
	return nil
}

// writeMarker publishes the marker as an object is published: whole and durable, or not at all. If another process was first, its
// marker counts.
func (h *host) writeMarker(root *os.Root) error {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	tmp, err := h.newTemp(root)
	if err != nil {
		return err
	}
	defer tmp.remove()
	if _, err := tmp.f.WriteString(markerFormat + hex.EncodeToString(id[:]) + "\n"); err != nil {
		return err
	}
	if err := tmp.sync(); err != nil {
		return err
	}
	if err := h.publish(tmp, root, markerName); err != nil && !errors.Is(err, errTaken) {
		return err
	}
	return syncDir(root, ".")
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func syncDir(root *os.Root, dir string) error {
	f, err := root.Open(dir)
	if err != nil {
		return classify(err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return classify(err)
	}
	return nil
}
