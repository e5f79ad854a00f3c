package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// tree is a real one, packed.
type tree struct {
	tar   string
	files int // everything that has a name
	bytes int64
}

// packTree packs a tree, or the first so many names of it, into an archive on the measured disk.
func packTree(ctx context.Context, dir, archive string, most int) (t tree, err error) {
	f, err := os.Create(archive)
	if err != nil {
		return t, err
	}
	defer f.Close()
	t.tar = archive
	w := tar.NewWriter(f)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		if !d.IsDir() && !d.Type().IsRegular() {
			return nil
		}
		if t.files++; t.files > most {
			t.files--
			return fs.SkipAll
		}
		n, err := pack(w, dir, path, d)
		t.bytes += n
		return err
	})
	return t, errors.Join(err, w.Close(), f.Close())
}

func pack(w *tar.Writer, root, path string, d fs.DirEntry) (int64, error) {
	info, err := d.Info()
	if err != nil {
		return 0, err
	}
	h, err := tar.FileInfoHeader(info, "")
	if err != nil {
		return 0, err
	}
	rel, err := filepath.Rel(root, path)
	if err != nil {
		return 0, err
	}
	h.Name = filepath.ToSlash(filepath.Join("tree", rel))
	if err := w.WriteHeader(h); err != nil || d.IsDir() {
		return 0, err
	}
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return io.Copy(w, f)
}

// syncAll makes everything durable, on every kind of target: sync(2) writes what the kernel has, and what it has of a mount's backing files; a
// mount is not told of it, and so an fsync of its root follows, for those that keep something to themselves.
func syncAll(e *env) error {
	unix.Sync()
	f, err := open(e.root, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	return errors.Join(f.sync(), f.close())
}

// treeGroup is a day with a source tree.
func treeGroup() group {
	on := func(do func(e *env) error) func(e *env) (float64, error) {
		return func(e *env) (float64, error) { return float64(e.tree.files), do(e) }
	}
	return group{name: "tree", works: []work{
		{name: "untar, sync", unit: "files/s", do: on(func(e *env) error {
			return errors.Join(command(e, "tar", "-xf", e.tree.tar), syncAll(e))
		})},
		{name: "ls -lR, cold", unit: "files/s", cold: true, do: on(func(e *env) error { return command(e, "ls", "-lR", "tree") })},
		{name: "ls -lR, warm", unit: "files/s", do: on(func(e *env) error { return command(e, "ls", "-lR", "tree") })},
		{name: "read every file, cold", unit: "files/s", cold: true, do: on(readTree)},
		{name: "cp -a, sync", unit: "files/s", do: on(func(e *env) error {
			return errors.Join(command(e, "cp", "-a", "tree", "copy"), syncAll(e))
		})},
		{name: "rm -rf", unit: "files/s", do: on(func(e *env) error { return command(e, "rm", "-rf", "copy") })},
	}}
}

func readTree(e *env) error {
	var names int
	var bytes int64
	buf := make([]byte, chunk)
	err := filepath.WalkDir(e.path("tree"), func(path string, d fs.DirEntry, err error) error {
		if err = errors.Join(err, e.ctx.Err()); err != nil {
			return err
		}
		names++
		if d.IsDir() {
			return nil
		}
		f, err := open(path, unix.O_RDONLY)
		if err != nil {
			return err
		}
		defer f.close()
		for {
			n, err := retry(func() (int, error) { return unix.Read(f.fd, buf) })
			if err != nil || n == 0 {
				return err
			}
			bytes += int64(n)
		}
	})
	if err == nil && (names != e.tree.files || bytes != e.tree.bytes) {
		return fmt.Errorf("read %d names and %d bytes of %d and %d", names, bytes, e.tree.files, e.tree.bytes)
	}
	return err
}
