// Package node is the contract of a place that keeps sealed objects. It sees names and ciphertext, never a key, and
// imports nothing of dfsmount.
package node

import (
	"context"
	"errors"
	"io"
	"time"
)

// Sum is the SHA-256 of an object's bytes.
type Sum [32]byte

// Info describes one object.
type Info struct {
	Name string
	Size int64
	Sum  Sum // as computed by the node from what it stored; zero in List where the kind cannot tell it cheaply
}

// Errors of the contract, matched with errors.Is. An error that is none of these is transient: try again.
var (
	ErrNotExist  = errors.New("object does not exist")
	ErrExists    = errors.New("an object of that name with other bytes exists")
	ErrChecksum  = errors.New("bytes do not match their checksum")
	ErrPermanent = errors.New("refused for good until someone acts") // credentials, wrong certificate, not a node, a name that is none

	// ErrFull says that the node has no room: its disk or a quota. To be tried again as a transient error is, for room may be
	// made without anyone telling us; but it does not pass by itself, so it is a state to show.
	ErrFull = errors.New("the node has no room left")
)

// RetryAfter is implemented by errors of a node that asked for a pause; find it with errors.As.
type RetryAfter interface{ RetryAfter() time.Duration }

// ObjectSizer may be implemented by the reader that Get returns: the size of the whole object, whatever the range.
type ObjectSizer interface{ ObjectSize() int64 }

// Node keeps the objects of one volume. Names are lower-case letters, digits and '-', in at most four parts joined by '/'
// (ValidName), anything else is refused with ErrPermanent. No name is a '/'-prefix of another: callers see to that, a node may
// refuse it. Objects are immutable. All methods are safe for concurrent use; every one ends soon after its context does, with an
// error that matches the context's. A read of a Put's body that has begun is waited for.
type Node interface {
	// Put stores size bytes of body under name if the name is free. nil only once the object would survive the node
	// losing power. The same bytes again are no error (idempotent); other bytes: ErrExists, and the old ones stay.
	// The node verifies sum over what it stored, else ErrChecksum and nothing is stored. After any other error the object may or
	// may not be there, whole; never a part of it. body is read at most once per call, up to size bytes or not at all, and not
	// kept; if it ends early or fails, Put fails with io.ErrUnexpectedEOF or its error, and nothing is stored.
	Put(ctx context.Context, name string, body io.Reader, size int64, sum Sum) error

	// Get returns length bytes from offset on; length < 0: to the end. A range past the end is cut short. ErrNotExist.
	// The caller closes the reader, which fails once ctx ends. The bytes are not verified here: callers authenticate.
	Get(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error)

	// Stat tells size and checksum of what is stored now: the node reads the object to answer. ErrNotExist.
	Stat(ctx context.Context, name string) (Info, error)

	// List calls fn for every object whose name starts with prefix and is greater than after, in ascending byte order of names.
	// An object put before List began and not deleted is always told. An error of fn ends it and is returned (errors.Is). fn may call the node.
	List(ctx context.Context, prefix, after string, fn func(Info) error) error

	// Delete removes the object durably. Deleting what is not there is no error.
	Delete(ctx context.Context, name string) error
}

// Host is one place that can keep several volumes apart: a directory, a server, a bucket.
type Host interface {
	// Volumes lists the ids (32 hex digits) of the volumes that have objects here.
	Volumes(ctx context.Context) ([]string, error)
	// Volume is the node for one volume. It makes nothing until the first Put. If id is not ValidVolume, every method of the node
	// fails with ErrPermanent.
	Volume(id string) Node
	// String is the URL without its secret parts.
	String() string
	Close() error
}
