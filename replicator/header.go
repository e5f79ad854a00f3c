package replicator

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"dfsmount/node"
)

// headerObject is one generation of the volume's header.
type headerObject struct {
	generation uint64 // 0: none was given
	bytes      []byte
}

// headerName is the name of a generation of the header on nodes.
func headerName(generation uint64) string { return fmt.Sprintf("header/%016x", generation) }

func parseHeaderName(name string) (uint64, bool) {
	hex, ok := strings.CutPrefix(name, "header/")
	if !ok {
		return 0, false
	}
	generation, err := strconv.ParseUint(hex, 16, 64)
	return generation, err == nil && headerName(generation) == name
}

// preface does what comes before any segment: nothing if this writer is fenced, and the newest header.
func (w *worker) preface(ctx context.Context, n node.Node) error {
	if err := w.r.fenced(); err != nil {
		return err
	}
	w.r.mu.Lock()
	h := w.r.header
	w.r.mu.Unlock()
	name := headerName(h.generation)
	if h.generation == w.headerAt && !w.due(name) {
		return nil
	}
	err := putSmall(ctx, n, name, h.bytes)
	switch {
	case errors.Is(err, node.ErrExists):
		w.setAside(otherBytes(name, w.conf.Name)) // visible, but no reason to keep data back: other nodes have the header
	case err != nil:
		return err
	default:
		w.clear(name)
	}
	w.headerAt = h.generation
	return nil
}
