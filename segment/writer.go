package segment

import (
	"fmt"
	"sync"

	"dfsmount/internal/disk"
	"dfsmount/seal"
)

// Writer appends frames to one open segment. Safe for concurrent use. It does not close its file.
type Writer struct {
	f    disk.File
	keys *seal.Keys
	read *Reader

	syncing sync.Mutex // one Sync at a time. NB: held during the disk's sync; readers do not take it

	committing sync.Mutex // one AppendCommit at a time. NB: held while the commit is written; readers do not take it
	merged     merger
	lastSeq    uint64

	mu       sync.Mutex
	drained  sync.Cond // some inflight became 0
	end      int64     // where the next frame goes
	durable  int64     // everything before is known to be synced
	inflight [2]int    // Appends on their way: those that began before the last Sync, and after it, in turns
	turn     int       // the inflight new Appends count in
	frames   []FrameInfo
	changes  int64 // the most bytes that the changes merged take in the footer
	size     int64 // of the allocated file
	zeroed   int64 // zeros were written up to here
	small    int   // small syncs in a row
	closed   bool  // takes no more frames
	sealing  bool  // Seal was called
	err      error // the first of a write or sync: kept for ever
}

// NewWriter writes the header of a new segment to f, which is empty or allocated, and syncs it: no frame is ever written behind a header
// that a crash could take away. h.Volume, h.Salt and h.Commitment are filled in.
func NewWriter(f disk.File, keys *seal.Keys, h Header) (*Writer, error) {
	if err := h.check(); err != nil {
		return nil, fmt.Errorf("start segment %d: %w", h.Number, err)
	}
	if !h.Suite.Valid() {
		return nil, fmt.Errorf("start segment %d: %s is %w", h.Number, h.Suite, ErrUnknown)
	}
	h.Volume, h.Salt = keys.Volume(), seal.NewSalt()
	key := h.key(keys)
	h.Commitment = key.Commitment()
	b, err := encodeHeader(h, key)
	if err == nil {
		_, err = f.WriteAt(b, 0)
	}
	if err == nil {
		err = f.Datasync()
	}
	if err != nil {
		return nil, fmt.Errorf("start segment %d: %w", h.Number, err)
	}
	w := newWriter(f, keys, h, key)
	if w.size, err = f.Size(); err != nil {
		return nil, fmt.Errorf("start segment %d: %w", h.Number, err)
	}
	return w, nil
}

func newWriter(f disk.File, keys *seal.Keys, h Header, key *seal.SegmentKey) *Writer {
	w := &Writer{f: f, keys: keys, read: &Reader{src: f, header: h, key: key}}
	w.drained.L = &w.mu
	w.end, w.durable, w.lastSeq = headerSize, headerSize, h.FirstSeq-1
	return w
}

// Append seals plain (1 … MaxPlain bytes) as one frame and writes it. Callers run in parallel: the place is taken under a lock, sealing and writing
// happen outside of it. Not durable before Sync. The first error of a write is kept and returned ever after;
// ErrTooLarge is none: nothing was written, and smaller frames may still fit.
func (w *Writer) Append(kind seal.Kind, plain []byte) (Location, error) {
	if !knownKind(kind) || kind == KindCommit || kind == KindFooter {
		return Location{}, w.wrap("append", fmt.Errorf("%s is not for Append", kindName(kind)))
	}
	return w.append(kind, plain, 0)
}

// AppendCommit encodes, seals and writes c (c.Durable is filled in) and remembers its changes for the footer: their slices belong to
// the writer until the segment is sealed and must not change. c.Seq must be the next of this segment.
func (w *Writer) AppendCommit(c *Commit) error {
	w.committing.Lock()
	defer w.committing.Unlock()
	if c.Seq != w.lastSeq+1 {
		return w.wrap("append commit", fmt.Errorf("its number is %d, want %d", c.Seq, w.lastSeq+1))
	}
	w.mu.Lock()
	c.Durable = uint32(w.durable)
	w.mu.Unlock()
	buf := frameBuffers.get(commitGuess(c))
	defer frameBuffers.put(buf)
	plain, err := appendCommit(*buf, c)
	if err != nil {
		return w.wrap("append commit", err)
	}
	*buf = plain
	if _, err = w.append(KindCommit, plain, changesBound(c.Changes)); err != nil {
		return err
	}
	w.lastSeq = c.Seq
	w.merged.add(c.Changes) // not under mu: a large commit takes milliseconds
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changes = w.merged.bound
	return nil
}

// commitGuess is about what a commit takes.
func commitGuess(c *Commit) int {
	n := 64
	for _, ch := range c.Changes {
		n += len(ch.Key) + len(ch.Value) + 8
	}
	return n
}

