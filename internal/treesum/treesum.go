// Package treesum tells whether two directory trees are the same, by hash, and if not, where they differ.
//
// Compared are names, types, permissions, modification times, link targets and contents. Not compared: owners (a copy made by a
// plain user cannot keep them), access and change times, extended attributes, which names share an inode.
package treesum

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	iofs "io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
)

// Tree is what one directory tree holds.
type Tree struct {
	Files, Dirs, Links int
	Bytes              int64
	entries            map[string]string // path relative to the root → what is there, as text
}

// Of reads the tree below root, several files at a time.
func Of(ctx context.Context, root string) (Tree, error) {
	t := Tree{entries: map[string]string{}}
	var files []string
	err := filepath.WalkDir(root, func(path string, d iofs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		rel, err := filepath.Rel(root, path)
		if err != nil || rel == "." {
			return err
		}
		isFile, err := t.add(rel, path, d)
		if isFile {
			files = append(files, rel)
		}
		return err
	})
	if err != nil {
		return Tree{}, fmt.Errorf("walk %s: %w", root, err)
	}
	return t, t.hashAll(ctx, root, files)
}

func (t *Tree) add(rel, path string, d iofs.DirEntry) (isFile bool, err error) {
	info, err := d.Info()
	if err != nil {
		return false, err
	}
	text := fmt.Sprintf("%v %d", info.Mode(), info.ModTime().UnixNano())
	switch {
	case d.Type()&iofs.ModeSymlink != 0:
		t.Links++
		target, err := os.Readlink(path)
		if err != nil {
			return false, err
		}
		text = "link to " + target // a link's own times cannot be set everywhere
	case d.IsDir():
		t.Dirs++
	case d.Type().IsRegular():
		t.Files++
		t.Bytes += info.Size()
		isFile = true
	}
	t.entries[rel] = text
	return isFile, nil
}

func (t *Tree) hashAll(ctx context.Context, root string, files []string) error {
	var mu sync.Mutex
	var first error
	var wg sync.WaitGroup
	work := make(chan string)
	for range 2 * runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for rel := range work {
				sum, err := hashFile(filepath.Join(root, rel))
				mu.Lock()
				t.entries[rel] += " " + sum
				if first == nil {
					first = err
				}
				mu.Unlock()
			}
		})
	}
	for _, rel := range files {
		if ctx.Err() != nil {
			break
		}
		work <- rel
	}
	close(work)
	wg.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return first
}

func hashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Hash is one hash over everything compared.
func (t Tree) Hash() string {
	h := sha256.New()
	for _, rel := range slices.Sorted(maps.Keys(t.entries)) {
		fmt.Fprintf(h, "%q %q\n", rel, t.entries[rel])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Diff lists up to limit differences, one sentence each; empty if the trees are the same.
func Diff(want, got Tree, limit int) []string {
	var out []string
	for _, rel := range slices.Sorted(maps.Keys(want.entries)) {
		have, ok := got.entries[rel]
		switch {
		case !ok:
			out = append(out, fmt.Sprintf("%s is missing", rel))
		case have != want.entries[rel]:
			out = append(out, fmt.Sprintf("%s is %q, want %q", rel, have, want.entries[rel]))
		}
	}
	for _, rel := range slices.Sorted(maps.Keys(got.entries)) {
		if _, ok := want.entries[rel]; !ok {
			out = append(out, fmt.Sprintf("%s should not be there", rel))
		}
	}
	return out[:min(limit, len(out))]
}
