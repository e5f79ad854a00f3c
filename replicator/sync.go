package replicator

import (
	"context"
	"fmt"
	"strings"

	"dfsmount/segment"
)

// Sync seals the open segment and waits until everything completed before the call is on copies nodes (0: the policy's
// number). It waits for nodes that are away until ctx ends; the error then names who is behind, and why. It fails at
// once where waiting cannot help: more copies asked for than there are nodes, another writer, a segment that no one has
// whole. Run must be running. Any number of callers share the work.
func (r *Replicator) Sync(ctx context.Context, copies int) error {
	return r.SyncProgress(ctx, copies, nil)
}

// SyncProgress is Sync that tells bytes acknowledged and bytes to acknowledge (each as often as copies are lacking), from the start on.
func (r *Replicator) SyncProgress(ctx context.Context, copies int, progress func(done, total int64)) error {
	if err := r.fenced(); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	upTo, err := r.seals.do(ctx)
	if err != nil {
		return fmt.Errorf("sync: seal the open segment: %w", err)
	}
	r.refresh()
	return r.await(ctx, span{1, upTo}, copies, progress)
}

// await waits until every segment of within is on copies nodes.
func (r *Replicator) await(ctx context.Context, within span, copies int, progress func(done, total int64)) error {
	total := int64(-1)
	for {
		d, changed, err := r.outstanding(within, copies)
		if err != nil {
			return fmt.Errorf("sync: %w", err)
		}
		total = max(total, d.lacking)
		if progress != nil {
			progress(total-d.lacking, total)
		}
		if d.segments == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("sync: %s: %w", r.laggards(within, copies), context.Cause(ctx))
		}
	}
}

// outstanding measures what within lacks; changed is closed when that may be different. An error means that waiting cannot help.
func (r *Replicator) outstanding(within span, copies int) (d debt, changed <-chan struct{}, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if copies <= 0 {
		copies = r.set.Copies
	}
	d = r.hist.owed(within, r.acksLocked(), copies)
	if d.segments == 0 && copies <= len(r.workers) {
		return d, nil, nil
	}
	return d, r.changed, r.hopelessLocked(within, copies)
}

func (r *Replicator) acksLocked() []idSet {
	sets := make([]idSet, len(r.workers))
	for i, w := range r.workers {
		sets[i] = w.acked
	}
	return sets
}

func (r *Replicator) hopelessLocked(within span, copies int) error {
	if r.fence != nil {
		return *r.fence
	}
	if copies > len(r.workers) {
		return fmt.Errorf("%s asked for, but the volume has %s",
			plural(copies, "1 copy", "%d copies"), plural(len(r.workers), "1 node", "%d nodes"))
	}
	for id, d := range r.damaged {
		if id >= within.first && id <= within.last && r.nobodyHasLocked(id) {
			return fmt.Errorf("segment %d is damaged here and on no node: %s", uint64(id), d.Error)
		}
	}
	return nil
}

func (r *Replicator) nobodyHasLocked(id segment.ID) bool {
	for _, w := range r.workers {
		if w.acked.has(id) {
			return false
		}
	}
	return true
}

// laggards is a sentence about what keeps within from being on copies nodes.
func (r *Replicator) laggards(within span, copies int) string {
	st := r.Status()
	r.mu.Lock()
	defer r.mu.Unlock()
	if copies <= 0 {
		copies = r.set.Copies
	}
	var reasons []string
	for i, w := range r.workers {
		behind := w.acked.gaps(within)
		if len(behind) == 0 || i >= len(st.Nodes) || st.Nodes[i].Name != w.conf.Name {
			continue
		}
		n := st.Nodes[i]
		reason := fmt.Sprintf("node %q is %s by %s", n.Name, n.State, plural(int(n.BehindSegments), "1 segment", "%d segments"))
		if n.State != StateBehind {
			reason = fmt.Sprintf("node %q is %s and %s behind", n.Name, n.State, plural(int(n.BehindSegments), "1 segment", "%d segments"))
		}
		if n.LastError != "" && n.State != StateBehind {
			reason += " (" + n.LastError + ")"
		}
		reasons = append(reasons, reason)
	}
	d := r.hist.owed(within, r.acksLocked(), copies)
	return fmt.Sprintf("%s (%d bytes) on fewer than %s: %s", plural(int(d.segments), "1 segment is", "%d segments are"), d.unsafe,
		plural(copies, "1 node", "%d nodes"), strings.Join(reasons, "; "))
}
