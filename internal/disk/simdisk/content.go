package simdisk

import "maps"

const pageSize = 4096

// content is the bytes of a file, kept sparse so that a file allocated in advance costs nothing.
type content struct {
	size  int64
	pages map[int64]*[pageSize]byte
}

func newContent() *content { return &content{pages: map[int64]*[pageSize]byte{}} }

func (c *content) clone() *content {
	pages := maps.Clone(c.pages)
	for i, p := range pages {
		copied := *p
		pages[i] = &copied
	}
	return &content{size: c.size, pages: pages}
}

// readAt fills p, which lies before the end.
func (c *content) readAt(p []byte, off int64) {
	each(p, off, func(part []byte, page, at int64) {
		if have := c.pages[page]; have != nil {
			copy(part, have[at:])
		} else {
			clear(part)
		}
	})
}

func (c *content) writeAt(p []byte, off int64) {
	each(p, off, func(part []byte, page, at int64) {
		if c.pages[page] == nil {
			c.pages[page] = new([pageSize]byte)
		}
		copy(c.pages[page][at:], part)
	})
	c.size = max(c.size, off+int64(len(p)))
}

func (c *content) truncate(size int64) {
	for page := range c.pages {
		switch start := page * pageSize; {
		case start >= size:
			delete(c.pages, page)
		case start+pageSize > size:
			clear(c.pages[page][size-start:])
		}
	}
	c.size = size
}

func (c *content) grow(size int64) { c.size = max(c.size, size) }

// each cuts p, which starts at off, at the borders of pages.
func each(p []byte, off int64, fn func(part []byte, page, at int64)) {
	for len(p) > 0 {
		page, at := off/pageSize, off%pageSize
		n := min(int64(len(p)), pageSize-at)
		fn(p[:n], page, at)
		p, off = p[n:], off+n
	}
}
