package cache

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"dfsmount/seal"
	"dfsmount/segment"
)

// indexFormat is the version of everything in the index, in its root. It is on other people's disks; an index of another
// version is rebuilt from the log, never converted.
const indexFormat = 1

// errIndex reports an index that is missing, damaged or of another version: it is rebuilt from the log.
var errIndex = errors.New("the index is unusable")

// sum is a multiset hash: the sum, in four lanes of 64 bits, of a keyed hash of each element. It proves that the directory
// records found are those the root was written with: none missing, none left over, none put back from an older index.
type sum [4]uint64

func (s *sum) add(h [32]byte, sign uint64) {
	for i := range s {
		s[i] += sign * binary.BigEndian.Uint64(h[8*i:])
	}
}

// root is the index's one mutable record, sealed under bucket meta.
type root struct {
	Format     int
	Seq        uint64     // the pages hold the state as of this commit
	Segment    segment.ID // the segment that commit is in: replay starts with it
	Epoch      uint64     // of the segments this store writes
	Chain      chainEnd   // newest sealed segment when the root was written
	Next       uint64     // next page id
	Pages      int
	SumKey     []byte
	Sum        sum
	Garbage    []uint64         // pages replaced by the last flush: deleted by the next, when no reader can want them
	Checkpoint segment.Location // newest manifest
	CheckSeq   uint64           // the commit it stands for
	Changed    int64            // bytes of changes flushed since
}

// catalog is the index with its values sealed: each bound to its bucket and key, so none can stand in for another.
type catalog struct {
	ix   index
	key  *seal.IndexKey
	salt seal.Salt
}

func place(b bucket, key []byte) []byte { return append(append([]byte(b), 0), key...) }

func pageKey(id uint64) []byte { return binary.BigEndian.AppendUint64(nil, id) }

func (c *catalog) seal(b bucket, key, plain []byte) []byte {
	return c.key.SealValue(nil, place(b, key), plain)
}

func (c *catalog) open(b bucket, key, sealed []byte) ([]byte, error) {
	return c.key.OpenValue(nil, place(b, key), sealed)
}

var rootKey = []byte("root")

// newCatalog starts an empty index: a new salt, so that nothing sealed for an earlier one opens in it.
func newCatalog(ix index, keys *seal.Keys) (*catalog, root) {
	c := &catalog{ix: ix, salt: seal.NewSalt()}
	c.key = keys.Index(c.salt)
	key := make([]byte, 32)
	rand.Read(key) // never fails: crypto/rand ends the process instead
	return c, root{Format: indexFormat, Next: 1, SumKey: key}
}

// openCatalog reads the root. errIndex if there is none that we can use.
func openCatalog(ix index, keys *seal.Keys) (*catalog, root, error) {
	c := &catalog{ix: ix}
	var r root
	var plain []byte
	err := ix.get(bucketMeta, rootKey, func(v []byte) (err error) {
		if len(v) < len(c.salt) {
			return errIndex
		}
		copy(c.salt[:], v)
		c.key = keys.Index(c.salt)
		if plain, err = c.open(bucketMeta, rootKey, v[len(c.salt):]); err != nil {
			err = fmt.Errorf("%w: %w", errIndex, err)
		}
		return err
	})
	if err != nil {
		return nil, r, fmt.Errorf("read index root: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(plain))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil || r.Format != indexFormat {
		return nil, r, fmt.Errorf("read index root, format %d: %w", r.Format, errIndex)
	}
	return c, r, nil
}

func (c *catalog) putRoot(w indexWriter, r root) error {
	plain, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode index root: %w", err)
	}
	return w.put(bucketMeta, rootKey, append(slices.Clone(c.salt[:]), c.seal(bucketMeta, rootKey, plain)...))
}

