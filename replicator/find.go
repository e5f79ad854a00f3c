package replicator

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"dfsmount/node"
)

// HostFinding is what a host keeps.
type HostFinding struct {
	URL     string
	Host    node.Host // nil if it could not be opened; the caller closes it
	Volumes []string  // ids, 32 hex digits
	Err     error
}

// Find asks hosts which volumes they keep. It fails only if none of them answers.
func Find(ctx context.Context, urls []string, open func(url string) (node.Host, error)) ([]HostFinding, error) {
	found := make([]HostFinding, len(urls))
	var wg sync.WaitGroup
	for i, url := range urls {
		wg.Go(func() { found[i] = findOn(ctx, url, open) })
	}
	wg.Wait()
	var reasons []string
	for _, f := range found {
		if f.Err == nil {
			return found, nil
		}
		reasons = append(reasons, fmt.Sprintf("%s: %v", RedactURL(f.URL), f.Err))
	}
	for _, f := range found {
		if f.Host != nil {
			f.Host.Close()
		}
	}
	if len(urls) == 0 {
		return nil, errors.New("no node was named")
	}
	return nil, fmt.Errorf("no node answers: %s", strings.Join(reasons, "; "))
}

func findOn(ctx context.Context, url string, open func(url string) (node.Host, error)) HostFinding {
	f := HostFinding{URL: url}
	if f.Host, f.Err = open(url); f.Err != nil {
		f.Host = nil
		return f
	}
	f.Volumes, f.Err = f.Host.Volumes(ctx)
	return f
}

// ErrWhichVolume: the nodes keep none, several, or not the volume that was named.
var ErrWhichVolume = errors.New("cannot tell which volume is meant")

// pickVolume decides which volume is meant.
func pickVolume(found []HostFinding, want string) (string, error) {
	var all []string
	for _, f := range found {
		all = append(all, f.Volumes...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	switch {
	case want != "" && slices.Contains(all, want):
		return want, nil
	case want != "":
		return "", fmt.Errorf("%w: no node that answers keeps volume %s", ErrWhichVolume, want)
	case len(all) == 0:
		return "", fmt.Errorf("%w: no node that answers keeps any volume", ErrWhichVolume)
	case len(all) > 1:
		return "", fmt.Errorf("%w: the nodes keep %d volumes, name one of them: %s", ErrWhichVolume, len(all), strings.Join(all, ", "))
	}
	return all[0], nil
}

// foundHeader is one header that a node shows.
type foundHeader struct {
	headerObject
	place *place
}

// unlock finds the newest header that unlocks. One that is newer and does not is a fault of the node that shows it, or
// the wrong secret: the first failure is told only if no header unlocks.
func (c *cloner) unlock(ctx context.Context) error {
	var first error
	for _, h := range c.headers(ctx) {
		keys, err := c.Unlock(ctx, h.bytes)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			first = cmp.Or(first, fmt.Errorf("unlock header %d of node %s: %w", h.generation, RedactURL(h.place.url), err))
			continue
		}
		if id := keys.Volume(); hex.EncodeToString(id[:]) != c.Volume {
			return fmt.Errorf("the header of node %s is of another volume, %x", RedactURL(h.place.url), id)
		}
		c.header, c.keys = h.bytes, keys
		return nil
	}
	if first == nil {
		first = fmt.Errorf("clone: no node that answers has a header of volume %s", c.Volume)
	}
	return first
}

// headers reads every different header, newest generation first.
func (c *cloner) headers(ctx context.Context) []foundHeader {
	var all []foundHeader
	for _, p := range c.places {
		if !p.usable() {
			continue
		}
		for _, g := range p.headers {
			text, err := getSmall(ctx, p.node, headerName(g))
			if err != nil {
				c.Log.Warn("header of a node cannot be read", "node", RedactURL(p.url), "err", err)
				continue
			}
			all = append(all, foundHeader{headerObject{g, text}, p})
		}
	}
	slices.SortStableFunc(all, func(a, b foundHeader) int { return cmp.Compare(b.generation, a.generation) })
	var different []foundHeader
	for _, h := range all {
		if !slices.ContainsFunc(different, func(o foundHeader) bool { return bytes.Equal(o.bytes, h.bytes) }) {
			different = append(different, h)
		}
	}
	return different
}
