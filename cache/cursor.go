package cache

import "github.com/tidwall/btree"

// cursor walks one source of the state in ascending order. It starts before its first entry.
type cursor interface {
	next() bool
	key() string
	value() []byte // nil: a tombstone
}

// overlayCursor walks an overlay from a key on.
type overlayCursor struct {
	it      btree.MapIter[string, []byte]
	from    string
	started bool
}

func newOverlayCursor(o *overlay, from string) *overlayCursor {
	return &overlayCursor{it: o.m.Iter(), from: from}
}

func (c *overlayCursor) next() bool {
	if !c.started {
		c.started = true
		return c.it.Seek(c.from)
	}
	return c.it.Next()
}

func (c *overlayCursor) key() string   { return c.it.Key() }
func (c *overlayCursor) value() []byte { return c.it.Value() }

// writeCursor walks a write set that may change between steps.
type writeCursor struct {
	w  *writeSet
	at int
}

func newWriteCursor(w *writeSet, from string) *writeCursor {
	at, _ := w.search(from)
	return &writeCursor{w, at - 1}
}

func (c *writeCursor) next() bool    { c.at++; return c.at < len(c.w.c) }
func (c *writeCursor) key() string   { return c.w.c[c.at].key }
func (c *writeCursor) value() []byte { return c.w.c[c.at].value }

// after moves to the entry before the first one above key: where next is to go on.
func (c *writeCursor) after(key string) {
	at, found := c.w.search(key)
	if !found {
		at--
	}
	c.at = at
}

// pageCursor walks the pages from a key on, loading one at a time.
type pageCursor struct {
	t    *table
	load func(*pageRef) (*page, error)
	from string
	ref  int
	p    *page
	at   int
	err  error
}

func newPageCursor(t *table, load func(*pageRef) (*page, error), from string) *pageCursor {
	return &pageCursor{t: t, load: load, from: from, ref: max(t.find(from), 0) - 1}
}

func (c *pageCursor) next() bool {
	c.at++
	for c.p == nil || c.at >= c.p.len() {
		c.ref++
		if c.err != nil || c.ref >= len(c.t.refs) {
			return false
		}
		if c.p, c.err = c.load(c.t.refs[c.ref]); c.err != nil {
			return false
		}
		c.at = c.p.search(c.from)
	}
	return true
}

func (c *pageCursor) key() string   { return text(c.p.key(c.at)) }
func (c *pageCursor) value() []byte { return c.p.value(c.at) }

// merge walks several cursors as one, newest source first: of equal keys the first source's entry counts.
type merge struct {
	src  []cursor
	live []bool
}

func newMerge(src ...cursor) *merge {
	m := &merge{src: src, live: make([]bool, len(src))}
	for i, c := range src {
		m.live[i] = c.next()
	}
	return m
}

// head returns the source with the lowest key, the newest of equals; -1 at the end.
func (m *merge) head() int {
	best := -1
	for i, c := range m.src {
		if m.live[i] && (best < 0 || c.key() < m.src[best].key()) {
			best = i
		}
	}
	return best
}

// skip moves every source past key.
func (m *merge) skip(key string) {
	for i, c := range m.src {
		if m.live[i] && c.key() == key {
			m.live[i] = c.next()
		}
	}
}
