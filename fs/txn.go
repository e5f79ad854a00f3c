package fs

import (
	"dfsmount/cache"
	"errors"
	"sync"
	"syscall"
)

// txn is one operation under way: a transaction, the inode records it changes, and what to do in RAM when it is visible.
type txn struct {
	*cache.Tx
	f       *FS
	now     stamp
	edits   []*edit
	refs    []InodeID // taken for the operation; given back if it fails
	orphans []InodeID // that lost their last link
	linked  InodeID   // that got its first one
	lease   lease     // newly taken from the state
	inodes  int64     // change of the counters
	bytes   int64
	bounded bool // must not exceed the quota
	seq     uint64
}

// edit is one inode record in a transaction.
type edit struct {
	id      InodeID
	rec     record
	put     bool
	removed bool
	in      *inode // whose pending was raised
	pend    *pend  // replaces in.pend when the transaction is visible
}

// Kinds of transactions, for the space they may use.
const (
	grows   = false
	shrinks = true // frees more than it takes: may use the reserve
)

// view runs fn on a consistent state; bare answers of fn come back as they are.
func (f *FS) view(fn func(tx *cache.Tx) error) error { return f.store.View(fn) }

// update runs fn as one transaction and brings RAM up to date with it.
func (f *FS) update(shrinks bool, fn func(t *txn) error) error {
	t := &txn{f: f, now: now()}
	var answer error
	err := f.store.Update(func(tx *cache.Tx) error {
		if shrinks {
			tx.Shrinks()
		}
		t.Tx = tx
		if answer = fn(t); answer == nil {
			answer = t.finish()
		}
		return answer
	})
	if answer != nil {
		err = answer
	}
	t.done(err == nil)
	return answered(err)
}

// answered turns the store's word for a full disk into the POSIX one.
func answered(err error) error {
	if errors.Is(err, cache.ErrFull) {
		return syscall.ENOSPC
	}
	return err
}

func (t *txn) load(id InodeID) (*edit, error) {
	for _, e := range t.edits {
		if e.id == id {
			if e.removed {
				return nil, syscall.ENOENT
			}
			return e, nil
		}
	}
	rec, err := getRecord(t.Tx, id)
	if err != nil {
		return nil, err
	}
	e := &edit{id: id, rec: rec}
	t.edits = append(t.edits, e)
	return e, nil
}

// inode returns the record of id as this transaction has it, to look at.
func (t *txn) inode(id InodeID) (*record, error) {
	e, err := t.load(id)
	if err != nil {
		return nil, err
	}
	return &e.rec, nil
}

// edit returns the record of id to change; finish writes it.
func (t *txn) edit(id InodeID) (*record, error) {
	e, err := t.load(id)
	if err != nil {
		return nil, err
	}
	e.put = true
	return &e.rec, nil
}

// dir is edit for a directory that something is to be changed in: ENOTDIR, or ENOENT if it was removed.
func (t *txn) dir(id InodeID) (*record, error) {
	r, err := t.edit(id)
	switch {
	case err != nil:
		return nil, err
	case !r.isDir():
		return nil, syscall.ENOTDIR
	case r.nlink == 0:
		return nil, syscall.ENOENT
	}
	return r, nil
}

// setPend replaces what dirty data will do to the record at the moment the transaction is visible.
func (t *txn) setPend(id InodeID, p pend) {
	for _, e := range t.edits {
		if e.id == id {
			e.pend = &p
		}
	}
}

// remove deletes the record of an inode that is loaded.
func (t *txn) remove(id InodeID) {
	for _, e := range t.edits {
		if e.id == id {
			e.removed, e.put = true, false
		}
	}
	t.Delete(inodeKey(id))
	t.inodes--
}

// ref takes a reference for the caller of the operation.
func (t *txn) ref(id InodeID) {
	t.f.table.ref(id)
	t.refs = append(t.refs, id)
}

