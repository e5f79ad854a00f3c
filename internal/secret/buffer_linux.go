package secret

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// Buffer is a fixed number of secret bytes. Safe for concurrent use.
type Buffer struct {
	mu     sync.Mutex
	b      []byte // nil once wiped
	mapped []byte // whole pages to unmap; nil if the bytes are on the Go heap
	err    error  // what protection could not be had
}

// New returns a Buffer of n zero bytes. It is never nil: where the kernel refuses pages, or to lock them, it holds
// ordinary memory, and Err says so.
func New(n int) *Buffer {
	pages, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return &Buffer{b: make([]byte, n), err: fmt.Errorf("map memory for a key: %w", err)}
	}
	s := &Buffer{b: pages[:n:n], mapped: pages}
	if err := unix.Mlock(pages); err != nil {
		s.err = errors.Join(s.err, fmt.Errorf("lock memory of a key against swapping: %w", err))
	}
	if err := unix.Madvise(pages, unix.MADV_DONTDUMP); err != nil {
		s.err = errors.Join(s.err, fmt.Errorf("keep memory of a key out of core dumps: %w", err))
	}
	return s
}

// Err is nil if the bytes are locked and kept out of core dumps, else what of it could not be done.
func (s *Buffer) Err() error { return s.err }

// Use calls f with the bytes, which f may read and write and must not keep. It panics after Wipe: going on with a
// key of zeros would be worse than not going on.
func (s *Buffer) Use(f func(b []byte)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.b == nil {
		panic("secret: use of a wiped buffer")
	}
	f(s.b)
}

// Wipe overwrites the bytes and gives the memory back. Wiping twice is fine.
func (s *Buffer) Wipe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.b)
	if s.mapped != nil {
		// An error is impossible for pages we mapped, and would leave zeros mapped: no harm either way.
		_ = unix.Munmap(s.mapped)
	}
	s.b, s.mapped = nil, nil
}
