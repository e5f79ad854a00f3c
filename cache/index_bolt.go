package cache

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// boltIndex is the index in a bbolt file.
type boltIndex struct{ db *bbolt.DB }

// openBolt opens or makes the file. The options are measured ones: the freelist as a map and not synced makes commits four times
// cheaper for a scan at open; the large initial mapping (address space, not memory) keeps a growing file from waiting for
// readers to let go of the old mapping.
func openBolt(path string, size int) (*boltIndex, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:         5 * time.Second,
		FreelistType:    bbolt.FreelistMapType,
		NoFreelistSync:  true,
		InitialMmapSize: size,
		NoStatistics:    true,
	})
	if err != nil {
		return nil, fmt.Errorf("open index: %w", err)
	}
	x := &boltIndex{db}
	if err := x.prepare(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return x, nil
}

// prepare makes the buckets. A failing checksum or tree shows up here or later as an error of bbolt or, at worst, a panic, which
// guard turns into an error: the index is a cache, and rebuilding it is always possible.
func (x *boltIndex) prepare() error {
	return guard(func() error {
		return x.db.Update(func(tx *bbolt.Tx) error {
			for _, b := range buckets {
				if _, err := tx.CreateBucketIfNotExists([]byte(b)); err != nil {
					return fmt.Errorf("make bucket %s: %w", b, err)
				}
			}
			return nil
		})
	})
}

// guard turns a panic of bbolt over a damaged file into an error.
func guard(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errIndex, p)
		}
	}()
	return fn()
}

func (x *boltIndex) get(b bucket, key []byte, fn func(value []byte) error) error {
	return guard(func() error {
		return x.db.View(func(tx *bbolt.Tx) error { return fn(tx.Bucket([]byte(b)).Get(key)) })
	})
}

func (x *boltIndex) scan(b bucket, fn func(key, value []byte) error) error {
	return guard(func() error {
		return x.db.View(func(tx *bbolt.Tx) error { return tx.Bucket([]byte(b)).ForEach(fn) })
	})
}

func (x *boltIndex) update(fn func(w indexWriter) error) error {
	return guard(func() error {
		return x.db.Update(func(tx *bbolt.Tx) error { return fn(boltWriter{tx}) })
	})
}

func (x *boltIndex) close() error { return x.db.Close() }

type boltWriter struct{ tx *bbolt.Tx }

// put copies key and value: bbolt keeps both until the commit.
func (w boltWriter) put(b bucket, key, value []byte) error {
	return w.tx.Bucket([]byte(b)).Put(bytes.Clone(key), bytes.Clone(value))
}

func (w boltWriter) delete(b bucket, key []byte) error {
	return w.tx.Bucket([]byte(b)).Delete(key)
}

// unusable tells whether an error of opening the index means that the file is damaged, not that the machine is.
func unusable(err error) bool {
	for _, bad := range []error{berrors.ErrInvalid, berrors.ErrChecksum, berrors.ErrVersionMismatch, errIndex} {
		if errors.Is(err, bad) {
			return true
		}
	}
	return false
}

// setAside moves a damaged index out of the way under a name that tells when, so that it can be looked at.
func setAside(path string) error {
	return os.Rename(path, path+".damaged-"+stamp())
}