// finish writes the records and counters. It runs inside of the transaction.
func (t *txn) finish() error {
	t.seq = t.f.epoch.Add(1)
	for _, e := range t.edits {
		if !e.put && !e.removed {
			continue
		}
		if e.put {
			t.Put(inodeKey(e.id), e.rec.encode())
		}
		if e.in = t.f.table.find(e.id); e.in != nil {
			e.in.attr.Lock()
			e.in.pending++
			e.in.attr.Unlock()
		}
	}
	return t.count()
}

// count brings the counters up to date.
func (t *txn) count() error {
	if t.inodes == 0 && t.bytes == 0 {
		return nil
	}
	if t.bounded && t.bytes > 0 && t.f.quota.exceeded(t.bytes) {
		return syscall.EDQUOT
	}
	c, err := getCounters(t.Tx)
	if err != nil {
		return err
	}
	c.inodes += uint64(t.inodes)
	c.bytes += uint64(t.bytes)
	t.Put(keyCounters, c.encode())
	return nil
}

func getCounters(tx *cache.Tx) (counters, error) {
	b, err := tx.Get(keyCounters)
	if err != nil || b == nil {
		return counters{}, err
	}
	return decodeCounters(b)
}

// done brings RAM up to date with the outcome.
func (t *txn) done(ok bool) {
	t.f.epoch.Add(1)
	for _, e := range t.edits {
		if e.put || e.removed {
			t.settle(e, ok)
		}
	}
	if !ok {
		for _, id := range t.refs {
			t.f.Forget(id, 1)
		}
		return
	}
	t.f.quota.used.Add(t.bytes)
	t.f.numbers.install(t.lease)
	if t.linked != 0 {
		t.f.table.setOrphan(t.linked, false)
	}
	for _, id := range t.orphans {
		if t.f.table.setOrphan(id, true) {
			t.f.reclaimer.add(id)
		}
	}
}

// settle puts the outcome of one edit into the inode in RAM, unless a later transaction was there first.
func (t *txn) settle(e *edit, ok bool) {
	in := e.in
	if in == nil {
		if in = t.f.table.find(e.id); in == nil {
			return
		}
	}
	in.attr.Lock()
	defer in.attr.Unlock()
	if e.in != nil {
		in.pending--
	}
	if ok && t.seq > in.seq && t.seq != 0 {
		in.rec, in.valid, in.seq = e.rec, !e.removed, t.seq
	}
	if ok && e.pend != nil {
		in.pend = *e.pend
	}
}

// leaseSize is how many inode numbers are taken from the state at once, so that not every create changes the same key. What is
// left of a lease is never used after a restart.
const leaseSize = 1024

// lease is a range of inode numbers that are ours to give.
type lease struct{ next, end InodeID }

// numbers gives inode numbers.
type numbers struct {
	mu sync.Mutex
	lease
}

func (n *numbers) take() (InodeID, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.next >= n.end {
		return 0, false
	}
	n.next++
	return n.next - 1, true
}

// install makes a committed lease the current one; what was left of another is lost, which costs nothing.
func (n *numbers) install(l lease) {
	if l.end == 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lease = l
}

// newInode takes a number that no inode ever had. The lease is committed with the first inode of it.
func (t *txn) newInode() (InodeID, error) {
	if id, ok := t.f.numbers.take(); ok {
		return id, nil
	}
	b, err := t.Get(keyNext)
	if err != nil {
		return 0, err
	}
	next := Root + 1
	if b != nil {
		if next, err = decodeNext(b); err != nil {
			return 0, err
		}
	}
	t.lease = lease{next + 1, next + leaseSize}
	t.Put(keyNext, encodeNext(t.lease.end))
	return next, nil
}

// add puts a new inode into the state.
func (t *txn) add(id InodeID, rec record) {
	t.edits = append(t.edits, &edit{id: id, rec: rec, put: true})
	t.inodes++
}
