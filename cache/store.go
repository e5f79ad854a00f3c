package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"dfsmount/internal/disk"
	"dfsmount/seal"
	"dfsmount/segment"
)

// Errors of a store.
var (
	// ErrFull: the local disk has no room for what was asked; nothing was accepted.
	ErrFull = errors.New("no room on the local disk")
	// ErrDamaged: no copy of some bytes that could be reached is what was written.
	ErrDamaged = errors.New("damaged, and no good copy was found")
	// ErrFailed: the disk failed, and the store takes no more changes until it is opened anew.
	ErrFailed = errors.New("the local store failed")
	// ErrExists: there is a store in the directory already.
	ErrExists = errors.New("the directory holds a local store already")
	// ErrNoStore: there is no store in the directory.
	ErrNoStore = errors.New("the directory holds no local store")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("the local store is closed")
)

// MaxExtent is the most plaintext one extent holds.
const MaxExtent = 256 << 10

// Options of a store; the zero value works.
type Options struct {
	SegmentSize    int64         // usual bytes of a segment; default 16 MiB
	MaxSegmentSize int64         // of one in a bulk stream; default four times SegmentSize
	SealAge        time.Duration // a segment is sealed this long after its first commit; default 1 s
	CommitInterval time.Duration // what nobody syncs is committed after this; default 3 s
	OverlayBytes   int64         // changes kept in RAM before the index is brought up to date; default 32 MiB
	PageCacheBytes int64         // decoded pages; default 64 MiB
	ExtentBytes    int64         // opened extents; default 32 MiB
	OpenSegments   int           // sealed segments kept open; default 256
	Fetcher        Fetcher       // for segments that are not here; SetFetcher sets it later
	Log            *slog.Logger  // default: discarded
	Wait           time.Duration // how long to wait for another process to give the directory up; default 0
	Holder         string        // what the lock file says of us, such as "mounted on /mnt"; default "in use"
	CheckpointMin  int64         // changes that make a checkpoint due, at least; default 8 MiB

	// Disk replaces the operating system's files, for tests. There is no lock then, and the index is kept on it too.
	Disk disk.FS
}

func (o *Options) fill() {
	o.SegmentSize = or(o.SegmentSize, 16<<20)
	o.MaxSegmentSize = max(or(o.MaxSegmentSize, 4*o.SegmentSize), o.SegmentSize)
	o.SealAge = or(o.SealAge, time.Second)
	o.CommitInterval = or(o.CommitInterval, 3*time.Second)
	o.OverlayBytes = or(o.OverlayBytes, 32<<20)
	o.PageCacheBytes = or(o.PageCacheBytes, 64<<20)
	o.ExtentBytes = or(o.ExtentBytes, 32<<20)
	o.OpenSegments = or(o.OpenSegments, 256)
	o.CheckpointMin = or(o.CheckpointMin, 8<<20)
	o.Holder = or(o.Holder, "in use")
	o.Log = or(o.Log, slog.New(slog.DiscardHandler))
}

// or is v, or d if v is the zero value.
func or[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}

// Store is the local store of one volume. Safe for concurrent use.
type Store struct {
	opts Options
	keys *seal.Keys
	disk disk.FS
	lock *dirLock
	cat  *catalog

	failure  atomic.Pointer[error]
	waiting  atomic.Int64 // pendingBytes, for who does not hold mu
	indexBad atomic.Bool  // its root is gone: nothing may write it again
	fetcher  atomic.Pointer[Fetcher]

	// mu guards the state and what pends. Reading a page from the index, and for a read waiting for the disk, happens under it; nothing is written to
	// a disk under it.
	mu           sync.RWMutex
	active       *overlay
	frozen       *overlay // being flushed; nil if none is
	table        *table
	pending      []segment.Change // of completed transactions, in order, not yet in a commit
	pendingBytes int64
	pendingSince time.Time // when the first of them completed
	spare        []segment.Change
	completed    uint64 // transactions so far
	flushWanted  bool
	tx           Tx // the one transaction that can run

	log     log
	com     committer
	maint   maintenance
	space   space
	segs    segmentTable
	epochs  epochs
	acks    acks
	pages   pageCache
	extents extentCache
	handles handles
	remotes remotes

	chainMu sync.Mutex
	chain   chainEnd

	commitKick chan struct{}
	sealKick   chan struct{}
	stop       context.CancelFunc // ends the goroutines
	running    sync.WaitGroup
	closed     atomic.Bool
}

