// Package segment reads and writes segments: the encrypted files that hold extents and the state changes that refer
// to them, on the local disk and, byte for byte the same, on every node.
package segment

import (
	"dfsmount/internal/disk"
	"dfsmount/seal"
	"fmt"
	"io"
	"time"
)

// ID is a segment's number: 1, 2, 3 … without gaps in the accepted history of a volume.
type ID uint64

// Kinds of frames.
const (
	KindExtent   seal.Kind = 1
	KindCommit   seal.Kind = 2
	KindPage     seal.Kind = 3
	KindManifest seal.Kind = 4
	KindFooter   seal.Kind = 5
)

// Location says where a frame is. The zero Location is no place.
type Location struct {
	Segment ID
	Offset  uint32
	Length  uint32 // of the plaintext
}

// Change is one change of the state: Value replaces what Key had; Delete removes it.
type Change struct {
	Key    []byte
	Value  []byte
	Delete bool
}

// Commit is a group of whole transactions.
type Commit struct {
	Seq     uint64 // number of this commit in the history: 1, 2, 3 … without gaps
	Time    time.Time
	Durable uint32 // everything of this segment before this offset was known to be synced when the commit was written
	Changes []Change
}

// Header is the start of a segment, readable without a key.
type Header struct {
	Volume     seal.VolumeID
	Number     ID
	Epoch      uint64
	Salt       seal.Salt
	Suite      seal.Suite
	FirstSeq   uint64 // of the first commit this segment may hold
	PrevLength uint32 // end of the frames of segment Number-1 when this one was started; 0 for the first of an epoch
	Commitment [16]byte
}

// Footer ends a sealed segment; it is a frame itself (sealed), found through the trailer in one ranged read of the tail.
type Footer struct {
	Frames     []FrameInfo
	FirstSeq   uint64   // of the first commit in this segment; 0 if it holds none
	LastSeq    uint64   // of the last commit up to the end of this segment, in it or before it
	Changes    []Change // of all commits in this segment merged: the last change of each key, sorted
	Prev       [32]byte // SHA-256 over footer and trailer bytes of the segment before; zero for segment 1
	PrevEpoch  uint64   // epoch of the segment before
	Checkpoint Location // newest manifest in the log up to here; zero if none
	Sealed     time.Time
}

// FrameInfo describes one frame of a segment.
type FrameInfo struct {
	Kind   seal.Kind
	Offset uint32
	Length uint32 // of the plaintext
}

// ObjectName is the name of a sealed segment on nodes; names sort by number, then epoch.
func ObjectName(number ID, epoch uint64) string {
	return fmt.Sprintf("segment/%016x-%08x", uint64(number), epoch)
}

// ParseObjectName is the inverse; ok is false for anything else.
func ParseObjectName(name string) (number ID, epoch uint64, ok bool) { panic("stub") }

// Writer appends frames to one open segment. Safe for concurrent use.
type Writer struct{ stub }
type stub struct{}

// NewWriter writes the header of a new segment to f, which is empty or allocated. h.Salt and h.Commitment are filled in.
func NewWriter(f disk.File, keys *seal.Keys, h Header) (*Writer, error) { panic("stub") }

// Append seals plain as one frame and writes it. Callers run in parallel: the place is taken under a lock, sealing and writing
// happen outside of it. Not durable before Sync. The first error of a write is kept and returned ever after.
func (w *Writer) Append(kind seal.Kind, plain []byte) (Location, error) { panic("stub") }

// AppendCommit encodes, seals and writes c (c.Durable is filled in) and remembers its changes for the footer.
func (w *Writer) AppendCommit(c *Commit) error { panic("stub") }

// Sync waits for every Append that began before it, then makes all of them durable with one fdatasync.
func (w *Writer) Sync() error { panic("stub") }

// Size is the number of bytes taken so far; a footer needs FooterSize more.
func (w *Writer) Size() int64       { panic("stub") }
func (w *Writer) FooterSize() int64 { panic("stub") } // upper bound
func (w *Writer) Header() Header    { panic("stub") }

// ReadFrame appends the plaintext of a frame to dst; it may have been appended just now.
func (w *Writer) ReadFrame(dst []byte, kind seal.Kind, l Location) ([]byte, error) { panic("stub") }

// Seal writes the footer and trailer, truncates to the end, syncs, and reads the footer back before it returns. The caller fills Prev,
// PrevEpoch, Checkpoint, Sealed; the writer fills the rest. No Append may run or follow.
func (w *Writer) Seal(f Footer) (Sealed, error) { panic("stub") }

// Sealed tells of a segment that is complete.
type Sealed struct {
	Header Header
	Footer Footer
	Size   int64
	Hash   [32]byte // over footer and trailer: the next segment's Prev
}

// Source is where a segment's bytes come from: a file, or ranges fetched from nodes.
type Source interface {
	io.ReaderAt
	Size() (int64, error)
}

// Reader opens frames of one segment. Safe for concurrent use.
type Reader struct{ stub }

// OpenSealed reads header, trailer and footer and authenticates them against keys, number and epoch.
func OpenSealed(src Source, keys *seal.Keys, number ID, epoch uint64) (*Reader, Sealed, error) {
	panic("stub")
}

// OpenHeader makes a reader from the header alone: enough to open frames whose location is known, sealed or not.
func OpenHeader(src Source, keys *seal.Keys, number ID, epoch uint64) (*Reader, error) { panic("stub") }

// ReadFrame appends the plaintext of the frame at l to dst.
func (r *Reader) ReadFrame(dst []byte, kind seal.Kind, l Location) ([]byte, error) { panic("stub") }

// ReadRange fills dst with plaintext from off on of the extent at l, reading only the DARE packages it needs.
func (r *Reader) ReadRange(dst []byte, l Location, off int) error { panic("stub") }

// Recovered is what Recover found in a segment that was open at a crash.
type Recovered struct {
	Header  Header
	End     int64 // end of the last authentic commit: everything behind it was never acknowledged
	Scanned int64 // end of the last frame whose checksum holds
	Commits []Commit
	Frames  []FrameInfo // up to End
	Sealed  *Sealed     // set if the segment turned out to be sealed already
}

// Recover scans an open segment from its start: checksums of every frame, then authentication of commits, and ends at the first
// frame that fails. ErrDamaged if an authentic later commit proves that the bad place had been durable.
func Recover(src Source, keys *seal.Keys, number ID) (Recovered, error) { panic("stub") }

// Resume makes a writer that can do nothing but Seal a recovered segment at rec.End.
func Resume(f disk.File, keys *seal.Keys, rec Recovered) (*Writer, error) { panic("stub") }

// Verify checks a sealed segment without any key: header, checksum of every frame, trailer. It returns the first thing wrong.
func Verify(src Source) (Header, error) { panic("stub") }
