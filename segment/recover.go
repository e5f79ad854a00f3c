package segment

import (
	"bytes"
	"errors"
	"fmt"

	"dfsmount/internal/disk"
	"dfsmount/seal"
)

// Recovered is what Recover found in a segment that was open at a crash.
type Recovered struct {
	Header  Header
	End     int64 // end of the last authentic commit: everything behind it was never acknowledged
	Scanned int64 // end of the last frame whose checksum holds
	Commits []Commit
	Frames  []FrameInfo // up to End
	Sealed  *Sealed     // set if the segment turned out to be sealed already; End is then where its footer is

	scanned []FrameInfo // up to Scanned
	durable int64       // everything before is known to have been synced
}

// Recover scans an open segment from its start: checksums of every frame, then authentication of commits, and ends at the first
// frame that fails. ErrDamaged if an authentic later commit, or a footer, proves that the bad place had been durable; what precedes
// that place is returned with the error. ErrEmpty if the segment was never begun.
//
// A checksum that fails is a torn write, as long as nothing later says otherwise; a frame whose checksum holds but which is not
// authentic is damage, since no crash leaves that. Bytes that were acknowledged by the last syncs before the
// crash and decayed since cannot be told from a torn write: nothing later speaks for them.
//
// Once sealing had begun and the footer is whole, all frames before it count, also those behind the last commit.
func Recover(src Source, keys *seal.Keys, number ID) (Recovered, error) {
	s, err := newScanner(src, number)
	if err != nil {
		return Recovered{}, err
	}
	h, key, err := s.openHeader(keys)
	if err != nil {
		return Recovered{}, err
	}
	r := &recovery{s: s, key: key, rec: Recovered{Header: h, End: headerSize, Scanned: headerSize, durable: headerSize}}
	footer, err := r.scan()
	if err != nil {
		return r.result(), err
	}
	if !footer {
		return r.result(), r.searchBehind()
	}
	r.keepAll()
	_, sealed, err := OpenSealed(src, keys, number, h.Epoch)
	switch {
	case err == nil:
		r.rec.Sealed = &sealed
	case !errors.Is(err, ErrDamaged):
		return r.result(), err
	}
	return r.result(), nil
}

// openHeader is openHeader, or ErrEmpty. NewWriter syncs the header before anything follows it, so a bad header with
// nothing behind it was never complete, and one with something behind it was.
func (s *scanner) openHeader(keys *seal.Keys) (Header, *seal.SegmentKey, error) {
	b, err := s.bytes(0, int(min(headerSize, s.size)))
	if err != nil {
		return Header{}, nil, err
	}
	b = bytes.Clone(b)
	h, key, failed := openHeader(b, keys, s.number)
	if failed == nil {
		s.tag = h.tag()
		return h, key, nil
	}
	torn := len(b) < headerSize || !headerSums(b)
	empty, err := s.zero(min(headerSize, s.size))
	if err == nil && empty && torn && errors.Is(failed, ErrDamaged) {
		failed = fmt.Errorf("segment %d: %w", s.number, ErrEmpty)
	}
	return Header{}, nil, errors.Join(err, failed)
}

// recovery is a Recover on its way.
type recovery struct {
	s   *scanner
	key *seal.SegmentKey
	rec Recovered
}

func (r *recovery) result() Recovered {
	n := 0
	for n < len(r.rec.scanned) && r.rec.scanned[n].End() <= r.rec.End {
		n++
	}
	r.rec.Frames = r.rec.scanned[:n:n]
	return r.rec
}

// scan takes frame after frame. It returns at the first one that fails, or true at an authentic footer.
func (r *recovery) scan() (footer bool, err error) {
	for {
		f, frame, ok, err := r.s.frame(r.rec.Scanned)
		if err != nil || !ok {
			return false, err
		}
		switch {
		case !knownKind(f.Kind):
			return false, fmt.Errorf("segment %d: %s at offset %d is %w", r.s.number, kindName(f.Kind), f.Offset, ErrUnknown)
		case f.Kind == KindFooter:
			return r.footer(f, frame)
		case f.Kind == KindCommit:
			if err := r.commit(f, frame); err != nil {
				return false, err
			}
		}
		r.rec.scanned = append(r.rec.scanned, f)
		r.rec.Scanned = f.End()
		if f.Kind == KindCommit {
			r.rec.End = f.End()
		}
	}
}

