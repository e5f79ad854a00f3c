package replicator

import (
	"context"
	"fmt"

	"dfsmount/node"
	"dfsmount/segment"
)

// audit compares what the node lists with what it acknowledged. What is gone or has another size was never as safe as it seemed: its
// acknowledgement is taken back, and it is sent again. A listing proves little (bytes are for scrub to compare), but it finds
// a disk that was replaced and a node that was restored from an old backup.
func (w *worker) audit(ctx context.Context, n node.Node) error {
	var present idSet
	var foreign uint64
	sizes := map[segment.ID]int64{}
	own := w.r.local.epoch()
	err := n.List(ctx, "segment/", "", func(i node.Info) error {
		number, epoch, ok := segment.ParseObjectName(i.Name)
		if !ok {
			return nil
		}
		if epoch > own {
			foreign = max(foreign, epoch)
		}
		s, known := w.r.segment(number)
		if !known || s.epoch != epoch {
			return nil
		}
		if s.size == 0 {
			sizes[number] = i.Size
		}
		if s.size == i.Size || s.size == 0 || s.guessed {
			present.add(number)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("list segments of node %q: %w", w.conf.Name, err)
	}
	if foreign > own {
		return w.fencedBy(ctx, n, foreign)
	}
	if len(sizes) > 0 {
		w.r.mu.Lock()
		w.r.hist.learn(sizes)
		w.r.mu.Unlock()
	}
	return w.lost(present)
}

// lost takes back what was acknowledged and is not present.
func (w *worker) lost(present idSet) error {
	w.r.mu.Lock()
	var gone []sealedSegment
	for _, s := range w.acked.minus(present) {
		gone = append(gone, w.r.hist.in(s)...)
	}
	w.r.mu.Unlock()
	if len(gone) == 0 {
		return nil
	}
	for _, s := range gone[:min(len(gone), maxNamed)] {
		w.r.opts.Log.Error("node lost a segment it had acknowledged", "node", w.conf.Name, "object", s.object())
	}
	if more := len(gone) - maxNamed; more > 0 {
		w.r.opts.Log.Error("node lost more segments it had acknowledged", "node", w.conf.Name, "more", more)
	}
	if err := w.retract(gone); err != nil {
		return err
	}
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	w.losses += uint64(len(gone))
	w.lastLoss = gone[len(gone)-1].object()
	return nil
}

// segment finds one segment of the accepted history.
func (r *Replicator) segment(id segment.ID) (sealedSegment, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.hist.find(id)
}
