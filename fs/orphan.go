package fs

import (
	"dfsmount/cache"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"
)

// reclaimer is the queue of orphans that nobody refers to. Its mu is a leaf.
type reclaimer struct {
	work  sync.Mutex // held by whoever reclaims
	mu    sync.Mutex
	queue []InodeID
	wake  chan struct{}
}

func newReclaimer() *reclaimer { return &reclaimer{wake: make(chan struct{}, 1)} }

func (r *reclaimer) add(id InodeID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queue = append(r.queue, id)
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// reclaimBatch is how many orphans are reclaimed in one transaction.
const reclaimBatch = 64

func (r *reclaimer) take() []InodeID {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := min(len(r.queue), reclaimBatch)
	ids := append([]InodeID(nil), r.queue[:n]...)
	r.queue = r.queue[n:]
	return ids
}

// adoptOrphans finds what a crash left half done: inodes without links, and files with extents behind their end.
func (f *FS) adoptOrphans() error {
	var untrimmed []InodeID
	err := f.view(func(tx *cache.Tx) error {
		ids, err := orphansIn(tx)
		if err != nil {
			return err
		}
		for _, id := range ids {
			rec, err := getRecord(tx, id)
			switch {
			case err != nil:
				return dangling(err)
			case rec.nlink == 0:
				f.table.setOrphan(id, true)
				f.reclaimer.add(id)
			default:
				untrimmed = append(untrimmed, id)
			}
		}
		return nil
	})
	for _, id := range untrimmed {
		in := f.table.pin(id) // until it is trimmed
		in.untrimmed = true
		f.reclaimer.add(id)
	}
	return fault("find orphans", err)
}

func orphansIn(tx *cache.Tx) (ids []InodeID, err error) {
	bad := tx.Scan([]byte{tableOrphan}, tableEnd(tableOrphan), func(k, v []byte) bool {
		var id uint64
		if id, err = parseKey1(tableOrphan, k); err == nil && (len(v) != 1 || v[0] != formatVersion) {
			err = damaged(tableOrphan, "value", v)
		}
		ids = append(ids, InodeID(id))
		return err == nil
	})
	if bad != nil {
		err = bad
	}
	return ids, err
}

// reclaimPause lets removed files gather: one by one, each would wake the reclaimer in the middle of an rm, beside the loop that answers it.
const reclaimPause = 20 * time.Millisecond

// reclaim is the background reclaimer.
func (f *FS) reclaim() {
	for {
		select {
		case <-f.stop:
			return
		case <-f.reclaimer.wake:
		}
		select {
		case <-f.stop:
			return
		case <-time.After(reclaimPause):
		}
		f.reclaimQueued()
	}
}

// reclaimQueued reclaims all that can be; when it returns, what another caller was at is done too.
func (f *FS) reclaimQueued() {
	f.reclaimer.work.Lock()
	defer f.reclaimer.work.Unlock()
	for ids := f.reclaimer.take(); len(ids) > 0 && !f.closed.Load(); ids = f.reclaimer.take() {
		if err := f.reclaimAll(ids); err != nil {
			// They stay in the state, and the next New finds them.
			f.o.Log.Error("the space of removed files is not free yet", "error", err)
		}
	}
}

func (f *FS) reclaimAll(ids []InodeID) error {
	var dead []*inode
	for _, id := range ids {
		in := f.table.pin(id)
		defer f.table.unpin(in)
		if f.condemn(in) {
			dead = append(dead, in)
		}
	}
	for len(dead) > 0 {
		var done int
		err := f.update(shrinks, func(t *txn) (err error) {
			done, err = t.reclaim(dead)
			return err
		})
		if err != nil {
			return fmt.Errorf("reclaim orphans: %w", err)
		}
		dead = dead[done:]
	}
	return nil
}

// condemn makes an inode ready to go: its dirty data is dropped and it takes no more. It is false for one that has something to trim
// only, or is referred to after all.
func (f *FS) condemn(in *inode) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	rec, err := f.record(in)
	if err == nil && rec.nlink > 0 && in.untrimmed {
		if _, err = f.trimmed(in); err == nil {
			f.table.unpin(in) // pinned by adoptOrphans
		}
	}
	if err != nil && err != syscall.ENOENT {
		f.o.Log.Error("an orphan cannot be reclaimed", "inode", uint64(in.id), "error", err)
	}
	if err != nil || rec.nlink > 0 || f.table.referenced(in.id) {
		return false
	}
	in.dead = true
	f.discard(in)
	return true
}

// reclaim removes inodes until the transaction is big enough, and returns how many went whole.
func (t *txn) reclaim(dead []*inode) (done int, err error) {
	steps := 0
	for _, in := range dead {
		n, whole, err := t.reclaimOne(in.id)
		if err != nil {
			return done, err
		}
		if steps += n; whole {
			done++
		}
		if !whole || steps > maxSteps {
			break
		}
	}
	return done, nil
}

func (t *txn) reclaimOne(id InodeID) (steps int, whole bool, err error) {
	e, err := t.load(id)
	if err == syscall.ENOENT {
		return 0, true, nil
	}
	if err != nil {
		return 0, false, err
	}
	if e.rec.nlink > 0 {
		return 0, true, nil
	}
	e.put = true
	before := e.rec.alloc
	if whole, err = t.unmap(id, &e.rec, 0, MaxSize); err != nil || !whole {
		return maxSteps, false, err
	}
	steps = int((before-e.rec.alloc)/slot) + 1
	xattrs, err := t.xattrKeys(id)
	if err != nil {
		return steps, false, err
	}
	for _, k := range xattrs {
		t.Delete(k)
	}
	t.Delete(orphanKey(id))
	t.remove(id)
	return steps + len(xattrs), true, nil
}

func (t *txn) xattrKeys(id InodeID) (keys [][]byte, err error) {
	first, last := rangeOf(tableXattr, id)
	err = t.Scan(first, last, func(k, _ []byte) bool {
		keys = append(keys, slices.Clone(k))
		return true
	})
	return keys, err
}
