package cache

import (
	"fmt"
	"io"
	"time"

	"dfsmount/internal/disk"
	"dfsmount/segment"
)

// ErrNotLocal reports a segment whose file is not on this machine.
var ErrNotLocal = errRemote

// LocalSegment is a sealed segment's file, for reading. Close it.
type LocalSegment interface {
	segment.Source
	io.Closer
}

// readOnly hides what a file can do besides.
type readOnly struct{ LocalSegment }

// OpenLocal opens a sealed segment that is here. ErrNotLocal if it is not. Nothing is verified: see VerifySegment.
func (s *Store) OpenLocal(id segment.ID) (LocalSegment, error) {
	if e, ok := s.segs.get(id); !ok || !e.local {
		return nil, fmt.Errorf("open segment %d: %w", id, ErrNotLocal)
	}
	f, err := s.disk.Open(sealedName(id), disk.Read)
	if err != nil {
		return nil, fmt.Errorf("open segment %d: %w", id, err)
	}
	return readOnly{f}, nil
}

// VerifySegment checks the bytes of a whole sealed segment, wherever they are from: header, footer, and every frame, all
// authenticated.
func (s *Store) VerifySegment(number segment.ID, epoch uint64, src segment.Source) error {
	if _, err := segment.Authenticate(src, s.keys, number, epoch); err != nil {
		return fmt.Errorf("verify segment %d: %w", number, err)
	}
	return nil
}

// Unsealed tells how many bytes of transactions and their extents are in no sealed segment yet, and since when (zero if there are
// none).
func (s *Store) Unsealed() (bytes int64, since time.Time) {
	s.mu.RLock()
	bytes, since = s.pendingBytes, s.pendingSince
	if s.pendingBytes == 0 {
		since = time.Time{}
	}
	s.mu.RUnlock()
	first := s.log.firstUnsealed()
	if first.IsZero() && since.IsZero() {
		return 0, since
	}
	if since.IsZero() || !first.IsZero() && first.Before(since) {
		since = first
	}
	return bytes + s.log.openBytes(), since
}

// firstUnsealed is the time of the oldest commit in a segment that is not sealed.
func (l *log) firstUnsealed() time.Time {
	l.mu.Lock() // not for reading: the committer changes firstCommit while it holds that
	defer l.mu.Unlock()
	for _, c := range l.closing {
		if c.commits {
			return c.firstCommit
		}
	}
	if l.cur != nil && l.cur.commits {
		return l.cur.firstCommit
	}
	return time.Time{}
}

// Epoch is the epoch this store writes.
func (s *Store) Epoch() uint64 { return s.log.epoch }

// HeadInfo names the newest sealed segment.
type HeadInfo struct {
	Number segment.ID
	Epoch  uint64
	Size   int64
}

// Head is the newest sealed segment; zero if there is none.
func (s *Store) Head() HeadInfo {
	n := s.Newest()
	e, _ := s.segs.get(n)
	return HeadInfo{n, e.epoch, e.size}
}
