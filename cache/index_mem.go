package cache

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"sync"

	"dfsmount/internal/disk"

	"github.com/tidwall/btree"
)

// memIndexFile is where the memory index keeps its updates.
const memIndexFile = "index.log"

// memIndex is the index in memory, each update appended to a file of a disk.FS and synced. It serves stores whose disk is
// simulated: bbolt needs a real file, and only here can a test cut the power in the middle of an index update.
//
// The file is a sequence of: length (4 bytes, big endian), CRC-32C of the rest (4), number of the update (8), then for each change
// the bucket, the key and either 1 and the value or 0. It ends at the first record that does not hold.
type memIndex struct {
	mu   sync.RWMutex
	data map[bucket]*btree.Map[string, []byte]

	write sync.Mutex // held by the one update running
	file  disk.File
	end   int64
	seq   uint64
	err   error
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func openMem(d disk.FS) (*memIndex, error) {
	x := &memIndex{data: map[bucket]*btree.Map[string, []byte]{}}
	for _, b := range buckets {
		x.data[b] = &btree.Map[string, []byte]{}
	}
	f, err := d.Open(memIndexFile, disk.Write)
	if errors.Is(err, fs.ErrNotExist) {
		if f, err = d.Open(memIndexFile, disk.Create); err == nil {
			err = d.SyncDir(".")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open index: %w", err)
	}
	x.file = f
	if err := x.load(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return x, nil
}

func (x *memIndex) load() error {
	size, err := x.file.Size()
	if err != nil {
		return fmt.Errorf("load index: %w", err)
	}
	all := make([]byte, size)
	if n, err := x.file.ReadAt(all, 0); n < len(all) {
		return fmt.Errorf("load index: %w", err)
	}
	for {
		changes, n, ok := parseUpdate(all[x.end:], x.seq+1)
		if !ok {
			return nil
		}
		x.apply(changes)
		x.end += int64(n)
		x.seq++
	}
}

type indexChange struct {
	b          bucket
	key, value []byte // a nil value deletes
}

func parseUpdate(b []byte, seq uint64) (changes []indexChange, n int, ok bool) {
	if len(b) < 16 {
		return nil, 0, false
	}
	n = 16 + int(binary.BigEndian.Uint32(b))
	if n > len(b) || n < 16 || crc32.Checksum(b[8:n], castagnoli) != binary.BigEndian.Uint32(b[4:]) ||
		binary.BigEndian.Uint64(b[8:]) != seq {
		return nil, 0, false
	}
	r := reader{b: b[16:n]}
	for len(r.b) > 0 {
		c := indexChange{b: bucket(r.bytes()), key: r.bytes()}
		if r.byte() == 1 {
			c.value = append([]byte{}, r.bytes()...)
		}
		changes = append(changes, c)
	}
	return changes, n, r.err == nil
}

func (x *memIndex) apply(changes []indexChange) {
	for _, c := range changes {
		if c.value == nil {
			x.data[c.b].Delete(string(c.key))
		} else {
			x.data[c.b].Set(string(c.key), c.value)
		}
	}
}

func (x *memIndex) get(b bucket, key []byte, fn func(value []byte) error) error {
	x.mu.RLock()
	defer x.mu.RUnlock()
	v, _ := x.data[b].Get(string(key))
	return fn(v)
}

func (x *memIndex) scan(b bucket, fn func(key, value []byte) error) (err error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	x.data[b].Scan(func(k string, v []byte) bool {
		err = fn(raw(k), v)
		return err == nil
	})
	return err
}

// update writes the record, syncs it, and only then lets readers see it. After a failed sync the file is given up; after a failed write (a
// full disk) the next record goes to the same place.
func (x *memIndex) update(fn func(w indexWriter) error) error {
	x.write.Lock()
	defer x.write.Unlock()
	if x.err != nil {
		return x.err
	}
	w := &memWriter{rec: make([]byte, 16)}
	if err := fn(w); err != nil {
		return err
	}
	binary.BigEndian.PutUint32(w.rec, uint32(len(w.rec)-16))
	binary.BigEndian.PutUint64(w.rec[8:], x.seq+1)
	binary.BigEndian.PutUint32(w.rec[4:], crc32.Checksum(w.rec[8:], castagnoli))
	if _, err := x.file.WriteAt(w.rec, x.end); err != nil {
		return fmt.Errorf("write index: %w", err)
	}
	if err := x.file.Datasync(); err != nil {
		x.err = fmt.Errorf("sync index: %w", err)
		return x.err
	}
	x.seq++
	x.end += int64(len(w.rec))
	x.mu.Lock()
	defer x.mu.Unlock()
	x.apply(w.changes)
	return nil
}

func (x *memIndex) close() error { return x.file.Close() }

type memWriter struct {
	rec     []byte
	changes []indexChange
}

func (w *memWriter) put(b bucket, key, value []byte) error {
	w.rec = append(appendBytes(appendBytes(w.rec, []byte(b)), key), 1)
	w.rec = appendBytes(w.rec, value)
	w.changes = append(w.changes, indexChange{b, bytes.Clone(key), append([]byte{}, value...)})
	return nil
}

func (w *memWriter) delete(b bucket, key []byte) error {
	w.rec = append(appendBytes(appendBytes(w.rec, []byte(b)), key), 0)
	w.changes = append(w.changes, indexChange{b: b, key: bytes.Clone(key)})
	return nil
}
