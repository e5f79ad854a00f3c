package fs

import "time"

// Dirty tells how many bytes were written and are not in the log yet, and since when the oldest of them waits (zero if there are none): what no
// count of replicated segments can know of.
func (f *FS) Dirty() (bytes int64, since time.Time) {
	for _, in := range f.ager.all() {
		in.mu.RLock()
		if in.data != nil {
			bytes += in.data.bytes
		}
		in.mu.RUnlock()
	}
	if bytes > 0 {
		since = f.ager.oldest()
	}
	return bytes, since
}

// oldest is since when the oldest dirty data waits, or now.
func (a *ager) oldest() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.fifo) == 0 {
		return time.Now()
	}
	return a.fifo[0].since
}
