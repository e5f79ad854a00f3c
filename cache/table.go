package cache

import (
	"sort"
	"sync"
	"sync/atomic"

	"dfsmount/segment"
)

// pageRef is the directory's knowledge of one page. Everything but the cache fields is fixed once the ref is in a table.
type pageRef struct {
	first string // its first key
	id    uint64
	count uint32           // entries
	size  uint32           // bytes of the encoded page
	at    segment.Location // its frame in the log, zero until a checkpoint wrote it

	cached atomic.Pointer[page]
	used   atomic.Bool // touched since the cache's hand last passed
	gone   atomic.Bool // replaced: must not be cached any more
}

// table is the directory of pages, ascending by first key: page i holds the keys from its first key up to the next page's, page 0
// also stands for everything below it. Immutable.
type table struct{ refs []*pageRef }

// find returns the page that would hold key: the last one whose first key is not above it; -1 if key is below all.
func (t *table) find(key string) int {
	return sort.Search(len(t.refs), func(i int) bool { return t.refs[i].first > key }) - 1
}

// bytes is the size of all encoded pages.
func (t *table) bytes() (n int64) {
	for _, r := range t.refs {
		n += int64(r.size)
	}
	return n
}

// pageCache bounds the decoded pages hanging on refs: a clock. A hit is two atomic operations and no lock.
type pageCache struct {
	limit int64

	mu    sync.Mutex
	hand  []*pageRef // in the order they were loaded
	bytes int64
}

// hit returns the ref's decoded page if it is cached.
func (c *pageCache) hit(r *pageRef) *page {
	p := r.cached.Load()
	if p != nil && !r.used.Load() {
		r.used.Store(true)
	}
	return p
}

// add caches p and lets go of pages not touched since the last round while there are too many.
func (c *pageCache) add(r *pageRef, p *page) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.gone.Load() || !r.cached.CompareAndSwap(nil, p) {
		return
	}
	c.hand = append(c.hand, r)
	c.bytes += p.bytes()
	for i := 2 * len(c.hand); i > 0 && c.bytes > c.limit && len(c.hand) > 1; i-- {
		c.step()
	}
}

func (c *pageCache) step() {
	r := c.hand[0]
	c.hand[0] = nil
	c.hand = c.hand[1:]
	if r.used.Swap(false) && !r.gone.Load() {
		c.hand = append(c.hand, r)
		return
	}
	if p := r.cached.Swap(nil); p != nil {
		c.bytes -= p.bytes()
	}
}

// drop uncaches refs that a flush replaced.
func (c *pageCache) drop(refs []*pageRef) {
	if len(refs) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range refs {
		r.gone.Store(true)
		if p := r.cached.Swap(nil); p != nil {
			c.bytes -= p.bytes()
		}
	}
	kept := c.hand[:0:0]
	for _, r := range c.hand {
		if !r.gone.Load() {
			kept = append(kept, r)
		}
	}
	c.hand = kept
}