func (r *recovery) commit(f FrameInfo, frame []byte) error {
	plain, err := openFrame(nil, frame, &r.rec.Header, r.key, f)
	if err != nil {
		return err
	}
	c, err := decodeCommit(plain)
	if err != nil {
		return badBody(r.s.number, f, err)
	}
	want := r.rec.Header.FirstSeq + uint64(len(r.rec.Commits))
	if c.Seq != want {
		return damagedFrame(r.s.number, f.Kind, int64(f.Offset), "its number is %d, want %d", c.Seq, want)
	}
	if c.Durable > f.Offset {
		return damagedFrame(r.s.number, f.Kind, int64(f.Offset), "it says that %d bytes were durable", c.Durable)
	}
	r.rec.Commits = append(r.rec.Commits, c)
	r.rec.durable = max(r.rec.durable, int64(c.Durable))
	return nil
}

func (r *recovery) footer(f FrameInfo, frame []byte) (bool, error) {
	_, err := openFrame(nil, frame, &r.rec.Header, r.key, f)
	return err == nil, err
}

// keepAll counts every frame scanned: a footer proves that they were durable.
func (r *recovery) keepAll() {
	r.rec.End, r.rec.durable = r.rec.Scanned, r.rec.Scanned
}

// searchBehind looks behind the first bad place for a commit or footer that proves it had been durable.
func (r *recovery) searchBehind() error {
	bad := r.rec.Scanned
	work := 64*r.s.size + 64<<20 // a file full of things that look like frames must not keep us for hours
	for off := bad; ; off++ {
		var err error
		if off, err = r.s.nextTag(off); err != nil || off < 0 {
			return err
		}
		f, frame, ok, err := r.s.frame(off)
		if err != nil {
			return err
		}
		if work -= FrameSize(int(f.Length)); work < 0 {
			return damaged(r.s.number, "offset %d: what follows is made of things that look like frames", bad)
		}
		if ok && r.proves(f, frame, bad) {
			return damaged(r.s.number, "no frame at offset %d, or its checksum differs, but the %s at offset %d says that it had been durable",
				bad, kindName(f.Kind), off)
		}
	}
}

// proves tells whether the frame is authentic and says that bytes at bad had been synced when it was written.
func (r *recovery) proves(f FrameInfo, frame []byte, bad int64) bool {
	if f.Kind != KindCommit && f.Kind != KindFooter {
		return false
	}
	plain, err := openFrame(nil, frame, &r.rec.Header, r.key, f)
	if err != nil || f.Kind == KindFooter {
		return err == nil
	}
	c, err := decodeCommit(plain)
	return err == nil && int64(c.Durable) > bad
}

// KeepUpTo extends End to end, a place up to which the segment after this one says that frames were written: its own
// commits may refer to frames that no commit of this segment follows. ErrDamaged if they are not all there. An end
// before End is none of its business.
func (rec *Recovered) KeepUpTo(end int64) error {
	if end <= rec.End {
		return nil
	}
	for i, f := range rec.scanned {
		if f.End() == end {
			rec.End, rec.Frames = end, rec.scanned[:i+1:i+1]
			return nil
		}
	}
	return damaged(rec.Header.Number, "frames went on to offset %d, but hold to %d only", end, rec.Scanned)
}

// Resume makes a writer that can do nothing but Seal a recovered segment at rec.End. It cuts what is behind, and writes again what is not
// known to have been durable: after a sync that failed, Linux shows pages that are not on the disk and will never be
// written, unless they change.
//
// A crash at any point leaves what Recover sees as it is now: the bytes written are the ones there.
func Resume(f disk.File, keys *seal.Keys, rec Recovered) (*Writer, error) {
	if rec.Sealed != nil {
		return nil, fmt.Errorf("resume segment %d: %w", rec.Header.Number, ErrSealed)
	}
	w := newWriter(f, keys, rec.Header, rec.Header.key(keys))
	w.closed = true
	w.end, w.frames = rec.End, rec.Frames
	for i := range rec.Commits {
		w.merged.add(rec.Commits[i].Changes)
		w.lastSeq = rec.Commits[i].Seq
	}
	w.changes = w.merged.bound
	err := f.Truncate(rec.End)
	if err == nil {
		err = rewrite(f, min(rec.durable, rec.End), rec.End, rec.Header.Number)
	}
	if err == nil {
		err = f.Datasync()
	}
	if err != nil {
		return nil, fmt.Errorf("resume segment %d: %w", rec.Header.Number, err)
	}
	w.durable = rec.End
	return w, nil
}

// rewrite writes the bytes in [from, to) over themselves.
func rewrite(f disk.File, from, to int64, number ID) error {
	buf := make([]byte, min(scanPiece, to-from))
	for from < to {
		b := buf[:min(int64(len(buf)), to-from)]
		if err := readFull(f, b, from, number); err != nil {
			return err
		}
		if _, err := f.WriteAt(b, from); err != nil {
			return err
		}
		from += int64(len(b))
	}
	return nil
}
