package replicator

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"dfsmount/node"
)

// claimKey is where this writer keeps its claim in the state.
const claimKey = "Vwriter"

// maxSmall bounds what is read of an object that is small unless a node lies.
const maxSmall = 1 << 20

// claim is who writes an epoch. Its JSON is the epoch's object on every node, in the clear, and is kept byte for byte in
// the state: a worker puts the same bytes again without harm, and knows another's claim to the same epoch by its bytes.
type claim struct {
	Version int       `json:"version"`
	Epoch   uint64    `json:"epoch"`
	Claim   string    `json:"claim"` // random
	Host    string    `json:"host"`
	Time    time.Time `json:"time"`

	text []byte // as stored
}

func newClaim(epoch uint64, host string) (claim, error) {
	c := claim{Version: 1, Epoch: epoch, Claim: rand.Text(), Host: host, Time: time.Now().UTC().Truncate(time.Second)}
	var err error
	c.text, err = json.Marshal(c)
	return c, err
}

func parseClaim(text []byte) (claim, error) {
	var c claim
	if err := decodeStrict(text, &c); err != nil {
		return claim{}, fmt.Errorf("decode epoch claim: %w", err)
	}
	if c.Version != 1 {
		return claim{}, fmt.Errorf("epoch claim has version %d; this dfsmount knows version 1 only", c.Version)
	}
	c.text = text
	return c, nil
}

// epochObject is the name of an epoch's object on nodes.
func epochObject(epoch uint64) string { return fmt.Sprintf("epoch/%08x", epoch) }

func parseEpochObject(name string) (uint64, bool) {
	hex, ok := strings.CutPrefix(name, "epoch/")
	if !ok {
		return 0, false
	}
	epoch, err := strconv.ParseUint(hex, 16, 64)
	return epoch, err == nil && epochObject(epoch) == name
}

// loadClaim finds this writer's claim in the state, or makes it there, durably, before any node hears of it.
func (r *Replicator) loadClaim(ctx context.Context) error {
	c, err := ensureClaim(ctx, r.local, r.local.epoch(), r.opts.Hostname)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.claim = c
	return nil
}

func ensureClaim(ctx context.Context, s state, epoch uint64, host string) (claim, error) {
	var c claim
	err := s.change(claimKey, func(old []byte) ([]byte, error) {
		var err error
		if old != nil {
			if c, err = parseClaim(bytes.Clone(old)); err != nil {
				return nil, err
			}
		}
		if c.Epoch != epoch { // none, or of the writer before this one
			c, err = newClaim(epoch, host)
		}
		return c.text, err
	})
	if err != nil {
		return claim{}, err
	}
	return c, s.sync(ctx)
}

// Fence tells who took the volume over.
type Fence struct {
	Epoch uint64    `json:"epoch"`
	Host  string    `json:"host"` // as the other writer named itself; may be empty
	Time  time.Time `json:"time"` // when it claimed the epoch, by its clock
	Node  string    `json:"node"` // where it was seen
	Seen  time.Time `json:"seen"`
}

func (f Fence) Error() string {
	host := f.Host
	if host == "" {
		host = "unknown host"
	}
	return fmt.Sprintf("%v: %s, epoch %d, since %s (seen on node %q)", ErrFenced, host, f.Epoch, f.Time.Format(time.RFC3339), f.Node)
}

func (f Fence) Unwrap() error { return ErrFenced }

// greet looks on the node for other writers, and leaves this writer's claim there. ErrFenced if another has a higher epoch, or ours.
func (w *worker) greet(ctx context.Context, n node.Node) error {
	if err := w.r.fenced(); err != nil {
		return err
	}
	w.r.mu.Lock()
	own := w.r.claim
	w.r.mu.Unlock()
	began := time.Now()
	highest, claimed, err := epochsOn(ctx, n, own.Epoch)
	if err != nil {
		return err
	}
	w.measured(time.Since(began)) // so that reads know how near a node is that they do not ask
	if highest > own.Epoch {
		return w.fencedBy(ctx, n, highest)
	}
	if !claimed {
		err := putSmall(ctx, n, epochObject(own.Epoch), own.text)
		if !errors.Is(err, node.ErrExists) {
			return err
		}
	}
	text, err := getSmall(ctx, n, epochObject(own.Epoch))
	if err != nil {
		return err
	}
	if !bytes.Equal(text, own.text) {
		return w.fencedBy(ctx, n, own.Epoch)
	}
	return nil
}

// stillOurs looks for a higher epoch only. A segment counts as acknowledged on a node that was asked this after its Put:
// whoever claims an epoch there later, and lists segments after claiming as Clone does, sees the segment (R4).
func (w *worker) stillOurs(ctx context.Context, n node.Node) error {
	if err := w.r.fenced(); err != nil {
		return err
	}
	own := w.r.local.epoch()
	highest, _, err := epochsOn(ctx, n, own)
	if err != nil {
		return err
	}
	if highest > own {
		return w.fencedBy(ctx, n, highest)
	}
	return nil
}

// epochsOn tells the highest epoch claimed on the node, and whether own is.
func epochsOn(ctx context.Context, n node.Node, own uint64) (highest uint64, claimed bool, err error) {
	err = n.List(ctx, "epoch/", "", func(i node.Info) error {
		if e, ok := parseEpochObject(i.Name); ok {
			highest = max(highest, e)
			claimed = claimed || e == own
		}
		return nil
	})
	if err != nil {
		return 0, false, fmt.Errorf("list epochs: %w", err)
	}
	return highest, claimed, nil
}

// fencedBy stops this writer: on every node, for good. Who the other is, is told as far as its object can be read.
func (w *worker) fencedBy(ctx context.Context, n node.Node, epoch uint64) error {
	f := Fence{Epoch: epoch, Node: w.conf.Name, Seen: time.Now()}
	if text, err := getSmall(ctx, n, epochObject(epoch)); err == nil {
		var other struct {
			Host string
			Time time.Time
		}
		if json.Unmarshal(text, &other) == nil { // a claim of a later version fences too
			f.Host, f.Time = other.Host, other.Time
		}
	}
	w.r.setFence(f)
	return f
}

func (r *Replicator) setFence(f Fence) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fence != nil {
		return
	}
	r.fence = &f
	r.opts.Log.Error("uploads stopped: another writer has taken this volume over", "host", f.Host, "epoch", f.Epoch, "node", f.Node)
	for _, w := range r.workers {
		signal(w.wake)
	}
	r.changedLocked()
	if r.opts.OnFenced != nil {
		go r.opts.OnFenced(f)
	}
}

// fenced is the fence as an error, nil if there is none.
func (r *Replicator) fenced() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fence == nil {
		return nil
	}
	return *r.fence
}

// getSmall reads a whole small object.
func getSmall(ctx context.Context, n node.Node, name string) ([]byte, error) {
	body, err := n.Get(ctx, name, 0, -1)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", name, err)
	}
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, maxSmall+1))
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", name, err)
	}
	if len(text) > maxSmall {
		return nil, fmt.Errorf("get %s: more than %d bytes", name, maxSmall)
	}
	return text, nil
}

func putSmall(ctx context.Context, n node.Node, name string, text []byte) error {
	sum, err := sumOf(byteSource{bytes.NewReader(text)})
	if err != nil {
		return err
	}
	if err := n.Put(ctx, name, bytes.NewReader(text), int64(len(text)), sum); err != nil {
		return fmt.Errorf("put %s: %w", name, err)
	}
	return nil
}
