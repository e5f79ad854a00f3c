package cache

// Tx is a transaction. Keys start with the letter of their table (see Store). Slices handed out are valid until the transaction
// ends and must not be changed; slices handed in are kept: do not change them afterwards. Not for concurrent use.
type Tx struct {
	s       *Store
	write   bool
	shrinks bool
	w       writeSet
	rev     int // counts changes of w, so that a running Scan notices
}

// Get returns the value of key, nil if it has none (a value is never empty).
func (tx *Tx) Get(key []byte) ([]byte, error) {
	k := text(key)
	if i, found := tx.w.search(k); found {
		return tx.w.c[i].value, nil
	}
	if v, known := tx.s.active.get(k); known {
		return v, nil
	}
	if v, known := tx.s.frozen.get(k); known {
		return v, nil
	}
	return tx.s.getPaged(k)
}

// Put sets the value of key. Neither may be empty: that is a programmer's error, as is writing in a View.
func (tx *Tx) Put(key, value []byte) {
	if len(value) == 0 {
		panic("cache: Put of an empty value")
	}
	tx.change(key, value)
}

// Delete removes key; removing what is not there is fine.
func (tx *Tx) Delete(key []byte) { tx.change(key, nil) }

func (tx *Tx) change(key, value []byte) {
	if !tx.write || len(key) == 0 {
		panic("cache: change outside of Update, or of an empty key")
	}
	tx.w.set(text(key), value)
	tx.rev++
}

// Scan calls fn for each entry with from <= key < to (nil: no end) in ascending order until it returns false. fn may Put and Delete
// keys at or before the one it was called with.
func (tx *Tx) Scan(from, to []byte, fn func(key, value []byte) bool) error {
	start, end := text(from), text(to)
	ws := newWriteCursor(&tx.w, start)
	pages := newPageCursor(tx.s.table, tx.s.loadPage, start)
	src := []cursor{ws, newOverlayCursor(tx.s.active, start)}
	if tx.s.frozen != nil {
		src = append(src, newOverlayCursor(tx.s.frozen, start))
	}
	m := newMerge(append(src, pages)...)
	for {
		i := m.head()
		if i < 0 || pages.err != nil {
			return pages.err
		}
		key, value := m.src[i].key(), m.src[i].value()
		if to != nil && key >= end {
			return nil
		}
		m.skip(key)
		if pages.err != nil {
			return pages.err
		}
		rev := tx.rev
		if value != nil && !fn(raw(key), value) {
			return nil
		}
		if tx.rev != rev {
			ws.after(key)
			m.live[0] = ws.next()
		}
	}
}

// Floor returns the last entry with from <= key <= at; nil if there is none.
func (tx *Tx) Floor(from, at []byte) (key, value []byte, err error) {
	k, strict := text(at), false
	for {
		best, v, ok, err := tx.floor(k, strict)
		if err != nil || !ok || best < text(from) {
			return nil, nil, err
		}
		if v != nil {
			return raw(best), v, nil
		}
		k, strict = best, true // a tombstone: look before it
	}
}

// floor returns the newest entry, tombstones included, of the last key at or before at.
func (tx *Tx) floor(at string, strict bool) (key string, value []byte, ok bool, err error) {
	better := func(k string, v []byte, found bool) {
		if found && (!ok || k > key) {
			key, value, ok = k, v, true
		}
	}
	better(tx.w.floor(at, strict))
	better(tx.s.active.floor(at, strict))
	better(tx.s.frozen.floor(at, strict))
	k, v, found, err := tx.s.floorPaged(at, strict)
	better(k, v, found)
	return key, value, ok, err
}

// Shrinks declares that this transaction frees more than it takes: it may use the room kept back for a full disk.
func (tx *Tx) Shrinks() { tx.shrinks = true }

// getPaged looks key up in the pages.
func (s *Store) getPaged(key string) ([]byte, error) {
	i := s.table.find(key)
	if i < 0 {
		return nil, nil
	}
	p, err := s.loadPage(s.table.refs[i])
	if err != nil {
		return nil, err
	}
	v, _ := p.get(key)
	return v, nil
}

// floorPaged finds the last key at or before at in the pages.
func (s *Store) floorPaged(at string, strict bool) (key string, value []byte, ok bool, err error) {
	for i := s.table.find(at); i >= 0; i-- {
		p, err := s.loadPage(s.table.refs[i])
		if err != nil {
			return "", nil, false, err
		}
		j := p.search(at)
		if j == p.len() || strict || text(p.key(j)) != at {
			j--
		}
		if j >= 0 {
			return text(p.key(j)), p.value(j), true, nil
		}
	}
	return "", nil, false, nil
}

// loadPage returns a decoded page from the cache or the index.
func (s *Store) loadPage(r *pageRef) (*page, error) {
	if p := s.pages.hit(r); p != nil {
		return p, nil
	}
	b, err := s.cat.readPage(r.id)
	if err != nil {
		return nil, s.pageDamaged(err)
	}
	p, err := decodePage(b)
	if err != nil {
		return nil, s.pageDamaged(err)
	}
	s.pages.add(r, p)
	return p, nil
}
