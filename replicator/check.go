package replicator

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"dfsmount/node"
	"dfsmount/seal"
	"dfsmount/segment"
)

// NodeCheck is what Check found on one node.
type NodeCheck struct {
	Name   string   `json:"name"`
	URL    string   `json:"url"`             // without secrets
	Error  string   `json:"error,omitempty"` // the node could not be asked, or not to the end
	Listed uint64   `json:"listed"`          // objects of the accepted history it lists
	Behind uint64   `json:"behind"`          // segments it has not acknowledged yet: not a fault
	Read   uint64   `json:"read"`            // objects read and authenticated to the last byte
	Bytes  int64    `json:"bytes"`           // read
	Faults []string `json:"faults"`          // one sentence each, naming the object
}

// Sentence sums the finding up for people.
func (c NodeCheck) Sentence() string {
	text := plural(int(c.Listed), "1 segment listed", "%d segments listed")
	if c.Read > 0 {
		text += fmt.Sprintf(", %d read and authentic", c.Read)
	}
	if c.Behind > 0 {
		text += fmt.Sprintf(", %d not there yet", c.Behind)
	}
	switch n := len(c.Faults); {
	case c.Error != "":
		text = "could not be checked: " + c.Error
	case n > 0:
		text += plural(n, ", 1 fault", ", %d faults")
	default:
		text += ", no fault"
	}
	return text
}

// Check compares what every node lists with what it acknowledged and, with data, reads every object it lists and authenticates all of
// it with keys. It changes nothing: a running replicator's own audit takes false acknowledgements back and sends again. progress is told
// bytes read and bytes to read. The error is ctx's; a node that cannot be asked is a finding.
func (r *Replicator) Check(ctx context.Context, keys *seal.Keys, data bool, progress func(done, total int64)) ([]NodeCheck, error) {
	r.mu.Lock()
	workers := append([]*worker(nil), r.workers...)
	total := r.hist.total() * int64(len(workers))
	r.mu.Unlock()
	findings := []NodeCheck{}
	done := int64(0)
	for _, w := range workers {
		c := w.checkNode(ctx, keys, data, func(n int64) {
			done += n
			progress(done, max(done, total))
		})
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		findings = append(findings, c)
	}
	return findings, nil
}

func (w *worker) checkNode(ctx context.Context, keys *seal.Keys, data bool, read func(n int64)) NodeCheck {
	c := NodeCheck{Name: w.conf.Name, URL: RedactURL(w.conf.URL), Faults: []string{}}
	n, err := w.open()
	if err != nil {
		c.Error = err.Error()
		return c
	}
	sizes, err := listSizes(ctx, n)
	if err != nil {
		c.Error = err.Error()
		return c
	}
	w.r.mu.Lock()
	segs, acked := append([]sealedSegment(nil), w.r.hist.segs...), w.acked.clone()
	w.r.mu.Unlock()
	for _, s := range segs {
		if ctx.Err() != nil {
			return c
		}
		if fault := c.listed(s, sizes, acked); fault != "" {
			c.Faults = append(c.Faults, s.object()+" "+fault)
		} else if _, ok := sizes[s.object()]; ok && data {
			c.authenticate(ctx, n, keys, s, read)
		}
	}
	return c
}

// listed judges one segment by the listing alone.
func (c *NodeCheck) listed(s sealedSegment, sizes map[string]int64, acked idSet) (fault string) {
	size, ok := sizes[s.object()]
	switch {
	case !ok && acked.has(s.number):
		return "is missing, although the node acknowledged it"
	case !ok:
		c.Behind++
		return ""
	}
	c.Listed++
	if s.size != 0 && !s.guessed && size != s.size {
		return fmt.Sprintf("has %d bytes, want %d", size, s.size)
	}
	return ""
}

// authenticate reads a whole object and opens every frame of it.
func (c *NodeCheck) authenticate(ctx context.Context, n node.Node, keys *seal.Keys, s sealedSegment, read func(n int64)) {
	body, err := getWhole(ctx, n, s.object())
	read(int64(len(body)))
	c.Bytes += int64(len(body))
	if err == nil {
		_, err = segment.Authenticate(byteSource{bytes.NewReader(body)}, keys, s.number, s.epoch)
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		c.Faults = append(c.Faults, fmt.Sprintf("%s cannot be used: %v", s.object(), err))
		return
	}
	c.Read++
}

// maxSegment bounds what a node may make us hold in RAM for one object.
const maxSegment = 1 << 30

func getWhole(ctx context.Context, n node.Node, name string) ([]byte, error) {
	r, err := n.Get(ctx, name, 0, -1)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	body, err := io.ReadAll(io.LimitReader(r, maxSegment+1))
	if err == nil && len(body) > maxSegment {
		return nil, fmt.Errorf("the node sends more than %d bytes", maxSegment)
	}
	return body, err
}

func listSizes(ctx context.Context, n node.Node) (map[string]int64, error) {
	sizes := map[string]int64{}
	err := n.List(ctx, "segment/", "", func(i node.Info) error {
		sizes[i.Name] = i.Size
		return nil
	})
	return sizes, err
}
