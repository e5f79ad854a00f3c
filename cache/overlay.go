package cache

import (
	"sort"

	"dfsmount/segment"

	"github.com/tidwall/btree"
)

// entryOverhead is what one overlay entry costs besides its bytes: tree slot, slice headers, allocation rounding.
const entryOverhead = 96

// overlay holds changes that are not yet in the index, ordered by key; a nil value is a tombstone. Guarded by Store.mu while it is the active
// one; once frozen nothing changes it.
type overlay struct {
	m     btree.Map[string, []byte]
	bytes int64

	// Of a frozen overlay: the commit it ends with, the segment that commit is in, and whether it is durable.
	seq     uint64
	segment segment.ID
	ready   bool
}

func (o *overlay) set(key string, value []byte) {
	old, had := o.m.Set(key, value)
	o.bytes += int64(len(value) - len(old))
	if !had {
		o.bytes += int64(len(key)) + entryOverhead
	}
}

// get returns the value of key; known is true for a tombstone too, with a nil value.
func (o *overlay) get(key string) (value []byte, known bool) {
	if o == nil {
		return nil, false
	}
	return o.m.Get(key)
}

// floor returns the last entry at or (strict) before at.
func (o *overlay) floor(at string, strict bool) (key string, value []byte, ok bool) {
	if o == nil {
		return "", nil, false
	}
	o.m.Descend(at, func(k string, v []byte) bool {
		if strict && k == at {
			return true
		}
		key, value, ok = k, v, true
		return false
	})
	return key, value, ok
}

// apply sets what changes say, in order.
func (o *overlay) apply(changes []segment.Change) {
	for _, c := range changes {
		if c.Delete {
			c.Value = nil
		}
		o.set(text(c.Key), c.Value)
	}
}

// under adds the entries of older that o does not change itself.
func (o *overlay) under(older *overlay) {
	older.m.Scan(func(k string, v []byte) bool {
		if _, known := o.m.Get(k); !known {
			o.set(k, v)
		}
		return true
	})
}

// change is one entry of a write set; a nil value deletes.
type change struct {
	key   string
	value []byte
}

// writeSet is what one transaction changes: a sorted slice, because nearly all of them are a handful of keys and large ones are
// mostly written in ascending order.
type writeSet struct {
	c     []change
	bytes int64
}

func (w *writeSet) reset() {
	clear(w.c)
	if cap(w.c) > 4096 {
		w.c = nil
	}
	w.c, w.bytes = w.c[:0], 0
}

// search returns the first change whose key is not below key.
func (w *writeSet) search(key string) (at int, found bool) {
	n := len(w.c)
	if n == 0 || w.c[n-1].key < key {
		return n, false
	}
	at = sort.Search(n, func(i int) bool { return w.c[i].key >= key })
	return at, w.c[at].key == key
}

func (w *writeSet) set(key string, value []byte) {
	i, found := w.search(key)
	if found {
		w.bytes += int64(len(value) - len(w.c[i].value))
		w.c[i].value = value
		return
	}
	w.c = append(w.c, change{})
	copy(w.c[i+1:], w.c[i:])
	w.c[i] = change{key, value}
	w.bytes += int64(len(key) + len(value) + changeOverhead)
}

// floor returns the last change at or (strict) before at.
func (w *writeSet) floor(at string, strict bool) (key string, value []byte, ok bool) {
	i, found := w.search(at)
	if found && !strict {
		return w.c[i].key, w.c[i].value, true
	}
	if i == 0 {
		return "", nil, false
	}
	return w.c[i-1].key, w.c[i-1].value, true
}
