// Package disk is what the local store needs of a filesystem, so that tests can replace it by one that forgets
// everything not synced (package simdisk) and crash at every write.
//
// What is durable: the bytes and the size of a file after its Datasync; its name after SyncDir of the directory that
// holds it; a directory after SyncDir of its parent. Neither implies the other. Everything else may be lost or half
// there after a crash, in any order.
package disk

import (
	"errors"
	"io"
)

// ErrFull reports that the disk has no room; errors.Is matches it for ENOSPC and EDQUOT.
var ErrFull = errors.New("disk full")

// File is one open file. Safe for concurrent use at disjoint ranges.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Allocate reserves the range without changing what it reads as; the file's size grows to cover it. Best effort on
	// filesystems without fallocate, but ErrFull is always honest. Not concurrent with writes behind the end of the file.
	Allocate(offset, length int64) error
	Truncate(size int64) error
	// Datasync makes content and size durable (fdatasync(2)). After an error the file must be abandoned: what the
	// kernel dropped will not be reported again.
	Datasync() error
	Size() (int64, error)
}

// Flag says how to open a file.
type Flag int

const (
	Read   Flag = iota // existing, read only
	Write              // existing, read and write
	Create             // must not exist; read and write, mode 0600
)

// FS is one directory tree. Paths are relative to it, slash-separated, and never leave it; "." is the tree itself.
// Safe for concurrent use.
type FS interface {
	Open(path string, how Flag) (File, error) // errors match fs.ErrNotExist, fs.ErrExist, ErrFull
	Mkdir(path string) error                  // mode 0700; existing is no error
	Rename(from, to string) error             // atomic, replaces
	Remove(path string) error                 // files only; missing: fs.ErrNotExist
	List(dir string) ([]string, error)        // names, sorted
	SyncDir(dir string) error                 // makes the names in dir durable (fsync(2) of the directory)
	Free() (bytes int64, total int64, err error)
}
