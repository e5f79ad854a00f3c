package fs

import (
	"testing"
)

// TestCheckFinds: every rule is broken once, and named.
func TestCheckFinds(t *testing.T) {
	for _, k := range []struct {
		rule string
		harm func(tx *txn, file, dir InodeID)
	}{
		{"F1", func(tx *txn, file, _ InodeID) { tx.Put(inodeKey(file), []byte{9}) }},
		{"F1", func(tx *txn, file, _ InodeID) { tx.Put(extentKey(file, 7), []byte{1}) }},
		{"F2", func(tx *txn, file, _ InodeID) { tx.Delete(inodeKey(file)) }},
		{"F2", func(tx *txn, _, dir InodeID) {
			r, _ := tx.edit(dir)
			r.parent = dir
		}},
		{"F3", func(tx *txn, file, _ InodeID) {
			r, _ := tx.edit(file)
			r.nlink++
		}},
		{"F3", func(tx *txn, _, dir InodeID) {
			r, _ := tx.edit(dir)
			r.nlink++
		}},
		{"F3", func(tx *txn, file, _ InodeID) { tx.Put(orphanKey(file+500), []byte{1}) }},
		{"F4", func(tx *txn, file, _ InodeID) {
			d, cookie, _ := tx.entry(Root, "file")
			tx.Delete(direntKey(Root, cookie))
			tx.Put(direntKey(Root, cookie^1<<40), d.encode())
		}},
		{"F5", func(tx *txn, file, _ InodeID) {
			r, _ := tx.edit(file)
			r.size--
		}},
		{"F5", func(tx *txn, file, _ InodeID) {
			_, e, _ := tx.firstExtent(file, 0, 10)
			r, _ := tx.edit(file)
			e.off, e.length = e.off+1, e.length-1
			tx.put(file, r, e)
		}},
		{"F6", func(tx *txn, file, _ InodeID) {
			x := xattr{"user.a", []byte("x")}
			tx.Put(xattrKey(file+500, tx.f.xattrHash(file+500, x.name)), x.encode())
		}},
		{"F6", func(tx *txn, file, _ InodeID) {
			r, _ := tx.edit(file)
			r.flags |= flagCapability
		}},
		{"F7", func(tx *txn, file, _ InodeID) {
			r, _ := tx.edit(file)
			r.alloc++
		}},
		{"F7", func(tx *txn, file, _ InodeID) { tx.inodes++ }},
		{"F7", func(tx *txn, file, _ InodeID) {
			r, _ := tx.edit(Root)
			r.size++
		}},
		{"F8", func(tx *txn, file, _ InodeID) { tx.Put(keyNext, encodeNext(2)) }},
	} {
		s := newStore(t)
		f, err := New(s, Options{})
		ok(t, err)
		file := create(t, f, Root, "file")
		write(t, f, file, []byte("content"), 0)
		dir := must[Attr](t)(f.Mkdir(Caller{}, Root, "dir", 0755)).Inode
		ok(t, f.SyncAll(ctx))
		check(t, f)
		ok(t, f.update(grows, func(tx *txn) error { k.harm(tx, file, dir); return nil }))
		found, err := f.Check(ctx)
		ok(t, err)
		named := false
		for _, p := range found {
			named = named || p.Rule == k.rule
		}
		if !named {
			t.Errorf("%s is broken, and Check finds %v", k.rule, found)
		}
		ok(t, f.Close())
	}
}
