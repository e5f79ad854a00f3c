package replicator

import (
	"crypto/sha256"
	"fmt"
	"io"
	"sync"

	"dfsmount/node"
	"dfsmount/segment"
)

// maxDigests bounds how many segments' checksums are remembered; 64 bytes or so each.
const maxDigests = 4096

// digests computes a segment's SHA-256 once, after verifying it, however many nodes it goes to. Concurrent askers share one computation.
type digests struct {
	mu    sync.Mutex
	known map[segment.ID]*digest
	order []segment.ID // as they were asked for; the oldest goes first
}

type digest struct {
	done chan struct{} // closed once sum and err are set
	sum  node.Sum
	err  error
}

// get returns the digest of id, computing it with fn if it is not known. Errors are not remembered.
func (d *digests) get(id segment.ID, fn func() (node.Sum, error)) (node.Sum, error) {
	d.mu.Lock()
	g, ok := d.known[id]
	if !ok {
		g = &digest{done: make(chan struct{})}
		d.addLocked(id, g)
	}
	d.mu.Unlock()
	if ok {
		<-g.done
		return g.sum, g.err
	}
	g.sum, g.err = fn()
	close(g.done)
	if g.err != nil {
		d.drop(id, g)
	}
	return g.sum, g.err
}

func (d *digests) addLocked(id segment.ID, g *digest) {
	if d.known == nil {
		d.known = map[segment.ID]*digest{}
	}
	for len(d.order) >= maxDigests {
		delete(d.known, d.order[0])
		d.order = d.order[1:]
	}
	d.known[id] = g
	d.order = append(d.order, id)
}

// forget makes the next get compute again: the local file may not be what it was.
func (d *digests) forget(id segment.ID) {
	d.mu.Lock()
	g := d.known[id]
	d.mu.Unlock()
	if g != nil {
		d.drop(id, g)
	}
}

func (d *digests) drop(id segment.ID, g *digest) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known[id] == g {
		delete(d.known, id) // its place in order stays: at worst a later digest of id is forgotten early
	}
}

// sumOf is the SHA-256 of all bytes of src.
func sumOf(src segment.Source) (node.Sum, error) {
	size, err := src.Size()
	if err != nil {
		return node.Sum{}, err
	}
	sum, n, err := sumOfStream(io.NewSectionReader(src, 0, size))
	if err != nil {
		return node.Sum{}, err
	}
	if n != size {
		return node.Sum{}, fmt.Errorf("file ends at %d of %d bytes: %w", n, size, io.ErrUnexpectedEOF)
	}
	return sum, nil
}

// sumOfStream is the SHA-256 and the number of bytes of r to its end.
func sumOfStream(r io.Reader) (node.Sum, int64, error) {
	h := sha256.New()
	n, err := io.Copy(h, r)
	return node.Sum(h.Sum(nil)), n, err
}
