// Package replicator puts sealed segments on nodes, records what they acknowledged, fetches what is not here, and
// recovers a volume from nodes alone.
//
// PLACEHOLDER: this file is the agreed interface.
package replicator

import (
	"context"
	"dfsmount/cache"
	"dfsmount/node"
	"dfsmount/segment"
	"time"
)

// NodeID names a node of a volume, whatever its URL becomes. Random.
type NodeID [8]byte

// NodeConfig is one node in the volume's settings (sealed in the state, so that a clone knows it).
type NodeConfig struct {
	ID    NodeID    `json:"id"`
	Name  string    `json:"name"` // unique; made from the URL unless given
	URL   string    `json:"url"`  // with its token
	Added time.Time `json:"added"`
}

// Settings of a volume, kept in the state under the key "V" + "settings" as JSON; unknown fields are refused.
type Settings struct {
	Version int          `json:"version"`
	Copies  int          `json:"copies"` // acknowledgements that make a segment safe
	Nodes   []NodeConfig `json:"nodes"`
}

func Load(s *cache.Store) (Settings, error)                             { panic("stub") }
func Change(s *cache.Store, fn func(*Settings) error) (Settings, error) { panic("stub") }

// Options of a replicator.
type Options struct {
	Open func(c NodeConfig) (node.Node, error) // URL → node; package cmd switches on the scheme
}

// Replicator runs one worker per node.
type Replicator struct{ stub }
type stub struct{}

func New(store *cache.Store, volume string, set Settings, o Options) *Replicator { panic("stub") }

// Run works until ctx ends; nothing is lost by ending it.
func (r *Replicator) Run(ctx context.Context) error { panic("stub") }

// Apply makes changed settings work at once (nodes added, removed, copies).
func (r *Replicator) Apply(set Settings) { panic("stub") }

// Sync seals the open segment and waits until everything completed before the call is on copies nodes (0: the policy's number).
func (r *Replicator) Sync(ctx context.Context, copies int) error { panic("stub") }

// Status is a snapshot: what `dfsmount status` shows. The JSON is a documented interface.
type Status struct {
	Copies    int           `json:"copies"`        // policy
	Segments  uint64        `json:"segments"`      // sealed, in the accepted history
	Unsafe    int64         `json:"unsafe_bytes"`  // on fewer nodes than the policy asks for, open segment included
	UnsafeAge time.Duration `json:"unsafe_age_ns"` // of the oldest such byte
	Safe      bool          `json:"safe"`
	Nodes     []NodeStatus  `json:"nodes"`
}

// NodeStatus tells of one node.
type NodeStatus struct {
	Name           string        `json:"name"`
	URL            string        `json:"url"`   // without secrets
	State          string        `json:"state"` // "current", "behind", "unreachable", "refused"
	Behind         int64         `json:"behind_bytes"`
	BehindSegments uint64        `json:"behind_segments"`
	BehindFor      time.Duration `json:"behind_for_ns"`
	Position       segment.ID    `json:"position"`
	LastError      string        `json:"last_error,omitempty"`
	LastErrorAt    time.Time     `json:"last_error_at,omitzero"`
	LastAck        time.Time     `json:"last_ack,omitzero"`
	NextTry        time.Time     `json:"next_try,omitzero"`
}

func (r *Replicator) Status() Status { panic("stub") }

// Fetch reads a range of a segment that is not here from a node that has it, nearest first, the next on error; bad(err) of a
// caller that could not authenticate the bytes marks that node and asks the next. Implements cache.Fetcher.
func (r *Replicator) Fetch(ctx context.Context, id segment.ID, epoch uint64, off, length int64, accept func([]byte) error) error {
	panic("stub")
}
