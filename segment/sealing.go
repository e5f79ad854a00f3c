package segment

import (
	"crypto/sha256"
	"errors"
	"fmt"
)

var errNotReadBack = errors.New("the footer read back is not the one written")

// Seal writes the footer and trailer, truncates to the end, syncs, and reads the footer back before it returns. The caller fills Prev,
// PrevEpoch, Checkpoint, Sealed; the writer fills the rest. No Append may run or follow. An error is kept, as that of
// an Append is.
//
// What a crash leaves after each step:
//
//  1. frames synced        an open segment, all of it durable
//  2. footer, trailer written   the same, and perhaps some of the footer: recovery seals again
//  3. truncated            the same
//  4. synced               a sealed segment
//
// The first sync is why a footer proves that everything before it was durable.
func (w *Writer) Seal(f Footer) (Sealed, error) {
	w.syncing.Lock()
	defer w.syncing.Unlock()
	if err := w.close(); err != nil {
		return Sealed{}, err
	}
	sealed, err := w.seal(f)
	if err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.poisonLocked("write footer", err)
		return Sealed{}, w.err
	}
	return sealed, nil
}

// close ends the time of appending, and syncs what was appended.
func (w *Writer) close() error {
	w.mu.Lock()
	again := w.sealing
	w.closed, w.sealing = true, true
	w.mu.Unlock()
	if again {
		return w.wrap("write footer", ErrSealed)
	}
	end, err := w.drain()
	if err == nil && w.durable < end { // no one else changes durable while we hold syncing
		err = w.sync()
	}
	return err
}

func (w *Writer) seal(f Footer) (Sealed, error) {
	w.committing.Lock()
	defer w.committing.Unlock()
	h := w.read.header
	f.Frames, f.FirstSeq, f.LastSeq, f.Changes = w.frames, 0, w.lastSeq, w.merged.sorted()
	if w.lastSeq >= h.FirstSeq {
		f.FirstSeq = h.FirstSeq
	}
	tail, err := w.encodeTail(&f)
	if err != nil {
		return Sealed{}, err
	}
	if _, err := w.f.WriteAt(tail, w.end); err != nil {
		return Sealed{}, err
	}
	if err := w.f.Truncate(w.end + int64(len(tail))); err != nil {
		return Sealed{}, err
	}
	if err := w.f.Datasync(); err != nil {
		return Sealed{}, err
	}
	_, sealed, err := OpenSealed(w.f, w.keys, h.Number, h.Epoch)
	if err == nil && sealed.Hash != sha256.Sum256(tail) {
		err = errNotReadBack
	}
	if err != nil {
		return Sealed{}, fmt.Errorf("read back: %w", err)
	}
	return sealed, nil
}

// encodeTail returns footer and trailer.
func (w *Writer) encodeTail(f *Footer) ([]byte, error) {
	plain, err := appendFooter(nil, f)
	if err != nil {
		return nil, err
	}
	if len(plain) > maxBody {
		return nil, fmt.Errorf("footer of %d bytes: %w", len(plain), ErrTooLarge)
	}
	if plain, err = pack(plain); err != nil {
		return nil, err
	}
	h := w.read.header
	place := FrameInfo{Kind: KindFooter, Offset: uint32(w.end), Length: uint32(len(plain))}
	tail := make([]byte, 0, FrameSize(len(plain))+trailerSize)
	if tail, err = appendFrame(tail, h.tag(), w.read.key, place, plain); err != nil {
		return nil, err
	}
	return trailer{place.Offset, uint32(len(tail)), h.tag()}.append(tail), nil
}