// clear empties every bucket: what an unusable index held is worth nothing.
func (c *catalog) clear() error {
	return c.ix.update(func(w indexWriter) error {
		for _, b := range buckets {
			var keys [][]byte
			if err := c.ix.scan(b, func(k, _ []byte) error { keys = append(keys, bytes.Clone(k)); return nil }); err != nil {
				return err
			}
			for _, k := range keys {
				if err := w.delete(b, k); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// appendRecord encodes a ref as its directory record: count, size, checkpoint frame (segment, offset, length), then the first key.
func appendRecord(dst []byte, r *pageRef) []byte {
	dst = binary.AppendUvarint(dst, uint64(r.count))
	dst = binary.AppendUvarint(dst, uint64(r.size))
	dst = appendLocation(dst, r.at)
	return append(dst, r.first...)
}

func parseRecord(id uint64, b []byte) (*pageRef, error) {
	d := reader{b: b}
	r := &pageRef{id: id, count: d.uvarint32(), size: d.uvarint32(), at: d.location()}
	if d.err != nil || len(d.b) == 0 || r.count == 0 {
		return nil, fmt.Errorf("%w: directory record of page %d", errIndex, id)
	}
	r.first = string(d.b)
	return r, nil
}

func appendLocation(dst []byte, l segment.Location) []byte {
	dst = binary.AppendUvarint(dst, uint64(l.Segment))
	dst = binary.AppendUvarint(dst, uint64(l.Offset))
	return binary.AppendUvarint(dst, uint64(l.Length))
}

func (r *reader) location() segment.Location {
	return segment.Location{Segment: segment.ID(r.uvarint()), Offset: r.uvarint32(), Length: r.uvarint32()}
}

// hash is a ref's element of the multiset.
func (r *pageRef) hash(key []byte) (h [32]byte) {
	m := hmac.New(sha256.New, key)
	m.Write(pageKey(r.id))
	m.Write(appendRecord(nil, r))
	m.Sum(h[:0])
	return h
}

// readTable loads the directory and checks it against the root.
func (c *catalog) readTable(r root) (*table, error) {
	t := &table{refs: make([]*pageRef, 0, r.Pages)}
	var s sum
	err := c.ix.scan(bucketDir, func(k, v []byte) error {
		plain, err := c.open(bucketDir, k, v)
		if err != nil || len(k) != 8 {
			return fmt.Errorf("read directory of pages: %w: %w", errIndex, err)
		}
		ref, err := parseRecord(binary.BigEndian.Uint64(k), plain)
		if err != nil {
			return err
		}
		s.add(ref.hash(r.SumKey), 1)
		t.refs = append(t.refs, ref)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(t.refs) != r.Pages || s != r.Sum {
		return nil, fmt.Errorf("%w: %d pages listed, the root knows %d, or they are of another time", errIndex, len(t.refs), r.Pages)
	}
	slices.SortFunc(t.refs, func(a, b *pageRef) int { return bytes.Compare(raw(a.first), raw(b.first)) })
	return t, nil
}

// putPage stores one page and its directory record.
func (c *catalog) putPage(w indexWriter, r *pageRef, encoded []byte) error {
	k := pageKey(r.id)
	if err := w.put(bucketPages, k, c.seal(bucketPages, k, encoded)); err != nil {
		return err
	}
	return w.put(bucketDir, k, c.seal(bucketDir, k, appendRecord(nil, r)))
}

// readPage returns the encoded page.
func (c *catalog) readPage(id uint64) ([]byte, error) {
	k := pageKey(id)
	var plain []byte
	err := c.ix.get(bucketPages, k, func(v []byte) (err error) {
		if plain, err = c.open(bucketPages, k, v); err != nil {
			err = fmt.Errorf("%w: %w", errIndex, err)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read page %d: %w", id, err)
	}
	return plain, nil
}

// getLocal reads an unreplicated fact; nil if there is none.
func (c *catalog) getLocal(key []byte) (plain []byte, err error) {
	err = c.ix.get(bucketLocal, key, func(v []byte) (err error) {
		if v != nil {
			plain, err = c.open(bucketLocal, key, v)
		}
		return err
	})
	return plain, err
}

func (c *catalog) putLocal(w indexWriter, key, plain []byte) error {
	return w.put(bucketLocal, key, c.seal(bucketLocal, key, plain))
}

// stamp names a moment in file names.
func stamp() string { return time.Now().UTC().Format("20060102T150405") }