func newStore(keys *seal.Keys, d disk.FS, o Options) *Store {
	s := &Store{opts: o, keys: keys, disk: d, active: &overlay{}, table: &table{}}
	s.tx.s, s.space.s, s.log.s = s, s, s
	s.com.done.L, s.maint.cond.L, s.log.backlog.L = &s.com.mu, &s.maint.mu, &s.log.mu
	s.commitKick, s.sealKick = make(chan struct{}, 1), make(chan struct{}, 1)
	s.maint.kick, s.log.kick = make(chan struct{}, 1), make(chan struct{}, 1)
	s.pages.limit, s.extents.limit = o.PageCacheBytes, o.ExtentBytes
	s.extents.items = map[segment.Location]*extentItem{}
	s.handles = handles{limit: o.OpenSegments, files: map[segment.ID]*handle{}}
	s.segs.init()
	s.acks.byNode = map[[8]byte]IntervalSet{}
	if o.Fetcher != nil {
		s.SetFetcher(o.Fetcher)
	}
	return s
}

// prepareDir opens the disk and takes the lock.
func prepareDir(ctx context.Context, dir string, keys *seal.Keys, o Options) (*Store, error) {
	o.fill()
	d, lock := o.Disk, (*dirLock)(nil)
	if d == nil {
		var err error
		if lock, err = lockDir(ctx, dir, o.Holder, o.Wait); err != nil {
			return nil, err
		}
		if d, err = disk.OS(dir); err != nil {
			return nil, errors.Join(err, lock.release())
		}
	}
	s := newStore(keys, d, o)
	s.lock = lock
	return s, nil
}

// openIndex opens the index file, as it is.
func (s *Store) openIndex(dir string) (index, error) {
	if s.opts.Disk != nil {
		return openMem(s.disk)
	}
	return openBolt(filepath.Join(dir, indexName), indexMmap)
}

const (
	indexName = "index.db"
	indexMmap = 1 << 30 // address space, not memory
)

// Create makes an empty store in dir, which exists and holds none, and opens it. keys are those of the volume.
func Create(ctx context.Context, dir string, keys *seal.Keys, o Options) (*Store, error) {
	s, err := prepareDir(ctx, dir, keys, o)
	if err != nil {
		return nil, err
	}
	if err := s.create(dir); err != nil {
		return nil, errors.Join(fmt.Errorf("create local store: %w", err), s.abandon())
	}
	return s, nil
}

func (s *Store) create(dir string) error {
	if err := s.makeEmpty(dir, 1); err != nil {
		return err
	}
	s.start()
	return s.beginEpoch(1, 1)
}

// makeEmpty makes the directory of segments and an index without a page.
func (s *Store) makeEmpty(dir string, epoch uint64) error {
	ix, err := s.makeDirs(dir)
	if err != nil {
		return err
	}
	if err := s.emptyIndex(ix, epoch); err != nil {
		return err
	}
	s.initLog(epoch)
	return nil
}

// makeDirs makes the directory of segments and opens a new index.
func (s *Store) makeDirs(dir string) (index, error) {
	f, err := s.listFiles()
	if err != nil {
		return nil, err
	}
	if len(f.sealed)+len(f.open) > 0 {
		return nil, ErrExists
	}
	if err := s.disk.Mkdir(segmentsDir); err != nil {
		return nil, fmt.Errorf("make directory: %w", err)
	}
	if err := s.disk.SyncDir("."); err != nil {
		return nil, fmt.Errorf("sync directory: %w", err)
	}
	ix, err := s.openIndex(dir)
	if err != nil {
		return nil, err
	}
	s.cat = &catalog{ix: ix} // so that abandon closes it
	return ix, ix.get(bucketMeta, rootKey, func(v []byte) error {
		if v != nil {
			return ErrExists
		}
		return nil
	})
}

// emptyIndex gives ix a new root, and nothing else.
func (s *Store) emptyIndex(ix index, epoch uint64) error {
	s.cat, s.maint.root = newCatalog(ix, s.keys)
	s.maint.root.Epoch = epoch
	if err := s.cat.clear(); err != nil {
		return fmt.Errorf("empty index: %w", err)
	}
	err := ix.update(func(w indexWriter) error { return s.cat.putRoot(w, s.maint.root) })
	if err != nil {
		return fmt.Errorf("write index root: %w", err)
	}
	return nil
}

