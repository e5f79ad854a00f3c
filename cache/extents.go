package cache

import (
	"slices"
	"sync"

	"dfsmount/segment"
)

// extentCache keeps opened extents, bounded by bytes, first in first out with a second chance: small random reads of an extent of 256 KiB
// otherwise open 64 KiB each time.
type extentCache struct {
	limit int64

	mu      sync.Mutex
	items   map[segment.Location]*extentItem
	order   []segment.Location
	bytes   int64
	touched [8]segment.Location // the last ones read in part
	next    int
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

// seen tells whether l was read in part a moment ago, and remembers it. Small reads in a row are then worth opening the whole extent
// for; reads all over a large file are not, and eight streams at once fit.
func (c *extentCache) seen(l segment.Location) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.Contains(c.touched[:], l) {
		return true
	}
	c.touched[c.next] = l
	c.next = (c.next + 1) % len(c.touched)
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
