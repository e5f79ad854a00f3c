package segment

// Appending to an allocated file makes the disk's filesystem convert the place from allocated to written, which is metadata: each fdatasync then
// commits its journal as well (measured on ext4: 157 to 197 µs for 4 KiB, against 113 to 131 µs where zeros had been written before). So a
// writer that is synced after every few frames writes zeros ahead of them, one journal commit for some fifty. Long streams gain nothing, and
// would write everything twice: they are left alone.
const (
	zeroAhead = 256 << 10 // written at once
	zeroLow   = 32 << 10  // zeros left when more are written
	smallSync = 32 << 10  // appended bytes up to which a sync counts as small
	zeroAfter = 8         // small syncs in a row before the first zeros
)

var zeros [zeroAhead]byte

// zeroLocked writes zeros behind the last frame if this sync, of n appended bytes, is one of many small ones. mu is held: no frame can take the
// place meanwhile (some 50 µs, once in fifty syncs). A crash leaves zeros or what the allocated file reads as, which is the same.
func (w *Writer) zeroLocked(n int64) error {
	if n > smallSync {
		w.small = 0
		return nil
	}
	if w.small++; w.small < zeroAfter || w.zeroed-w.end > zeroLow {
		return nil
	}
	const page = 4096
	from := max(w.zeroed, (w.end+page-1)/page*page)
	to := min(from+zeroAhead, w.size/page*page)
	if from >= to {
		return nil
	}
	w.zeroed = to
	_, err := w.f.WriteAt(zeros[:to-from], from)
	return err
}
