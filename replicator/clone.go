package replicator

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"dfsmount/cache"
	"dfsmount/node"
	"dfsmount/seal"
)

// CloneOptions say what to clone, and where to.
type CloneOptions struct {
	URLs     []string // of one or more hosts; the volume's other nodes are learned from its settings
	Volume   string   // 32 hex digits; "" if the hosts keep one volume between them
	Dir      string   // the state directory to make; missing or empty
	OpenHost func(url string) (node.Host, error)
	// Unlock turns a header (volume.json as a node holds it) into keys, or an error. It verifies the header's MAC. It is
	// called with the newest header first, then, as long as it fails, with each older or different one.
	Unlock func(ctx context.Context, header []byte) (*seal.Keys, error)
	// Finish, if set, adds to the finished directory what is not the store's (volume.json) before it gets its name. dir is not Dir yet.
	Finish func(dir string, header []byte) error
	// AcceptOlder takes an older head although newer segments are authentic, when the history in between is on no node
	// that answers. Without it Clone refuses: a node that is away may have what is missing, and a clone would leave the
	// newer data behind for good.
	AcceptOlder bool
	Hostname    string        // told to other writers, in the clear; default the machine's
	Cache       cache.Options // of the store while it is made
	Log         *slog.Logger
	Stage       func(sentence string) // told what is being done, for people; may be nil
}

// Clone makes a state directory from nodes alone. It takes the newest consistent head across all nodes it can reach,
// those in the volume's settings included, and makes this machine the volume's writer by claiming a new epoch on each of
// them; another writer stops at its next contact. Dir appears complete or not at all. A node that is away, behind or at
// fault is named in the result.
//
// The order, and what a crash leaves: (1) survey, head, a store beside Dir in a temporary directory: nothing. (2) Claims
// on nodes: the old writer is fenced, and a second Clone claims the next epoch. (3) Survey again: whatever the old
// writer had acknowledged before our claim is listed now. (4) Acknowledgements and our claim into the store, closed. (5)
// Renamed to Dir: done.
func Clone(ctx context.Context, o CloneOptions) (*CloneResult, error) {
	return clone(ctx, o, createFromNodes(o.Cache))
}

// creator makes a store in dir whose history ends in head and goes on with epoch.
type creator func(ctx context.Context, dir string, k *seal.Keys, h Head, epoch uint64, f *placesFetcher) (clonedStore, error)

// clonedStore is a local store that can be closed.
type clonedStore interface {
	local
	Close() error
}

// cloner is one Clone under way.
type cloner struct {
	CloneOptions
	create  creator
	hosts   []node.Host
	places  []*place
	header  []byte
	keys    *seal.Keys
	claimed claim // Epoch is 0 before any node has it
	chains  chains
	skipped []Skipped

	dir      string // of store
	store    clonedStore
	made     Head   // store's
	epoch    uint64 // store's
	settings Settings
}

func clone(ctx context.Context, o CloneOptions, create creator) (*CloneResult, error) {
	c := &cloner{CloneOptions: o, create: create}
	defer c.discard()
	defer c.closeHosts()
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Hostname == "" {
		c.Hostname, _ = os.Hostname() // an empty name is shown as "unknown host"
	}
	c.Dir = filepath.Clean(c.Dir)
	if err := mustBeFree(c.Dir); err != nil {
		return nil, err
	}
	if err := c.find(ctx); err != nil {
		return nil, err
	}
	if err := c.unlock(ctx); err != nil {
		return nil, err
	}
	if err := c.settle(ctx); err != nil {
		return nil, err
	}
	return c.finish(ctx)
}

func mustBeFree(dir string) error {
	names, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("clone: %w", err)
	case len(names) > 0:
		return fmt.Errorf("clone: %s is not empty", dir)
	}
	return nil
}

func (c *cloner) say(format string, args ...any) {
	if c.Stage != nil {
		c.Stage(fmt.Sprintf(format, args...))
	}
}

// find opens the given hosts, decides on the volume, and lists what they hold of it.
func (c *cloner) find(ctx context.Context) error {
	c.say("looking at %s", plural(len(c.URLs), "1 node", "%d nodes"))
	found, err := Find(ctx, c.URLs, c.OpenHost)
	if err != nil {
		return err
	}
	if c.Volume, err = pickVolume(found, c.Volume); err != nil {
		return err
	}
	for _, h := range found {
		if c.placeAt(h.URL) != nil { // named twice
			c.hosts = append(c.hosts, h.Host)
			continue
		}
		p := &place{url: h.URL, err: h.Err}
		if h.Host != nil {
			c.hosts = append(c.hosts, h.Host)
			p.node = h.Host.Volume(c.Volume)
		}
		c.places = append(c.places, p)
	}
	lookAll(ctx, c.places)
	return c.anyone()
}

// anyone fails with everyone's reason if no node could be listed.
func (c *cloner) anyone() error {
	var reasons []string
	for _, p := range c.places {
		if p.usable() {
			return nil
		}
		reasons = append(reasons, fmt.Sprintf("%s: %v", RedactURL(p.url), p.err))
	}
	return fmt.Errorf("clone: no node answers: %s", strings.Join(reasons, "; "))
}

// finish records who has what, closes the store and gives the directory its name.
func (c *cloner) finish(ctx context.Context) (*CloneResult, error) {
	c.say("recording what each node has")
	if err := c.store.change(claimKey, func([]byte) ([]byte, error) { return c.claimed.text, nil }); err != nil {
		return nil, fmt.Errorf("clone: record the claim: %w", err)
	}
	res, err := c.record()
	if err != nil {
		return nil, err
	}
	if err := c.store.sync(ctx); err != nil {
		return nil, fmt.Errorf("clone: %w", err)
	}
	store := c.store
	c.store = nil
	if err := store.Close(); err != nil {
		return nil, fmt.Errorf("clone: close the new store: %w", err)
	}
	if c.Finish != nil {
		if err := c.Finish(c.dir, c.header); err != nil {
			return nil, fmt.Errorf("clone: %w", err)
		}
	}
	if err := publish(c.dir, c.Dir); err != nil {
		return nil, fmt.Errorf("clone: %w", err)
	}
	c.dir = ""
	return res, nil
}

// publish gives a finished directory its name, durably: what is in it first, then the name.
func publish(from, to string) error {
	if err := syncDir(from); err != nil {
		return err
	}
	// NB: os.Rename refuses a directory as target, also an empty one. Remove refuses one that is not empty.
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func (c *cloner) closeHosts() {
	for _, h := range c.hosts {
		if h != nil {
			h.Close()
		}
	}
}

// discard removes an unfinished store.
func (c *cloner) discard() {
	if c.store != nil {
		if err := c.store.Close(); err != nil {
			c.Log.Warn("close an unfinished clone", "err", err)
		}
		c.store = nil
	}
	if c.dir != "" {
		if err := os.RemoveAll(c.dir); err != nil {
			c.Log.Warn("remove an unfinished clone", "dir", c.dir, "err", err)
		}
		c.dir = ""
	}
}
