package replicator

import (
	"context"
	"errors"
	"fmt"
	"io"

	"dfsmount/node"
)

// upload brings one segment to the node; nil only once the node holds it durably.
func (w *worker) upload(ctx context.Context, n node.Node, s sealedSegment, reread bool) error {
	src, err := w.r.source(ctx, w, s)
	if err != nil {
		return err
	}
	defer src.Close()
	if reread {
		same, err := holds(ctx, n, s.object(), src)
		if err != nil {
			return err
		}
		if !same {
			return otherBytes(s.object(), w.conf.Name)
		}
	}
	// Also after a read-back that matched: only Put promises that the object survives the node losing power.
	body := &watchedReader{r: io.NewSectionReader(src, 0, src.size)}
	err = n.Put(ctx, s.object(), body, src.size, src.sum)
	switch {
	case err != nil && body.err != nil:
		// It was our side that failed. The node is not to blame, nor to be rested; the next try verifies anew.
		w.r.digests.forget(s.number)
		w.r.damage(s, &damageError{body.err})
		return &objectError{object: s.object(), err: fmt.Errorf("read local copy: %w", body.err)}
	case errors.Is(err, node.ErrExists):
		return w.conflict(ctx, n, s, src)
	case errors.Is(err, node.ErrChecksum):
		// The bytes changed between our checksum and the node's: on the way, or our file under a remembered checksum. Look again.
		w.r.digests.forget(s.number)
	}
	if err != nil {
		return fmt.Errorf("put %s on node %q: %w", s.object(), w.conf.Name, err)
	}
	return nil
}

// watchedReader remembers why a read failed.
type watchedReader struct {
	r   io.Reader
	err error
}

func (w *watchedReader) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

// conflict decides what it means that the node says another object has our segment's name.
func (w *worker) conflict(ctx context.Context, n node.Node, s sealedSegment, src *source) error {
	// Another writer of the same epoch would show here first.
	if err := w.greet(ctx, n); err != nil {
		return err
	}
	info, err := n.Stat(ctx, s.object())
	if err != nil {
		return fmt.Errorf("compare %s on node %q: %w", s.object(), w.conf.Name, err)
	}
	if info.Size == src.size && info.Sum == src.sum {
		// It contradicts itself: not an acknowledgement. The next try will show.
		return fmt.Errorf("put %s on node %q: node says other bytes exist, but shows the same checksum", s.object(), w.conf.Name)
	}
	return otherBytes(s.object(), w.conf.Name)
}

// holds reads the whole object back and compares it; missing counts as the same, for Put will create it.
func holds(ctx context.Context, n node.Node, object string, src *source) (bool, error) {
	body, err := n.Get(ctx, object, 0, -1)
	if errors.Is(err, node.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("read back %s: %w", object, err)
	}
	defer body.Close()
	sum, size, err := sumOfStream(io.LimitReader(body, src.size+1))
	if err != nil {
		return false, fmt.Errorf("read back %s: %w", object, err)
	}
	return size == src.size && sum == src.sum, nil
}
