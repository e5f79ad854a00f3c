package cache

import (
	"sync"

	"dfsmount/segment"
)

// extentCache keeps opened extents, bounded by bytes, first in first out with a second chance: small random reads of an extent of 256 KiB
// otherwise open 64 KiB each time.
type extentCache struct {
	limit int64

	mu    sync.Mutex
	items map[segment.Location]*extentItem
	order []segment.Location
	bytes int64
	once  [1024]segment.Location // touched lately, by hash: the second touch caches
}

type extentItem struct {
	plain []byte
	used  bool
}

func (c *extentCache) get(l segment.Location) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	it := c.items[l]
	if it == nil {
		return nil
	}
	it.used = true
	return it.plain
}

// seen tells whether l was touched lately, and remembers it.
func (c *extentCache) seen(l segment.Location) bool {
	slot := (uint64(l.Segment)*0x9E3779B97F4A7C15 ^ uint64(l.Offset)*0xBF58476D1CE4E5B9) >> 54
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.once[slot] == l {
		return true
	}
	c.once[slot] = l
	return false
}

// add keeps plain, which must not change any more.
func (c *extentCache) add(l segment.Location, plain []byte) {
	if int64(len(plain)) > c.limit/4 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.items[l] != nil {
		return
	}
	c.items[l] = &extentItem{plain: plain}
	c.order = append(c.order, l)
	c.bytes += int64(len(plain))
	for c.bytes > c.limit {
		c.evictLocked()
	}
}

func (c *extentCache) evictLocked() {
	l := c.order[0]
	c.order = c.order[1:]
	it := c.items[l]
	if it.used {
		it.used = false
		c.order = append(c.order, l)
		return
	}
	delete(c.items, l)
	c.bytes -= int64(len(it.plain))
}
