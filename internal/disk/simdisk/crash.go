package simdisk

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
)

// Crash returns the disk as the next start finds it, without faults and limits, and leaves d and its handles stopped.
// Seed 0 loses everything that was not durable and seed 1 keeps it; others choose for each change.
func (d *Disk) Crash(seed uint64) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopped = true
	keep := keepShare(seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, r := range d.pending {
		if rng.Float64() < keep {
			r.apply((*inode).durableNames)
		}
	}
	after := New()
	after.rng = rand.New(rand.NewPCG(seed, 1))
	c := crash{seed: seed, keep: keep, to: after, done: map[*inode]*inode{}}
	c.dir(d.root, after.root)
	return after
}

// keepShare is how likely an unsynced change is kept. Both extremes must be common: with even odds a run of many
// writes would hardly ever be kept or lost as a whole.
func keepShare(seed uint64) float64 {
	if seed < 2 {
		return float64(seed)
	}
	shares := []float64{0.5, 0.05, 0.95, 0.5}
	return shares[seed%uint64(len(shares))]
}

type crash struct {
	seed uint64
	keep float64
	to   *Disk
	done map[*inode]*inode // a file may have two names when only half of two renames was kept
}

func (c *crash) dir(from, to *inode) {
	for _, name := range slices.Sorted(maps.Keys(from.kept)) {
		n := from.kept[name]
		if n == nil {
			continue
		}
		copied := c.done[n]
		switch {
		case copied != nil:
		case n.isDir():
			copied = c.to.newDir()
			c.dir(n, copied)
		default:
			copied = c.file(n)
		}
		c.done[n] = copied
		copied.links++
		to.names[name], to.kept[name] = copied, copied
	}
}

// file decides for each file with a generator of its own: what one lost must not change what another loses.
func (c *crash) file(n *inode) *inode {
	n.settle(rand.New(rand.NewPCG(c.seed, n.id)), c.keep)
	copied := c.to.newNode()
	copied.now, copied.durable = n.durable.clone(), n.durable
	c.to.used += n.durable.size
	return copied
}

// FlipBit inverts one bit of a file, durably: what a decaying disk does.
func (d *Disk) FlipBit(name string, off int64, bit uint) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, n, err := d.lookupLocked("flip", name)
	if err != nil {
		return err
	}
	if n == nil || n.isDir() || off < 0 || off >= min(n.durable.size, n.now.size) {
		return fmt.Errorf("flip a bit of %s at %d: no durable byte there", name, off)
	}
	for _, c := range []*content{n.now, n.durable} {
		var b [1]byte
		c.readAt(b[:], off)
		b[0] ^= 1 << (bit % 8)
		c.writeAt(b[:], off)
	}
	return nil
}