// append writes a frame that adds so many bytes of changes to the footer.
func (w *Writer) append(kind seal.Kind, plain []byte, changes int64) (Location, error) {
	f, turn, err := w.take(kind, len(plain), changes)
	if err != nil {
		return Location{}, err
	}
	err = w.write(f, plain)
	if err := w.done(turn, err); err != nil {
		return Location{}, err
	}
	return Location{Segment: w.read.header.Number, Offset: f.Offset, Length: f.Length}, nil
}

// take gives a frame its place, the next one, and counts it in.
func (w *Writer) take(kind seal.Kind, n int, changes int64) (f FrameInfo, turn int, err error) {
	if n == 0 || n > MaxPlain {
		return FrameInfo{}, 0, w.wrap("append", fmt.Errorf("a frame of %d bytes, want 1 to %d", n, MaxPlain))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.takesLocked(n, changes); err != nil {
		return FrameInfo{}, 0, err
	}
	f = FrameInfo{Kind: kind, Offset: uint32(w.end), Length: uint32(n)}
	w.end = f.End()
	w.frames = append(w.frames, f)
	w.changes += changes
	w.inflight[w.turn]++
	return f, w.turn, nil
}

// takesLocked refuses what the segment cannot take.
func (w *Writer) takesLocked(n int, changes int64) error {
	footer := footerBound(len(w.frames)+1, w.changes+changes)
	switch {
	case w.err != nil:
		return w.err
	case w.closed:
		return w.wrap("append", ErrSealed)
	case footer > maxBody || w.end+FrameSize(n)+tailBound(footer) > MaxSize: // it could not be sealed any more
		return w.wrap("append", ErrTooLarge)
	}
	return nil
}

func (w *Writer) write(f FrameInfo, plain []byte) error {
	buf := frameBuffers.get(int(FrameSize(len(plain))))
	defer frameBuffers.put(buf)
	frame, err := appendFrame(*buf, w.read.header.tag(), w.read.key, f, plain)
	if err == nil {
		_, err = w.f.WriteAt(frame, int64(f.Offset))
	}
	return err
}

// done counts an Append out and keeps its error.
func (w *Writer) done(turn int, err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.inflight[turn]--; w.inflight[turn] == 0 {
		w.drained.Broadcast()
	}
	if err != nil {
		w.poisonLocked("append", err)
	}
	return w.err
}

func (w *Writer) poisonLocked(verb string, err error) {
	if w.err == nil {
		w.err = w.wrap(verb, err)
	}
}

func (w *Writer) wrap(verb string, err error) error {
	return fmt.Errorf("%s to segment %d: %w", verb, w.read.header.Number, err)
}

// Sync waits for every Append that began before it, then makes all of them durable with one fdatasync. It does not wait for those
// that begin later. After an error nothing is known of what was not durable before: the writer fails ever after, and the
// segment must be recovered.
func (w *Writer) Sync() error {
	w.syncing.Lock()
	defer w.syncing.Unlock()
	return w.sync()
}

func (w *Writer) sync() error {
	end, err := w.drain()
	if err != nil {
		return err
	}
	err = w.f.Datasync()
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.poisonLocked("sync", err)
		return w.err
	}
	w.durable = max(w.durable, end)
	return nil
}

// drain waits for the Appends that began before it and returns where they end. Only the holder of syncing calls it, so
// the other inflight is 0: the Sync before waited for it.
func (w *Writer) drain() (end int64, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.zeroLocked(w.end - w.durable); err != nil {
		w.poisonLocked("write zeros", err)
		return 0, w.err
	}
	before := w.turn
	w.turn = 1 - w.turn
	end = w.end
	for w.inflight[before] > 0 {
		w.drained.Wait()
	}
	return end, w.err
}

// Size is the number of bytes taken so far; a footer needs FooterSize more.
func (w *Writer) Size() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.end
}

// FooterSize is the most bytes that Seal would add now.
func (w *Writer) FooterSize() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return tailBound(footerBound(len(w.frames), w.changes))
}

// Header returns the segment's header, complete.
func (w *Writer) Header() Header { return w.read.header }

// ReadFrame appends the plaintext of a frame to dst; it may have been appended just now.
func (w *Writer) ReadFrame(dst []byte, kind seal.Kind, l Location) ([]byte, error) {
	return w.read.ReadFrame(dst, kind, l)
}

// ReadRange is Reader.ReadRange on the open segment.
func (w *Writer) ReadRange(dst []byte, l Location, off int) error {
	return w.read.ReadRange(dst, l, off)
}

// Reader reads the segment's frames, also after it was sealed, as long as the file is open.
func (w *Writer) Reader() *Reader { return w.read }
