package replicator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"dfsmount/cache"
	"dfsmount/node"
	"dfsmount/segment"
)

// Options of a replicator. Open is required.
type Options struct {
	// Open makes the node of a URL; package cmd switches on the scheme. It is called again after an error.
	Open func(c NodeConfig) (node.Node, error)
	// Uploads is how many segments travel to one node at a time; default 4.
	Uploads int
	// Hostname is told to other writers by epoch objects, in the clear; default the machine's.
	Hostname string
	// OnFenced is called once, from a goroutine of its own, when another writer's higher epoch was seen.
	OnFenced func(Fence)
	// Log gets one line for each change of a node's state and each fault; default none.
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Uploads < 1 {
		o.Uploads = 4
	}
	if o.Hostname == "" {
		o.Hostname, _ = os.Hostname() // an empty name is shown as "unknown host"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Replicator runs one worker per node. All methods are safe for concurrent use.
type Replicator struct {
	local   local
	volume  string
	opts    Options
	digests digests
	seals   sealGroup
	applied chan struct{} // one value: settings have changed
	copies  chan struct{} // slots for whole segments held in RAM on their way from node to node

	mu      sync.Mutex // no I/O under it
	set     Settings
	workers []*worker // as in set.Nodes
	hist    history
	header  headerObject
	claim   claim
	fence   *Fence
	damaged map[segment.ID]Damage
	changed chan struct{} // closed and replaced when anything a waiter looks at has changed
	loadErr error         // acknowledgements that could not be read; Run returns it
}

// New makes a replicator for an open store. It reads the acknowledgements in the index and asks no node anything before Run or Fetch.
func New(store *cache.Store, volume string, set Settings, o Options) *Replicator {
	return newReplicator(cacheStore{store}, volume, set, o)
}

func newReplicator(l local, volume string, set Settings, o Options) *Replicator {
	r := &Replicator{
		local:   l,
		volume:  volume,
		opts:    o.withDefaults(),
		applied: make(chan struct{}, 1),
		copies:  make(chan struct{}, 2),
		damaged: map[segment.ID]Damage{},
		changed: make(chan struct{}),
	}
	r.seals.seal = l.sealNow
	r.hist.extend(l.segments(1))
	r.install(set)
	return r
}

// install makes the workers of set, keeping those whose node has not changed.
func (r *Replicator) install(set Settings) {
	r.mu.Lock()
	old := slices.Clone(r.workers)
	r.mu.Unlock()

	workers, loadErr := make([]*worker, 0, len(set.Nodes)), error(nil)
	for _, conf := range set.Nodes {
		if i := slices.IndexFunc(old, func(w *worker) bool { return w.serves(conf) }); i >= 0 {
			workers = append(workers, old[i])
			continue
		}
		w := newWorker(r, conf)
		acked, err := r.local.acks(conf.ID)
		if err != nil {
			loadErr = errors.Join(loadErr, fmt.Errorf("read acknowledgements of node %q: %w", conf.Name, err))
		}
		w.acked = acked
		workers = append(workers, w)
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	r.set, r.workers, r.loadErr = set, workers, loadErr
	r.changedLocked()
}

// Apply makes changed settings work at once (nodes added, removed, copies), and asks every node again without waiting for its next try.
func (r *Replicator) Apply(set Settings) {
	r.install(set)
	signal(r.applied)
	r.Kick()
}

// Kick asks every node again at once: after a network came back, or after someone mended what was refused.
func (r *Replicator) Kick() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.workers {
		for _, f := range w.faults {
			f.retry = time.Time{}
		}
		signal(w.kick)
		signal(w.wake)
	}
}

// SetHeader gives the bytes of the volume's header (volume.json). Every node gets them under a name made from generation
// before it gets any segment, so that a clone can start from any node. A generation's bytes never change; 0 is no
// generation.
func (r *Replicator) SetHeader(generation uint64, bytes []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.header = headerObject{generation, slices.Clone(bytes)}
	for _, w := range r.workers {
		signal(w.wake)
	}
}

// Run works until ctx ends, then returns nil; nothing is lost by ending it. Any other return is a failure of the local
// store. Call it once.
func (r *Replicator) Run(ctx context.Context) error {
	r.mu.Lock()
	err := r.loadErr
	r.mu.Unlock()
	if err != nil {
		return err
	}
	if err := r.loadClaim(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("claim epoch %d: %w", r.local.epoch(), err)
	}
	crew := crew{ctx: ctx}
	defer r.seals.wait() // of a Sync that was given up: the caller will close the store
	defer crew.dismiss(nil)
	for {
		if err := r.staff(&crew); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-crew.failed():
			return err
		case <-r.applied:
		case <-r.local.news():
			r.refresh()
		}
	}
}

// staff ends the workers that have no node any more and starts those that are new.
func (r *Replicator) staff(c *crew) error {
	r.mu.Lock()
	workers, set := slices.Clone(r.workers), r.set
	r.mu.Unlock()

	for _, w := range c.dismiss(workers) {
		if _, ok := set.node(w.conf.ID); ok {
			continue // same node, other URL: its acknowledgements stay
		}
		// Again, after Change did it: the worker may have recorded one more before it ended.
		if err := r.local.removeNode(w.conf.ID); err != nil {
			return fmt.Errorf("forget acknowledgements of node %q: %w", w.conf.Name, err)
		}
	}
	for _, w := range workers {
		c.hire(w)
	}
	return nil
}

// refresh looks for newly sealed segments and wakes everyone who waits for them.
func (r *Replicator) refresh() {
	r.mu.Lock()
	last := r.hist.last()
	r.mu.Unlock()
	more := r.local.segments(last + 1)
	if len(more) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hist.extend(more) // takes nothing twice: another refresh may have been faster
	for _, w := range r.workers {
		signal(w.wake)
	}
	r.changedLocked()
}

func (r *Replicator) changedLocked() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// signal leaves one value in a channel that holds one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
