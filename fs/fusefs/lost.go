package fusefs

import (
	"sync"
	"sync/atomic"
)

// lost knows the bytes that the kernel took from applications and could not hand over: with the writeback cache a write(2) succeeds before we
// hear of it, and on a full disk the WRITE that follows fails. The application learns of it from fsync or close. The kernel drops the
// pages then and keeps the file's size, so that a later read would find zeros where bytes had been: it gets EIO instead, until the bytes
// are written again, cut off, or the kernel forgets the inode.
type lost struct {
	any atomic.Bool // there are some: reads need not look otherwise

	mu    sync.Mutex
	spans map[uint64][]span // by inode; disjoint
}

// span is a range of a file.
type span struct{ off, end int64 }

// maxSpans bounds what is remembered of one file. Beyond it spans grow together: more than was lost cannot be read then, never less.
const maxSpans = 256

func (l *lost) add(ino uint64, s span) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.spans == nil {
		l.spans = map[uint64][]span{}
	}
	rest := without(l.spans[ino], s)
	if len(rest) >= maxSpans {
		for _, r := range rest {
			s = span{min(s.off, r.off), max(s.end, r.end)}
		}
		rest = nil
	}
	l.spans[ino] = append(rest, s)
	l.any.Store(true)
}

// regain forgets what was written again, or cut off.
func (l *lost) regain(ino uint64, s span) {
	if !l.any.Load() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keepLocked(ino, without(l.spans[ino], s))
}

func (l *lost) forget(ino uint64) {
	if !l.any.Load() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keepLocked(ino, nil)
}

func (l *lost) keepLocked(ino uint64, spans []span) {
	if len(spans) > 0 {
		l.spans[ino] = spans
		return
	}
	delete(l.spans, ino)
	l.any.Store(len(l.spans) > 0)
}

// in tells whether any byte of s is lost.
func (l *lost) in(ino uint64, s span) bool {
	if !l.any.Load() {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.spans[ino] {
		if r.off < s.end && s.off < r.end {
			return true
		}
	}
	return false
}

// without is spans less s.
func without(spans []span, s span) []span {
	var out []span
	for _, r := range spans {
		if before := (span{r.off, min(r.end, s.off)}); before.off < before.end {
			out = append(out, before)
		}
		if behind := (span{max(r.off, s.end), r.end}); behind.off < behind.end {
			out = append(out, behind)
		}
	}
	return out
}
