package replicator

import (
	"context"
	"errors"
	"io"
	"time"

	"dfsmount/segment"
)

// errNotHere: a segment of the accepted history is not on the local disk (evicted, or never here: cloned).
var errNotHere = errors.New("not on the local disk")

// state is the part of the store that settings and claims are kept in.
type state interface {
	get(key string) ([]byte, error)
	// change replaces the value of key by what fn makes of it (nil: there was none), in one transaction.
	change(key string, fn func(old []byte) ([]byte, error)) error
	// sync makes every change so far durable.
	sync(ctx context.Context) error
}

// local is what a replicator needs of the store on this machine. The real one is cacheStore; the fake in the tests keeps the same
// promises in RAM.
type local interface {
	state

	// segments lists the sealed segments numbered from or higher, ascending.
	segments(from segment.ID) []sealedSegment
	// news gets a value after a segment was sealed. It holds one: a reader looks at segments again, not at the value.
	news() <-chan struct{}
	// open opens a sealed segment for reading. errNotHere.
	open(id segment.ID) (localFile, error)
	// verify checks the bytes of a whole sealed segment, wherever they are from.
	verify(s sealedSegment, src segment.Source) error

	// Acknowledgements are durable when these return.
	acks(node NodeID) (idSet, error)
	recordAcks(node NodeID, ids []segment.ID) error
	dropAcks(node NodeID, ids []segment.ID) error
	removeNode(node NodeID) error

	// sealNow seals the open segment, if there is anything in it, and returns the newest sealed segment: every transaction completed
	// before the call is in it or before it.
	sealNow(ctx context.Context) (segment.ID, error)
	// unsealed is what is committed or waiting but in no sealed segment yet, and since when.
	unsealed() (bytes int64, since time.Time)
	// epoch is the epoch this store writes.
	epoch() uint64
}

// localFile is a sealed segment on the local disk.
type localFile interface {
	segment.Source
	io.Closer
}
