package segment

import (
	"bytes"
	"errors"
	"testing"

	"dfsmount/seal"
)

// memory is a segment in memory.
type memory struct{ *bytes.Reader }

func (m memory) Size() (int64, error) { return m.Reader.Size(), nil }

// forger makes segments that are authentic and wrong, as only a mistake of ours could.
type forger struct {
	t   *testing.T
	h   Header
	key *seal.SegmentKey
	b   []byte
}

func newForger(t *testing.T) *forger {
	keys := seal.TestKeys()
	f := &forger{t: t, h: Header{Volume: keys.Volume(), Number: 1, FirstSeq: 10, Salt: seal.Salt{1, 2, 3, 4, 5}}}
	f.key = f.h.key(keys)
	f.h.Commitment = f.key.Commitment()
	f.header()
	return f
}

func (f *forger) header() {
	f.t.Helper()
	b, err := encodeHeader(f.h, f.key)
	if err != nil {
		f.t.Fatal(err)
	}
	f.b = b
}

func (f *forger) frame(kind seal.Kind, plain []byte, err error) {
	f.t.Helper()
	if err == nil {
		f.b, err = appendFrame(f.b, f.h.tag(), f.key, FrameInfo{kind, uint32(len(f.b)), uint32(len(plain))}, plain)
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *forger) commit(c Commit) {
	plain, err := appendCommit(nil, &c)
	f.frame(KindCommit, plain, err)
}

func (f *forger) footer(footer Footer) {
	at := len(f.b)
	plain, err := appendFooter(nil, &footer)
	f.frame(KindFooter, plain, err)
	f.b = trailer{uint32(at), uint32(len(f.b) - at), f.h.tag()}.append(f.b)
}

func (f *forger) recover() (Recovered, error) {
	return Recover(memory{bytes.NewReader(f.b)}, seal.TestKeys(), 1)
}

func (f *forger) open() error {
	_, _, err := OpenSealed(memory{bytes.NewReader(f.b)}, seal.TestKeys(), 1, 0)
	return err
}

func TestForgerIsRight(t *testing.T) {
	f := newForger(t)
	f.commit(Commit{Seq: 10, Durable: headerSize})
	f.footer(Footer{FirstSeq: 10, LastSeq: 10, Frames: []FrameInfo{{KindCommit, headerSize, uint32(len(f.b) - headerSize - frameHeaderSize - 32)}}})
	if err := f.open(); err != nil {
		t.Error(err)
	}
	if rec, err := f.recover(); err != nil || rec.Sealed == nil || len(rec.Commits) != 1 {
		t.Errorf("%+v, %v", rec, err)
	}
}

// TestAuthenticAndWrong: S2, S3.
func TestAuthenticAndWrong(t *testing.T) {
	for what, c := range map[string]Commit{
		"late commit":            {Seq: 11},
		"early commit":           {Seq: 9},
		"durable in the future":  {Seq: 10, Durable: headerSize + 1},
		"durable far in future ": {Seq: 10, Durable: 1 << 30},
	} {
		f := newForger(t)
		f.commit(c)
		if rec, err := f.recover(); !errors.Is(err, ErrDamaged) || len(rec.Commits) != 0 {
			t.Errorf("%s: %d commits, %v", what, len(rec.Commits), err)
		}
	}
	for what, footer := range map[string]Footer{
		"frame that is not there": {LastSeq: 9, Frames: []FrameInfo{{KindPage, headerSize, 5}}},
		"other first commit":      {FirstSeq: 9, LastSeq: 10},
		"last before first":       {FirstSeq: 10, LastSeq: 9},
		"other last commit":       {LastSeq: 10},
	} {
		f := newForger(t)
		f.footer(footer)
		if err := f.open(); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", what, err)
		}
	}
	f := newForger(t)
	f.frame(KindCommit, []byte("\x07"), nil)
	if _, err := f.recover(); !errors.Is(err, ErrUnknown) || errors.Is(err, ErrDamaged) {
		t.Errorf("commit with an unknown flag: %v", err)
	}
	f = newForger(t)
	f.frame(KindCommit, []byte("\x00"), nil)
	if _, err := f.recover(); !errors.Is(err, ErrDamaged) {
		t.Errorf("commit that ends too soon: %v", err)
	}
}

// TestLaterCommitProves: S3, at its border. A commit that says the bytes up to the bad place were durable says nothing of that place.
func TestLaterCommitProves(t *testing.T) {
	for _, beyond := range []uint32{0, 1} {
		f := newForger(t)
		f.commit(Commit{Seq: 10, Durable: headerSize})
		bad := len(f.b)
		f.frame(KindExtent, []byte("lost"), nil)
		f.commit(Commit{Seq: 11, Durable: uint32(bad) + beyond})
		f.b[bad+20] ^= 1
		rec, err := f.recover()
		if len(rec.Commits) != 1 || rec.End != int64(bad) || errors.Is(err, ErrDamaged) != (beyond == 1) {
			t.Errorf("durable %d beyond the bad place: end %d, %v", beyond, rec.End, err)
		}
	}
}

func TestWrongCommitment(t *testing.T) {
	f := newForger(t)
	f.h.Commitment[0] ^= 1
	f.header() // its hash is sealed with the right key
	if _, err := f.recover(); !errors.Is(err, ErrDamaged) {
		t.Errorf("recover: %v", err)
	}
	if _, err := OpenHeader(memory{bytes.NewReader(f.b)}, seal.TestKeys(), 1, 0); !errors.Is(err, ErrDamaged) {
		t.Errorf("open: %v", err)
	}
}
