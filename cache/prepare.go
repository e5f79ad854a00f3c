package cache

import (
	"context"
	"errors"
	"fmt"
	iofs "io/fs"
	"sync"
	"sync/atomic"
	"time"

	"dfsmount/internal/disk"
	"dfsmount/segment"
)

const segmentsDir = "segments"

func openName(id segment.ID) string   { return fmt.Sprintf("%s/%016x.open", segmentsDir, uint64(id)) }
func sealedName(id segment.ID) string { return fmt.Sprintf("%s/%016x.seg", segmentsDir, uint64(id)) }

const reserveName = segmentsDir + "/reserve"

// preparer has the next segment's file ready before it is needed, with its bytes allocated and its name durable, and keeps back the
// reserve: an allocated file that becomes a segment for commits when the disk gives nothing else, so that deleting works on a
// full disk.
type preparer struct {
	d       disk.FS
	base    int64 // usual size of a segment
	max     int64
	least   int64 // smallest size worth having when the disk is nearly full
	keep    int64 // wanted size of the reserve
	changed func()

	dry   atomic.Bool  // the disk gave no next segment when last asked
	ready atomic.Int64 // size and kept, for who does not hold mu
	stock atomic.Int64

	mu      sync.Mutex // held while files are made: the disk is waited for under it
	id      segment.ID // number the next segment will get
	want    int64      // its size
	next    disk.File
	size    int64
	reserve disk.File
	kept    int64

	junk map[string]bool // files that hold nothing and could not be removed

	kick chan struct{}
}

// run prepares whenever it is kicked, and tries again every second while the disk is full.
func (p *preparer) run(ctx context.Context) {
	retry := time.NewTicker(time.Second)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.kick:
			p.prepare()
		case <-retry.C:
			if p.dry.Load() || p.lacking() {
				p.prepare()
			}
		}
	}
}

func (p *preparer) lacking() bool { return p.stock.Load() < p.keep }

// prepare makes what is missing: the reserve first.
func (p *preparer) prepare() {
	p.mu.Lock()
	p.restock()
	if p.next == nil {
		if f, size, err := p.make(openName(p.id), p.want, p.least); err == nil {
			p.next, p.size = f, size
		} // else: tried again; who needs the file before gets the error
	}
	p.dry.Store(p.next == nil)
	p.show()
	p.mu.Unlock()
	p.changed()
}

// restock makes the reserve, or lets it grow to the size it should have, as far as the disk has room: before anyone else gets any.
func (p *preparer) restock() {
	if p.reserve == nil {
		if f, size, err := p.make(reserveName, p.keep, p.least); err == nil {
			p.reserve, p.kept = f, size
		}
		return
	}
	for size := p.keep; size > p.kept; size = p.kept + (size-p.kept)/2 {
		if p.reserve.Allocate(0, size) == nil {
			p.kept = size
			return
		}
		if size-p.kept < p.least {
			return
		}
	}
}

// make creates and allocates a file of size bytes, or, while the disk is too full for that, of half and so on down to least.
func (p *preparer) make(name string, size, least int64) (disk.File, int64, error) {
	for ; ; size = max(size/2, least) {
		f, err := p.create(name, size)
		if err == nil || size <= least || !errors.Is(err, disk.ErrFull) {
			return f, size, err
		}
	}
}

// create makes an allocated file whose name is durable. What it cannot finish it takes back. A file of that name is an error unless it
// is one we could not take back: nothing that may hold data is ever overwritten.
func (p *preparer) create(name string, size int64) (disk.File, error) {
	if p.junk[name] {
		if err := p.d.Remove(name); err != nil && !errors.Is(err, iofs.ErrNotExist) {
			return nil, fmt.Errorf("remove unused %s: %w", name, err)
		}
		delete(p.junk, name)
	}
	f, err := p.d.Open(name, disk.Create)
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", name, err)
	}
	if err = f.Allocate(0, size); err == nil {
		err = p.d.SyncDir(segmentsDir)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("allocate %s: %w", name, err), p.discard(f, name))
	}
	return f, nil
}

// discard removes a file that holds nothing, or remembers to do so before its name is used again.
func (p *preparer) discard(f disk.File, name string) error {
	err := errors.Join(f.Close(), p.d.Remove(name))
	p.junk[name] = err != nil
	return err
}

// allocation is a file for a segment.
type allocation struct {
	f       disk.File
	size    int64
	reserve bool // it was the reserve: for commits only
}

// take hands out the file of the next segment with at least need bytes allocated. may: the reserve can be used up for it. ErrFull if
// there is none.
func (p *preparer) take(need int64, may bool) (a allocation, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.show()
	a.f, a.size, err = p.takeNext(need)
	if errors.Is(err, ErrFull) && may && p.kept >= need {
		a.f, a.size, err = p.takeReserve()
		a.reserve = true
	}
	if err != nil {
		return allocation{}, err
	}
	p.id++
	wake(p.kick)
	return a, nil
}

func (p *preparer) takeNext(need int64) (disk.File, int64, error) {
	if p.next == nil {
		f, size, err := p.make(openName(p.id), max(p.want, need), max(p.least, need))
		if err != nil {
			p.dry.Store(true)
			return nil, 0, asFull(err)
		}
		p.next, p.size = f, size
	}
	if p.size < need {
		if err := p.next.Allocate(0, need); err != nil {
			return nil, 0, asFull(fmt.Errorf("extend %s: %w", openName(p.id), err))
		}
		p.size = need
	}
	f, size := p.next, p.size
	p.next, p.size = nil, 0
	return f, size, nil
}

// takeReserve turns the reserve into the next segment. A prepared file that was too small gives way to it.
func (p *preparer) takeReserve() (disk.File, int64, error) {
	if p.next != nil {
		if err := p.discard(p.next, openName(p.id)); err != nil {
			return nil, 0, fmt.Errorf("use the reserve: %w", err)
		}
		p.next, p.size = nil, 0
	}
	if err := p.d.Rename(reserveName, openName(p.id)); err != nil {
		return nil, 0, fmt.Errorf("use the reserve: %w", err)
	}
	if err := p.d.SyncDir(segmentsDir); err != nil {
		return nil, 0, fmt.Errorf("use the reserve: %w", err)
	}
	f, size := p.reserve, p.kept
	p.reserve, p.kept = nil, 0
	p.dry.Store(true)
	return f, size, nil
}

// show publishes size and kept after a change.
func (p *preparer) show() {
	p.ready.Store(p.size)
	p.stock.Store(p.kept)
}

// spare tells whether the reserve could take a commit of this cost.
func (p *preparer) spare(cost int64) bool { return p.stock.Load() >= cost+segmentBase }

// rolled sizes the next segments: bulk streams that fill one before it ages get larger ones, up to max.
func (p *preparer) rolled(full bool, age time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if full && age < time.Second {
		p.want = min(2*p.want, p.max)
	} else {
		p.want = p.base
	}
}

// close gives up what was prepared.
func (p *preparer) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next != nil {
		p.discard(p.next, openName(p.id)) // if this fails the next Open finds it empty and removes it
		p.next = nil
	}
	if p.reserve != nil {
		p.reserve.Close()
		p.reserve = nil
	}
}

// asFull translates the disk's word for "full" into the store's.
func asFull(err error) error {
	if errors.Is(err, disk.ErrFull) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// wake sends to a channel of capacity one unless a signal waits there already.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
