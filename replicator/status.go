package replicator

import (
	"cmp"
	"slices"
	"time"

	"dfsmount/segment"
)

// States of a node.
const (
	StateConnecting  = "connecting"  // not asked yet
	StateCurrent     = "current"     // acknowledged everything sealed
	StateBehind      = "behind"      // answers, and is being sent what it lacks
	StateUnreachable = "unreachable" // does not answer, or with errors worth a retry
	StateRefused     = "refused"     // will not take something until someone acts
	StateFull        = "full"        // has no room
)

// maxNamed bounds how many objects one node's status and an audit's log lines name; counts are always exact.
const maxNamed = 16

// Status is a snapshot: what `dfsmount status` shows. The JSON is a documented interface.
type Status struct {
	Copies    int           `json:"copies"`        // policy
	Segments  uint64        `json:"segments"`      // sealed, in the accepted history
	Unsafe    int64         `json:"unsafe_bytes"`  // on fewer nodes than the policy asks for, open segment included
	UnsafeAge time.Duration `json:"unsafe_age_ns"` // of the oldest such byte
	Safe      bool          `json:"safe"`
	Fenced    *Fence        `json:"fenced,omitempty"`  // another writer: nothing is uploaded any more
	Damaged   []Damage      `json:"damaged,omitempty"` // segments whose local copy is missing or damaged
	Warnings  []string      `json:"warnings,omitempty"`
	Nodes     []NodeStatus  `json:"nodes"`
}

// NodeStatus tells of one node.
type NodeStatus struct {
	Name           string        `json:"name"`
	URL            string        `json:"url"`   // without secrets
	State          string        `json:"state"` // "connecting", "current", "behind", "unreachable", "refused", "full"
	Since          time.Time     `json:"since"` // of the last change between answering, not answering, refusing and full
	Behind         int64         `json:"behind_bytes"`
	BehindSegments uint64        `json:"behind_segments"`
	BehindFor      time.Duration `json:"behind_for_ns"`
	Position       segment.ID    `json:"position"`
	LastError      string        `json:"last_error,omitempty"`
	LastErrorAt    time.Time     `json:"last_error_at,omitzero"`
	LastAck        time.Time     `json:"last_ack,omitzero"`
	NextTry        time.Time     `json:"next_try,omitzero"`
	Latency        time.Duration `json:"latency_ns,omitempty"` // of reads, smoothed
	Losses         uint64        `json:"losses,omitempty"`     // acknowledged segments an audit did not find, since the mount
	LastLoss       string        `json:"last_loss,omitempty"`  // the newest of the last such audit
	FaultCount     int           `json:"fault_count,omitempty"`
	Faults         []ObjectFault `json:"faults,omitempty"` // the first few objects put aside
}

// ObjectFault is one object of a node that was put aside.
type ObjectFault struct {
	Object  string    `json:"object"`
	Error   string    `json:"error"`
	Since   time.Time `json:"since"`
	NextTry time.Time `json:"next_try,omitzero"`
}

// Status takes the snapshot. Its cost grows with the nodes, not with the history. UnsafeAge counts from the sealing of the oldest
// segment that is not safe, or from the first byte of the open one.
func (r *Replicator) Status() Status {
	// The open segment first: what is sealed between the two looks is counted twice, never not at all.
	open, since := r.local.unsealed()
	r.refresh()
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	d := r.hist.owed(r.hist.all(), r.acksLocked(), r.set.Copies)
	st := Status{
		Copies:   r.set.Copies,
		Segments: uint64(len(r.hist.segs)),
		Unsafe:   d.unsafe + open,
		Safe:     d.segments == 0 && open == 0 && r.fence == nil,
		Fenced:   r.fence,
		Warnings: r.set.Warnings(),
		Nodes:    make([]NodeStatus, 0, len(r.workers)),
	}
	if open > 0 && (d.oldest.IsZero() || since.Before(d.oldest)) {
		d.oldest = since
	}
	st.UnsafeAge = age(now, d.oldest)
	for _, d := range r.damaged {
		st.Damaged = append(st.Damaged, d)
	}
	slices.SortFunc(st.Damaged, func(a, b Damage) int { return cmp.Compare(a.Segment, b.Segment) })
	for _, w := range r.workers {
		st.Nodes = append(st.Nodes, w.statusLocked(now))
	}
	return st
}

func (w *worker) statusLocked(now time.Time) NodeStatus {
	h := &w.r.hist
	st := NodeStatus{
		Name:        w.conf.Name,
		URL:         RedactURL(w.conf.URL),
		Since:       w.since,
		Position:    h.last(),
		LastErrorAt: w.lastAt,
		LastAck:     w.lastAck,
		NextTry:     w.nextTry,
		Latency:     w.latency,
		Losses:      w.losses,
		LastLoss:    w.lastLoss,
		FaultCount:  len(w.faults),
		Faults:      w.faultsLocked(),
	}
	if w.lastErr != nil {
		st.LastError = w.lastErr.Error()
	}
	for i, s := range h.missing(w.acked) {
		if i == 0 {
			st.Position = s.first - 1
			st.BehindFor = age(now, h.in(s)[0].sealed)
		}
		st.Behind += h.bytes(s)
		st.BehindSegments += uint64(len(h.in(s)))
	}
	st.State = w.stateLocked(st.BehindSegments)
	if len(st.Faults) > 0 && w.reach == reachOK {
		st.LastError, st.LastErrorAt = st.Faults[0].Object+": "+st.Faults[0].Error, st.Faults[0].Since
	}
	return st
}

func (w *worker) stateLocked(behind uint64) string {
	switch w.reach {
	case reachUnknown:
		return StateConnecting
	case reachUnreachable:
		return StateUnreachable
	case reachRefused:
		return StateRefused
	case reachFull:
		return StateFull
	}
	switch {
	case len(w.faults) > 0:
		return StateRefused
	case behind > 0:
		return StateBehind
	}
	return StateCurrent
}

func (w *worker) faultsLocked() []ObjectFault {
	var out []ObjectFault
	for object, f := range w.faults {
		out = append(out, ObjectFault{object, f.err.Error(), f.since, f.retry})
	}
	slices.SortFunc(out, func(a, b ObjectFault) int { return cmp.Compare(a.Object, b.Object) })
	return out[:min(len(out), maxNamed)]
}

// age is how long ago t was; 0 for no time and for a clock that went back.
func age(now, t time.Time) time.Duration {
	if t.IsZero() {
		return 0
	}
	return max(0, now.Sub(t))
}
