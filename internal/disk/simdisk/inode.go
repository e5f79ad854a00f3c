package simdisk

import "math/rand/v2"

const sectorSize = 512

// inode is a file or, with names, a directory.
type inode struct {
	id      uint64
	now     *content // what reads see
	durable *content
	pending []change
	names   map[string]*inode // directories only: what lookups see
	kept    map[string]*inode // directories only: what is durable
	links   int
	handles int
}

// change is one change of a file that is not durable yet.
type change struct {
	what changeKind
	data []byte // of a write
	off  int64  // of a write; the new size otherwise
}

type changeKind int

const (
	write changeKind = iota
	grow
	truncate
)

func (n *inode) isDir() bool { return n.names != nil }

// do makes a change visible and remembers that it is not durable.
func (n *inode) do(c change) {
	c.apply(n.now)
	n.pending = append(n.pending, c)
}

// sync makes every pending change durable.
func (n *inode) sync() {
	for _, c := range n.pending {
		c.apply(n.durable)
	}
	n.pending = nil
}

// settle decides which pending changes reach the disk, as at a crash; the others never will.
func (n *inode) settle(rng *rand.Rand, keep float64) {
	for _, c := range n.pending {
		c.applySome(n.durable, rng, keep)
	}
	n.pending = nil
}

func (c change) apply(to *content) {
	switch c.what {
	case write:
		to.writeAt(c.data, c.off)
	case grow:
		to.grow(c.off)
	case truncate:
		to.truncate(c.off)
	}
}

// applySome keeps the change, loses it, or (one write in three) decides for each sector.
func (c change) applySome(to *content, rng *rand.Rand, keep float64) {
	if c.what != write || rng.IntN(3) > 0 {
		if rng.Float64() < keep {
			c.apply(to)
		}
		return
	}
	for p, off := c.data, c.off; len(p) > 0; {
		n := min(int64(len(p)), sectorSize-off%sectorSize)
		if rng.Float64() < keep {
			to.writeAt(p[:n], off)
		}
		p, off = p[n:], off+n
	}
}
