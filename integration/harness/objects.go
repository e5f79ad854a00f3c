package harness

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
)

var segmentName = regexp.MustCompile(`^[0-9a-f]{16}-[0-9a-f]{8}$`)

// Object is a sealed segment in a node's directory.
type Object struct {
	Name string // the last part of its name on the node
	Path string
}

// Objects lists the segments in a node's directory, in the order of their names. Tests change them as a bad disk or a bad operator
// would: the node is not told.
func (n *Node) Objects() (list []Object) {
	n.w.t.Helper()
	return n.w.Objects(n.Dir)
}

// Objects lists the segments in a directory that a node keeps.
func (w *World) Objects(dir string) (list []Object) {
	w.t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && segmentName.MatchString(d.Name()) {
			list = append(list, Object{d.Name(), path})
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	slices.SortFunc(list, func(a, b Object) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return list
}

// Read returns the object's bytes.
func (w *World) Read(o Object) []byte {
	w.t.Helper()
	b, err := os.ReadFile(o.Path)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// Write replaces the object's bytes.
func (w *World) Write(o Object, b []byte) {
	w.t.Helper()
	if err := os.Chmod(o.Path, 0o600); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(o.Path, b, 0o600); err != nil {
		w.t.Fatal(err)
	}
}
