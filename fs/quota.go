package fs

import (
	"dfsmount/cache"
	"sync/atomic"
	"syscall"
)

// quota bounds the bytes that files take: those that extents map, as st_blocks counts them, and those written that are in no extent yet. Names,
// attributes and the log's own overhead do not count. It is enforced before anything is accepted (EDQUOT) and never stands in the way of what was, or
// of what gives room back.
type quota struct {
	limit   atomic.Int64 // bytes; 0: none
	used    atomic.Int64 // bytes that extents map
	pending atomic.Int64 // dirty bytes, and those of writes under way: each as if it took room, though it may lie over an extent
}

// SetQuota bounds the bytes that files take; 0 takes the bound away. One below what they take already refuses writes until enough is deleted.
func (f *FS) SetQuota(limit int64) { f.quota.limit.Store(max(limit, 0)) }

// Quota tells the bound, 0 if there is none, and how many bytes files take.
func (f *FS) Quota() (limit, used int64) {
	return f.quota.limit.Load(), f.quota.used.Load() + f.quota.pending.Load()
}

// loadQuota takes what files take from the state.
func (f *FS) loadQuota() error {
	f.SetQuota(f.o.Quota)
	return fault("read the counters", f.view(func(tx *cache.Tx) error {
		c, err := getCounters(tx)
		f.quota.used.Store(int64(c.bytes))
		return err
	}))
}

// room is how many bytes more may be written.
func (q *quota) room() int64 {
	return max(q.limit.Load()-q.used.Load()-q.pending.Load(), 0)
}

// exceeded tells whether n bytes more would be too many.
func (q *quota) exceeded(n int64) bool {
	limit := q.limit.Load()
	return limit > 0 && q.used.Load()+q.pending.Load()+n > limit
}

// claim takes room for a write of n bytes. pending is raised first, so that of two writers one sees the other.
func (q *quota) claim(n int64) bool {
	q.pending.Add(n)
	if q.exceeded(0) {
		q.pending.Add(-n)
		return false
	}
	return true
}

func (q *quota) release(n int64) { q.pending.Add(-n) }

// claimQuota takes room for writing n bytes at off. If there seems to be none it looks closer: what was deleted may not have been given back yet, and
// dirty bytes count as if they took room, although they may lie over what is there, as these may.
func (f *FS) claimQuota(in *inode, off, n int64) error {
	if f.quota.claim(n) {
		return nil
	}
	f.reclaimQueued()
	_ = f.flushAll() // whose data cannot be flushed gets the error with its fsync; it stays pending
	if f.quota.claim(n) {
		return nil
	}
	if err := f.underQuota(in, off, n); err != nil {
		return err
	}
	f.quota.pending.Add(n)
	return nil
}

// underQuota answers EDQUOT if so many of n bytes at off are in no extent that they would be too many.
func (f *FS) underQuota(in *inode, off, n int64) error {
	if f.quota.limit.Load() == 0 {
		return nil
	}
	growth, end := n, off+n
	err := f.view(func(tx *cache.Tx) error {
		return scanExtents(tx, in.id, off, end, func(_ []byte, e extent) bool {
			growth -= min(e.end(), end) - max(e.off, off)
			return true
		})
	})
	if err == nil && growth > 0 && f.quota.exceeded(growth) {
		err = syscall.EDQUOT
	}
	return err
}
