package replicator

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
)

// NodeID names a node of a volume, whatever its URL becomes. Random. Its text is 16 hex digits.
type NodeID [8]byte

// NewNodeID makes a random id.
func NewNodeID() NodeID {
	var id NodeID
	rand.Read(id[:]) // never fails: crypto/rand ends the process instead
	return id
}

func (id NodeID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText makes ids readable in the settings.
func (id NodeID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText takes exactly what MarshalText makes.
func (id *NodeID) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(id)) {
		return fmt.Errorf("node id %q: want 16 hex digits", text)
	}
	if _, err := hex.Decode(id[:], text); err != nil {
		return fmt.Errorf("node id %q: want 16 hex digits", text)
	}
	return nil
}
