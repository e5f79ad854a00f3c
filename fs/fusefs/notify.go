package fusefs

import (
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// notifier tells the kernel to drop what it keeps of an inode.
type notifier struct {
	invalidate func(ino uint64, off int64) error // off < 0: attributes only
	log        *slog.Logger
}

// writeBack makes the kernel write its dirty pages of a file from off on, and forget them. It returns when the WRITEs have been answered, so
// the caller must hold nothing that they need, and another reader must have the turn.
func (n notifier) writeBack(ino uint64, off int64) { n.tell(ino, off) }

// dropAttr makes the kernel ask for an inode's attributes again. It waits for nothing.
func (n notifier) dropAttr(ino uint64) { n.tell(ino, -1) }

func (n notifier) tell(ino uint64, off int64) {
	err := n.invalidate(ino, off)
	if err == nil || err == unix.ENOENT || err == unix.ENODEV || err == unix.EBADF {
		return // ENOENT: the kernel does not know the inode any more; the others: the mount is gone
	}
	n.log.Error("notify the kernel", "inode", ino, "offset", off, "err", err)
}

// staleAge is how long the kernel may show an old number of blocks for a file that it is writing.
const staleAge = time.Second

// stale holds the inodes whose number of blocks the kernel has wrong: it keeps attributes without a time limit, and while a file is open does
// not ask for them again when it has written dirty pages, so that du(1) would show nothing of a file that a program writes for days.
type stale struct {
	tell func(ino uint64)

	mu     sync.Mutex
	inodes map[uint64]struct{} // nil: no timer runs
}

func newStale(drop func(ino uint64)) *stale { return &stale{tell: drop} }

// add notes that the kernel wrote pages of ino. Within staleAge it is told to ask again.
func (s *stale) add(ino uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inodes == nil {
		s.inodes = map[uint64]struct{}{}
		time.AfterFunc(staleAge, s.dropAll)
	}
	s.inodes[ino] = struct{}{}
}

// drop tells it now, if ino is noted.
func (s *stale) drop(ino uint64) {
	s.mu.Lock()
	_, noted := s.inodes[ino]
	delete(s.inodes, ino)
	s.mu.Unlock()
	if noted {
		s.tell(ino)
	}
}

func (s *stale) dropAll() {
	s.mu.Lock()
	inodes := s.inodes
	s.inodes = nil
	s.mu.Unlock()
	for ino := range inodes {
		s.tell(ino)
	}
}
