package fs

import (
	"dfsmount/cache"
	"sync"
	"syscall"
)

// inode is what RAM knows of an inode that somebody refers to, works on, or wrote to.
type inode struct {
	id InodeID

	// Guarded by the mutex of the table's shard.
	refs   uint64 // held outside, by Lookup and its like
	pins   int    // held inside, by operations under way and dirty data
	orphan bool   // has no links: reclaim it with the last reference

	// mu orders what happens to a file's bytes and size. It is held across Update and View, never across Append,
	// Read or Sync.
	mu   sync.RWMutex
	data *fileData // dirty data; nil if there is none
	dead bool      // its record is being, or was, removed
	// untrimmed: the state still has extents behind its end, which must go before it grows.
	untrimmed bool

	// attr is a leaf: it may be taken inside a transaction.
	attr    sync.Mutex
	rec     record // as the state has it, if valid
	valid   bool
	pending int    // transactions that changed rec and are not known to be visible
	seq     uint64 // of the transaction that rec is from
	pend    pend   // written with mu and attr held
}

// pend is what dirty data will change in the record once it is committed.
type pend struct {
	size               uint64 // end of the dirty data
	bytes              uint64 // length of it
	mtime, ctime       stamp
	hasMtime, hasCtime bool
}

func (p *pend) latest(ctime stamp) stamp {
	if p.hasCtime && ctime.before(p.ctime) {
		return p.ctime
	}
	return ctime
}

// apply puts the times of the writes into r.
func (p *pend) apply(r *record) {
	if p.hasMtime {
		r.mtime = p.mtime
	}
	r.ctime = p.latest(r.ctime)
}

const shards = 64

// table holds the inodes in RAM.
type table struct {
	shards [shards]struct {
		mu sync.RWMutex
		m  map[InodeID]*inode
	}
}

func newTable() *table {
	t := &table{}
	for i := range t.shards {
		t.shards[i].m = map[InodeID]*inode{}
	}
	return t
}

// find returns the inode if RAM has it.
func (t *table) find(id InodeID) *inode {
	s := &t.shards[id%shards]
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.m[id]
}

// with runs fn on the inode, made if need be, under the shard's mutex, and drops the inode if nothing holds it after.
func (t *table) with(id InodeID, fn func(in *inode)) *inode {
	s := &t.shards[id%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.m[id]
	if in == nil {
		in = &inode{id: id}
		s.m[id] = in
	}
	fn(in)
	if in.refs == 0 && in.pins == 0 {
		delete(s.m, id)
	}
	return in
}

func (t *table) pin(id InodeID) *inode { return t.with(id, func(in *inode) { in.pins++ }) }
func (t *table) unpin(in *inode)       { t.with(in.id, func(in *inode) { in.pins-- }) }
func (t *table) ref(id InodeID) *inode { return t.with(id, func(in *inode) { in.refs++ }) }

// unref gives back n references and tells whether the inode is an orphan that nobody can reach any more.
func (t *table) unref(id InodeID, n uint64) (gone bool) {
	t.with(id, func(in *inode) {
		in.refs -= min(n, in.refs)
		gone = in.orphan && in.refs == 0
	})
	return gone
}

// setOrphan notes that the inode lost its last link (or got its first), and tells whether nobody refers to it.
func (t *table) setOrphan(id InodeID, orphan bool) (unreferenced bool) {
	t.with(id, func(in *inode) { in.orphan, unreferenced = orphan, in.refs == 0 })
	return unreferenced
}

func (t *table) referenced(id InodeID) bool {
	s := &t.shards[id%shards]
	s.mu.RLock()
	defer s.mu.RUnlock()
	in := s.m[id]
	return in != nil && in.refs > 0
}

// Forget gives back n references. An inode without links is reclaimed with the last one.
func (f *FS) Forget(ino InodeID, n uint64) {
	if f.table.unref(ino, n) {
		f.reclaimer.add(ino)
	}
}

// getRecord reads an inode in a transaction; ENOENT if there is none.
func getRecord(tx *cache.Tx, id InodeID) (record, error) {
	b, err := tx.Get(inodeKey(id))
	if err != nil {
		return record{}, err
	}
	if b == nil {
		return record{}, syscall.ENOENT
	}
	return decodeRecord(b)
}

// record returns the record of a pinned or referenced inode, from RAM if it is there.
func (f *FS) record(in *inode) (record, error) {
	in.attr.Lock()
	if in.valid && in.pending == 0 {
		defer in.attr.Unlock()
		return in.rec, nil
	}
	in.attr.Unlock()
	var rec record
	epoch := f.epoch.Load()
	err := f.view(func(tx *cache.Tx) (err error) {
		rec, err = getRecord(tx, in.id)
		return err
	})
	if err == nil {
		f.fill(in, rec, epoch)
	}
	return rec, err
}

// fill keeps a record that was read in a View begun after epoch was loaded, unless a transaction may have changed it since: a
// View can be of a moment before one that is over by now.
func (f *FS) fill(in *inode, rec record, epoch uint64) {
	in.attr.Lock()
	defer in.attr.Unlock()
	if !in.valid && in.pending == 0 && f.epoch.Load() == epoch {
		in.rec, in.valid = rec, true
	}
}

// file returns the pinned inode and its record if it is a regular file. The caller unpins.
func (f *FS) file(ino InodeID) (*inode, record, error) {
	in := f.table.pin(ino)
	rec, err := f.record(in)
	switch {
	case err != nil:
	case rec.isDir():
		err = syscall.EISDIR
	case !rec.isFile():
		err = syscall.EINVAL
	default:
		return in, rec, nil
	}
	f.table.unpin(in)
	return nil, record{}, err
}
