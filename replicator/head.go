package replicator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"dfsmount/seal"
	"dfsmount/segment"
)

// Head is the newest segment of a history.
type Head struct {
	Number segment.ID `json:"number"` // 0: nothing was ever sealed
	Epoch  uint64     `json:"epoch"`
	Size   int64      `json:"size"`
	Sealed time.Time  `json:"sealed"` // by the writer's clock
}

// Skipped is a segment that is newer than the head and could not be used.
type Skipped struct {
	Object string `json:"object"`
	Why    string `json:"why"`
	// Authentic: it is what the writer sealed, but the history between it and the checkpoint before is not complete on
	// the nodes that answer.
	Authentic bool `json:"authentic"`
}

// link is what is kept of an authentic segment: enough to walk the chain.
type link struct {
	size       int64
	hash       [32]byte
	prev       [32]byte
	prevEpoch  uint64
	checkpoint segment.ID
	sealed     time.Time
}

// errNoCopy: no node has an authentic copy of the segment.
var errNoCopy = errors.New("no node has an authentic copy")

// errBroken: an authentic segment follows one that no node has.
var errBroken = errors.New("the chain is broken")

// chains finds the newest consistent head among what places list. It remembers every segment it has read, so the cost is
// one reading of each tail, however many heads are tried.
type chains struct {
	keys   *seal.Keys
	places []*place
	links  map[objectKey]link  // authentic ones; they stay so
	broken map[objectKey]error // of this search
}

// choose returns the head with the highest epoch, then the highest number, whose chain of footers verifies back to the
// checkpoint it names (or to segment 1), and what it passed over on the way. A node that did not answer in the middle
// ends the search with an error: taking an older head because of a cable would throw away what a second try finds.
func (c *chains) choose(ctx context.Context, keys *seal.Keys, places []*place) (Head, []Skipped, error) {
	c.keys, c.places, c.broken = keys, places, map[objectKey]error{}
	if c.links == nil {
		c.links = map[objectKey]link{}
	}
	var skipped []Skipped
	for _, k := range c.candidates() {
		l, err := c.verify(ctx, k)
		switch {
		case err == nil:
			return Head{k.number, k.epoch, l.size, l.sealed}, skipped, nil
		case ctx.Err() != nil:
			return Head{}, nil, context.Cause(ctx)
		case unavailable(err):
			return Head{}, nil, fmt.Errorf("choose the newest head: %w", err)
		}
		skipped = append(skipped, Skipped{k.object(), err.Error(), errors.Is(err, errBroken)})
	}
	return Head{}, skipped, nil
}

// candidates are all segments anyone lists, best first.
func (c *chains) candidates() []objectKey {
	seen := map[objectKey]bool{}
	for _, p := range c.places {
		p.mu.Lock()
		for k := range p.objects {
			seen[k] = true
		}
		p.mu.Unlock()
	}
	keys := make([]objectKey, 0, len(seen))
	for k := range seen {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b objectKey) int {
		return cmp.Or(cmp.Compare(b.epoch, a.epoch), cmp.Compare(b.number, a.number))
	})
	return keys
}

// verify walks back from k to its checkpoint.
func (c *chains) verify(ctx context.Context, k objectKey) (link, error) {
	head, err := c.open(ctx, k, nil)
	if err != nil {
		return link{}, err
	}
	for at, l := k, head; at.number > max(head.checkpoint, 1); {
		before := objectKey{at.number - 1, l.prevEpoch}
		next, err := c.open(ctx, before, &l.prev)
		if err != nil {
			return link{}, fmt.Errorf("%w at %s: %w", errBroken, before.object(), err)
		}
		at, l = before, next
	}
	return head, nil
}

// open authenticates the footer of k on the first node that has it as it should be. want, if given, is the hash its successor names.
func (c *chains) open(ctx context.Context, k objectKey, want *[32]byte) (link, error) {
	if l, ok := c.links[k]; ok {
		if want != nil && l.hash != *want {
			return link{}, fmt.Errorf("%s is not the one its successor was sealed after", k.object())
		}
		return l, nil
	}
	if err := c.broken[k]; err != nil {
		return link{}, err
	}
	l, err := c.read(ctx, k, want)
	switch {
	case err == nil:
		c.links[k] = l
	case !unavailable(err) && ctx.Err() == nil:
		c.broken[k] = err
	}
	return l, err
}

func (c *chains) read(ctx context.Context, k objectKey, want *[32]byte) (link, error) {
	var away error
	for _, p := range c.places {
		if err := p.gone(k); err != nil {
			away = err
		}
		size, ok := p.size(k)
		if !ok {
			continue
		}
		src := &placeSource{ctx, p.node, k.object(), size}
		_, s, err := segment.OpenSealed(src, c.keys, k.number, k.epoch)
		if err == nil && want != nil && s.Hash != *want {
			err = errors.New("authentic, but not the one its successor was sealed after")
		}
		switch {
		case err == nil:
			f := s.Footer
			return link{s.Size, s.Hash, f.Prev, f.PrevEpoch, f.Checkpoint.Segment, f.Sealed}, nil
		case ctx.Err() != nil:
			return link{}, ctx.Err()
		case unavailable(err):
			away = fmt.Errorf("node %s: %w", RedactURL(p.url), err)
		default:
			p.fault(k, err)
		}
	}
	if away != nil {
		return link{}, away
	}
	return link{}, fmt.Errorf("%s: %w", k.object(), errNoCopy)
}