// initLog makes the log go on after s.chain.
func (s *Store) initLog(epoch uint64) {
	l, e := &s.log, s.chain
	l.last, l.lastEnd, l.lastEpoch, l.seq, l.epoch, l.checkpoint = e.Number, e.End, e.Epoch, e.LastSeq, epoch, e.Manifest
	if e.Epoch != epoch {
		l.lastEnd = 0 // the first segment of an epoch follows another writer's
	}
	_, total, err := s.disk.Free()
	if err != nil {
		total = 1 << 40
	}
	l.prep = &preparer{
		d: s.disk, base: s.opts.SegmentSize, max: s.opts.MaxSegmentSize, want: s.opts.SegmentSize,
		keep: min(16<<20, total/8), least: min(s.opts.SegmentSize, max(total/64, 32<<10), 1<<20),
		id: l.last + 1, junk: map[string]bool{reserveName: true}, kick: make(chan struct{}, 1),
		changed: func() { s.space.refresh(0) },
	}
}

// start runs the store's goroutines.
func (s *Store) start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	s.log.prep.prepare()
	for _, run := range []func(context.Context){s.commitLoop, s.sealLoop, s.maintain, s.log.prep.run} {
		s.running.Go(func() { run(ctx) })
	}
	wake(s.log.kick)
}

// Close makes everything durable, seals the open segment, brings the index up to date and gives up the lock, in any case. An
// error means that something may not be durable; an index left behind is none: the next Open catches up. No other method may run or
// follow.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return ErrClosed
	}
	_, err := s.SealNow(context.Background())
	if err != nil {
		err = fmt.Errorf("close local store: %w", err)
	} else if behind := s.flush(); behind != nil {
		s.opts.Log.Warn("left the index behind the log: the next mount catches up", "err", behind)
	}
	return errors.Join(err, s.abandon())
}

// abandon stops the goroutines and closes files without making anything durable: what a crash would do, in order.
func (s *Store) abandon() error {
	end := error(ErrClosed)
	s.failure.CompareAndSwap(nil, &end)
	s.wakeAll()
	if s.stop != nil {
		s.stop()
		s.running.Wait()
	}
	if s.log.prep != nil {
		s.log.prep.close()
	}
	s.log.closeFiles()
	s.handles.close()
	var err error
	if s.cat != nil {
		err = s.cat.ix.close()
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.release())
	}
	return err
}

// closeFiles closes the files of segments that were not sealed.
func (l *log) closeFiles() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.closing {
		c.file.f.Close()
	}
	if l.cur != nil {
		l.cur.file.f.Close()
	}
}

// NameHash is the keyed hash of a name: see seal.Keys.NameHash.
func (s *Store) NameHash(parent uint64, name string) uint64 { return s.keys.NameHash(parent, name) }

// pageDamaged handles a page of the index that cannot be read. The index is given up: without its root the next Open makes a new one from
// the log. Until then who needs that page gets the error.
func (s *Store) pageDamaged(err error) error {
	if !s.indexBad.Swap(true) {
		s.opts.Log.Error("the index is damaged: unmount and mount again to build it anew from the log", "err", err)
		s.running.Go(func() { // the caller may hold mu
			err := s.cat.ix.update(func(w indexWriter) error { return w.delete(bucketMeta, rootKey) })
			if err != nil {
				s.opts.Log.Error("cannot mark the index as damaged: remove "+indexName+" from the state directory", "err", err)
			}
		})
	}
	return fmt.Errorf("%w: %w", errIndex, err)
}

// Append seals data (1 … MaxExtent bytes) as one extent and writes it to the log; parallel callers seal in parallel. It is durable with
// the first Sync after an Update that refers to it. data is not kept.
func (s *Store) Append(data []byte) (segment.Location, error) {
	if len(data) == 0 || len(data) > MaxExtent {
		return segment.Location{}, fmt.Errorf("append an extent of %d bytes: at most %d", len(data), MaxExtent)
	}
	return s.log.append(segment.KindExtent, data)
}
