package fs

import "dfsmount/cache"

// maxSteps is the most extents that one transaction removes of a file: more is done in several.
const maxSteps = 4096

// scanExtents calls fn for the extents of a file that overlap [from, to), in order, until it returns false.
func scanExtents(tx *cache.Tx, id InodeID, from, to int64, fn func(k []byte, e extent) bool) error {
	if from >= to {
		return nil
	}
	start := extentKey(id, from)
	if from > 0 {
		k, v, err := tx.Floor(extentKey(id, 0), extentKey(id, from-1))
		if err != nil {
			return err
		}
		if k != nil {
			_, e, err := decodeExtent(k, v)
			if err != nil {
				return err
			}
			if e.end() > from && !fn(k, e) {
				return nil
			}
		}
	}
	var bad error
	err := tx.Scan(start, extentKey(id, to), func(k, v []byte) bool {
		var e extent
		if _, e, bad = decodeExtent(k, v); bad != nil {
			return false
		}
		return fn(k, e)
	})
	if err == nil {
		err = bad
	}
	return err
}

// part returns the piece of e in [from, to), which it overlaps.
func (e extent) part(from, to int64) extent {
	if cut := from - e.off; cut > 0 {
		e.off, e.length, e.skip = from, e.length-uint32(cut), e.skip+uint32(cut)
	}
	if cut := e.end() - to; cut > 0 {
		e.length -= uint32(cut)
	}
	return e
}

// unmap makes [from, to) of a file a hole, splitting extents at its ends. It stops after maxSteps extents and then returns false.
func (t *txn) unmap(id InodeID, r *record, from, to int64) (whole bool, err error) {
	var hit []extent
	whole = true
	err = scanExtents(t.Tx, id, from, to, func(_ []byte, e extent) bool {
		if len(hit) == maxSteps {
			whole = false
			return false
		}
		hit = append(hit, e)
		return true
	})
	if err != nil {
		return false, err
	}
	for _, e := range hit {
		t.Delete(extentKey(id, e.off))
		t.allocated(r, -int64(e.length))
		if e.off < from {
			t.put(id, r, e.part(e.off, from))
		}
		if e.end() > to {
			t.put(id, r, e.part(to, e.end()))
		}
	}
	return whole, nil
}

func (t *txn) put(id InodeID, r *record, e extent) {
	t.Put(extentKey(id, e.off), e.encode())
	t.allocated(r, int64(e.length))
}

// allocated counts mapped bytes, in the record and in the counters.
func (t *txn) allocated(r *record, n int64) {
	r.alloc += uint64(n)
	t.bytes += n
}

// mapExtent puts e in the place of whatever was there, and joins it to a neighbour that continues it in the same frame.
func (t *txn) mapExtent(id InodeID, r *record, e extent) error {
	for whole := false; !whole; {
		var err error
		if whole, err = t.unmap(id, r, e.off, e.end()); err != nil {
			return err
		}
	}
	e, err := t.join(id, r, e)
	if err != nil {
		return err
	}
	t.put(id, r, e)
	return nil
}

func (t *txn) join(id InodeID, r *record, e extent) (extent, error) {
	err := scanExtents(t.Tx, id, max(e.off-1, 0), min(e.end(), MaxSize-1)+1, func(_ []byte, n extent) bool {
		switch {
		case n.loc != e.loc:
		case n.end() == e.off && n.skip+n.length == e.skip:
			t.Delete(extentKey(id, n.off))
			t.allocated(r, -int64(n.length))
			e.off, e.length, e.skip = n.off, e.length+n.length, n.skip
		case n.off == e.end() && e.skip+e.length == n.skip:
			t.Delete(extentKey(id, n.off))
			t.allocated(r, -int64(n.length))
			e.length += n.length
		}
		return true
	})
	return e, err
}
