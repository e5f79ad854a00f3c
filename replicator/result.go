package replicator

import (
	"fmt"

	"dfsmount/segment"
)

// Finding is what a clone saw of one node.
type Finding struct {
	URL      string   `json:"url"`            // without secrets
	Name     string   `json:"name,omitempty"` // in the settings; "" if it is not in them
	Error    string   `json:"error,omitempty"`
	Segments uint64   `json:"segments"` // objects listed, of any history
	Bytes    int64    `json:"bytes"`
	Lacking  uint64   `json:"lacking"`          // segments of the accepted history it does not list
	Sentence string   `json:"sentence"`         // what that means
	Faults   []string `json:"faults,omitempty"` // the first few objects that are not what was put there
	Claimed  bool     `json:"claimed"`          // the new epoch
}

// CloneResult tells what was recovered, from whom, and what is missing.
type CloneResult struct {
	Volume   string    `json:"volume"`
	Head     Head      `json:"head"`
	Epoch    uint64    `json:"epoch"`    // of the new writer
	Segments uint64    `json:"segments"` // in the accepted history
	Bytes    int64     `json:"bytes"`
	Missing  uint64    `json:"missing"`           // segments of it that no node listed: file data in them is lost unless another node returns
	Skipped  []Skipped `json:"skipped,omitempty"` // newer segments that could not be used
	Nodes    []Finding `json:"nodes"`
	Settings Settings  `json:"-"` // holds tokens
	Header   []byte    `json:"-"`
}

// Warnings are sentences about what this clone may lack. What single nodes lack is in their findings.
func (r *CloneResult) Warnings() []string {
	var out []string
	for _, s := range r.Skipped {
		out = append(out, fmt.Sprintf("%s is newer than what was recovered and could not be used: %s", s.Object, s.Why))
	}
	if r.Missing > 0 {
		out = append(out, fmt.Sprintf("%s on no node that answered: reading what is in them fails until one that has them is back",
			plural(int(r.Missing), "1 segment is", "%d segments are")))
	}
	return out
}

// record writes into the store which node has which segment of its history, and sums up what was found.
func (c *cloner) record() (*CloneResult, error) {
	res := &CloneResult{Volume: c.Volume, Head: c.made, Epoch: c.epoch, Skipped: c.skipped, Settings: c.settings, Header: c.header}
	var hist history
	hist.extend(c.store.segments(1))
	hist.cut(c.made.Number) // what the new store wrote itself is on no node yet
	c.learnSizes(&hist)
	res.Segments, res.Bytes = uint64(len(hist.segs)), hist.total()
	var anywhere idSet
	for _, p := range c.places {
		has := p.holds(&hist)
		for _, s := range has {
			anywhere.addSpan(s)
		}
		res.Nodes = append(res.Nodes, c.finding(p, &hist, has))
		if err := c.recordAcks(p, &hist, has); err != nil {
			return nil, err
		}
	}
	for _, s := range hist.missing(anywhere) {
		res.Missing += uint64(len(hist.in(s)))
	}
	return res, nil
}

// learnSizes takes the sizes of segments the new store knows nothing of from what is listed.
func (c *cloner) learnSizes(h *history) {
	for _, p := range c.places {
		sizes := map[segment.ID]int64{}
		for _, s := range h.segs {
			if size, ok := p.size(objectKey{s.number, s.epoch}); ok && s.size == 0 {
				sizes[s.number] = size
			}
		}
		h.learn(sizes)
	}
}

// holds is what of the accepted history the node lists, whole as far as a listing can tell.
func (p *place) holds(h *history) idSet {
	var has idSet
	for _, s := range h.segs {
		if size, ok := p.size(objectKey{s.number, s.epoch}); ok && (size == s.size || s.guessed) {
			has.add(s.number)
		}
	}
	return has
}

// recordAcks takes what a node of the settings lists for acknowledged. Its worker will look again, at its start.
func (c *cloner) recordAcks(p *place, h *history, has idSet) error {
	if !p.usable() {
		return nil
	}
	for _, n := range c.settings.Nodes {
		if placeOf(n.URL) != placeOf(p.url) {
			continue
		}
		var ids []segment.ID
		for _, s := range has {
			ids = append(ids, numbers(h.in(s))...)
		}
		if len(ids) == 0 {
			return nil
		}
		if err := c.store.recordAcks(n.ID, ids); err != nil {
			return fmt.Errorf("clone: record acknowledgements of node %q: %w", n.Name, err)
		}
	}
	return nil
}

func (c *cloner) finding(p *place, h *history, has idSet) Finding {
	f := Finding{URL: RedactURL(p.url), Segments: p.segments, Bytes: p.bytes, Faults: p.faults, Claimed: p.claimed == c.claimed.Epoch}
	for _, n := range c.settings.Nodes {
		if placeOf(n.URL) == placeOf(p.url) {
			f.Name = n.Name
		}
	}
	if p.err != nil {
		f.Error = p.err.Error()
	}
	missing := h.missing(has)
	for _, s := range missing {
		f.Lacking += uint64(len(h.in(s)))
	}
	f.Sentence = p.sentence(f, missing, h.last())
	return f
}

// sentence says what a finding means. Whether a node that lacks the newest segments is behind or was rolled back, it alone cannot tell.
func (p *place) sentence(f Finding, missing idSet, last segment.ID) string {
	var text string
	switch {
	case p.err != nil:
		return fmt.Sprintf("could not be asked (%v); what only it has is not in this clone", p.err)
	case len(missing) == 0:
		text = "has everything"
	case missing[len(missing)-1].last < last:
		text = fmt.Sprintf("lacks %s although it has newer ones: it lost them", plural(int(f.Lacking), "1 segment", "%d segments"))
	case len(missing) > 1:
		text = fmt.Sprintf("lacks %s, older and newest: it lost some", plural(int(f.Lacking), "1 segment", "%d segments"))
	default:
		text = fmt.Sprintf("lacks %s: it is behind, or was rolled back",
			plural(int(f.Lacking), "the newest segment", "the newest %d segments"))
	}
	if n := len(p.faults); n > 0 {
		text += fmt.Sprintf("; %s altered", plural(n, "1 object is", "%d objects are"))
	}
	return text
}
