package replicator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"dfsmount/node"
	"dfsmount/segment"
)

// settle repeats choosing, making and claiming until nothing changes any more: every reachable node of the settings was
// looked at after it had our claim, and the store ends in the head that all of them together show.
func (c *cloner) settle(ctx context.Context) error {
	for {
		head, skipped, err := c.chains.choose(ctx, c.keys, c.places)
		if err != nil {
			return fmt.Errorf("clone: %w", err)
		}
		if head.Number == 0 {
			return c.noHead(skipped)
		}
		c.skipped = skipped
		if err := c.make(ctx, head); err != nil {
			return err
		}
		if c.learn(ctx) {
			continue
		}
		if err := c.refuseOlder(head); err != nil { // only now: a node just learned of might have had what is missing
			return err
		}
		again, err := c.claim(ctx)
		if err != nil {
			return err
		}
		if !again {
			return nil
		}
	}
}

// ErrNewerExists: see CloneOptions.AcceptOlder.
var ErrNewerExists = errors.New("newer data exists that cannot be reached")

func (c *cloner) refuseOlder(head Head) error {
	for _, s := range c.skipped {
		if s.Authentic && !c.AcceptOlder {
			return fmt.Errorf("clone: %w: %s is authentic, but %s; the newest complete history ends at segment %d",
				ErrNewerExists, s.Object, s.Why, uint64(head.Number))
		}
	}
	return nil
}

func (c *cloner) noHead(skipped []Skipped) error {
	if len(skipped) == 0 {
		return fmt.Errorf("clone: volume %s has no segment on any node that answers: there is nothing to recover", c.Volume)
	}
	s := skipped[0]
	return fmt.Errorf("clone: none of %s on the nodes can be used; the newest, %s: %s",
		plural(len(skipped), "1 segment", "%d segments"), s.Object, s.Why)
}

// make makes the store for head and the epoch we have or would claim, unless it is there already.
func (c *cloner) make(ctx context.Context, head Head) error {
	epoch, err := c.nextEpoch(head)
	if err != nil {
		return err
	}
	if c.store != nil && c.made == head && c.epoch == epoch {
		return nil
	}
	c.discard()
	c.say("recovering the state at segment %d of %s", uint64(head.Number), head.Sealed.Format(time.RFC3339))
	parent := filepath.Dir(c.Dir)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return fmt.Errorf("clone: %w", err)
	}
	if c.dir, err = os.MkdirTemp(parent, "."+filepath.Base(c.Dir)+".clone-"); err != nil {
		return fmt.Errorf("clone: %w", err)
	}
	store, err := c.create(ctx, c.dir, c.keys, head, epoch, &placesFetcher{places: c.places, chains: &c.chains})
	if err != nil {
		return fmt.Errorf("clone: recover the state at %s: %w", segment.ObjectName(head.Number, head.Epoch), err)
	}
	c.store, c.made, c.epoch = store, head, epoch
	c.settings, err = loadSettings(store)
	if err != nil {
		return fmt.Errorf("clone: %w", err)
	}
	return nil
}

// nextEpoch is what we claimed, or the first that nobody did.
func (c *cloner) nextEpoch(head Head) (uint64, error) {
	if c.claimed.Epoch > 0 {
		return c.claimed.Epoch, nil
	}
	highest := head.Epoch
	for _, p := range c.places {
		highest = max(highest, p.epoch)
	}
	if highest >= 1<<32-1 {
		return 0, fmt.Errorf("clone: a node shows epoch %d, after which there is none", highest)
	}
	return highest + 1, nil
}

// learn adds the nodes of the settings that were not looked at yet, and tells whether there were any.
func (c *cloner) learn(ctx context.Context) bool {
	var fresh []*place
	for _, n := range c.settings.Nodes {
		if c.placeAt(n.URL) != nil {
			continue
		}
		p := &place{url: n.URL}
		if h, err := c.OpenHost(n.URL); err != nil {
			p.err = fmt.Errorf("open node: %w", err)
		} else {
			c.hosts = append(c.hosts, h)
			p.node = h.Volume(c.Volume)
		}
		fresh = append(fresh, p)
	}
	if len(fresh) == 0 {
		return false
	}
	c.say("looking at %s more, named in the volume's settings", plural(len(fresh), "1 node", "%d nodes"))
	lookAll(ctx, fresh)
	c.places = append(c.places, fresh...)
	return true
}

func (c *cloner) placeAt(url string) *place {
	i := slices.IndexFunc(c.places, func(p *place) bool { return placeOf(p.url) == placeOf(url) })
	if i < 0 {
		return nil
	}
	return c.places[i]
}

// claim claims the epoch on every node that answers and has not got it, and looks at all of them again. again tells that
// what was decided before has to be decided anew.
func (c *cloner) claim(ctx context.Context) (again bool, err error) {
	if c.claimed.Epoch == 0 {
		if c.claimed, err = newClaim(c.epoch, c.Hostname); err != nil {
			return false, err
		}
	}
	for _, p := range c.places {
		if !p.usable() || p.claimed == c.claimed.Epoch {
			continue
		}
		again = true
		err := putSmall(ctx, p.node, epochObject(c.claimed.Epoch), c.claimed.text)
		switch {
		case err == nil:
			p.claimed = c.claimed.Epoch
		case errors.Is(err, node.ErrExists):
			c.say("another writer claimed epoch %d; claiming a later one", c.claimed.Epoch)
			c.claimed = claim{}
			lookAll(ctx, c.places)
			return true, ctx.Err()
		default:
			p.err = fmt.Errorf("claim epoch %d: %w", c.claimed.Epoch, err)
		}
	}
	if !again {
		return false, nil
	}
	c.lookClaimed(ctx)
	return true, c.anyone()
}

// lookClaimed lists the nodes that have our claim again. One that answered and does not any more is left out from here on.
func (c *cloner) lookClaimed(ctx context.Context) {
	var claimed []*place
	for _, p := range c.places {
		if p.usable() {
			claimed = append(claimed, p)
		}
	}
	lookAll(ctx, claimed)
}
