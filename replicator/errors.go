package replicator

import (
	"errors"
	"fmt"

	"dfsmount/node"
)

// ErrFenced: another writer took the volume over; nothing of this one is uploaded any more. Its tail is kept here.
var ErrFenced = errors.New("another writer has taken this volume over")

// objectError is a failure that concerns one object of one node and says nothing about the node: the object is put aside, visibly, and
// the others go on.
type objectError struct {
	object string
	err    error
	reread bool // what the node holds under the name must be read back and compared before it may count
}

func (e *objectError) Error() string { return e.object + ": " + e.err.Error() }
func (e *objectError) Unwrap() error { return e.err }

// damageError: the local copy of a segment is missing or damaged. It is never a finished item: the segment stays in every queue.
type damageError struct{ err error }

func (e *damageError) Error() string { return "local copy: " + e.err.Error() }
func (e *damageError) Unwrap() error { return e.err }

// reach is how a node answers.
type reach int

const (
	reachUnknown     reach = iota // not asked yet
	reachOK                       // answered last time
	reachUnreachable              // no answer, or one that is worth asking again soon
	reachRefused                  // refuses until someone acts
	reachFull                     // has no room
)

// classify tells what an error of a node says about the node.
func classify(err error) reach {
	switch {
	case errors.Is(err, node.ErrPermanent):
		return reachRefused
	case errors.Is(err, node.ErrFull):
		return reachFull
	}
	return reachUnreachable
}

// otherBytes: the node holds something else under a name of ours.
func otherBytes(object, nodeName string) *objectError {
	return &objectError{object: object, reread: true,
		err: fmt.Errorf("node %q holds other bytes under this name: %w", nodeName, node.ErrExists)}
}
