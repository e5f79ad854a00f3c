package fs

import (
	"context"
	"dfsmount/cache"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// FS is one filesystem. All methods are safe for concurrent use. An error that is a bare syscall.Errno is the POSIX answer; any other
// error is a fault (EIO for the application, a line in the log).
type FS struct {
	store *cache.Store
	o     Options
	table *table

	// epoch counts the moments at which a transaction may have become visible: two for each.
	epoch   atomic.Uint64
	numbers numbers

	budget    *budget
	quota     quota
	sealers   *sealers
	ager      *ager
	reclaimer *reclaimer

	closed  atomic.Bool
	stop    chan struct{}
	workers sync.WaitGroup
}

const (
	minDirty   = 1 << 20
	defDirty   = 64 << 20
	defAge     = 1500 * time.Millisecond
	blockSize  = 4096
	syncReason = "sync the store"
)

// New opens the filesystem in store, making the root directory if the state is empty, and reclaims orphans left by a crash.
func New(store *cache.Store, o Options) (*FS, error) {
	f := &FS{store: store, o: o.withDefaults(), table: newTable(), stop: make(chan struct{})}
	f.budget = newBudget(f.o.DirtyBytes)
	f.sealers, f.ager, f.reclaimer = newSealers(), newAger(), newReclaimer()
	if err := f.makeRoot(); err != nil {
		return nil, err
	}
	if err := f.loadQuota(); err != nil {
		return nil, err
	}
	if err := f.adoptOrphans(); err != nil {
		return nil, err
	}
	for range f.o.Sealers {
		f.workers.Go(f.seal)
	}
	f.workers.Go(f.age)
	f.workers.Go(f.reclaim)
	return f, nil
}

func (o Options) withDefaults() Options {
	if o.DirtyBytes == 0 {
		o.DirtyBytes = defDirty
	}
	o.DirtyBytes = max(o.DirtyBytes, minDirty)
	if o.DirtyAge == 0 {
		o.DirtyAge = defAge
	}
	if o.Sealers == 0 {
		o.Sealers = runtime.GOMAXPROCS(0)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	return o
}

func (f *FS) makeRoot() error {
	err := f.view(func(tx *cache.Tx) error {
		_, err := getRecord(tx, Root)
		return err
	})
	if !errors.Is(err, syscall.ENOENT) {
		return fault("read the root directory", err)
	}
	err = f.update(grows, func(t *txn) error {
		t.add(Root, record{
			mode: syscall.S_IFDIR | 0755, nlink: 2, uid: uint32(os.Getuid()), gid: uint32(os.Getgid()), parent: Root,
			atime: t.now, mtime: t.now, ctime: t.now, btime: t.now,
		})
		return nil
	})
	return fault("make the root directory", err)
}

// fault makes an error of ours that no application can do anything about; nil stays nil.
func fault(verb string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", verb, err)
}

// Fsync: the inode's data, attributes and the names that led to them are durable when it returns nil; so is every change of names and
// attributes anywhere that completed before. dataOnly changes nothing: the log has one order. ENOSPC if the disk is full: nothing
// is lost then, and a later Fsync may succeed. Any other error is for good.
func (f *FS) Fsync(ctx context.Context, ino InodeID, dataOnly bool) error {
	in := f.table.pin(ino)
	defer f.table.unpin(in)
	if err := f.flush(in); err != nil {
		return err
	}
	return f.sync(ctx)
}

// SyncAll is sync(2).
func (f *FS) SyncAll(ctx context.Context) error {
	err := f.flushAll()
	if e := f.sync(ctx); e != nil {
		return e
	}
	return err
}

func (f *FS) sync(ctx context.Context) error {
	if err := f.store.Sync(ctx); err != nil {
		if err = answered(err); err == syscall.ENOSPC {
			return err
		}
		return fault(syncReason, err)
	}
	if f.o.Barrier == nil {
		return nil
	}
	return f.o.Barrier(ctx)
}

// Statfs tells of room and inodes. Every inode needs room of the same disk, so there are as many to have as blocks. Under a quota the filesystem is
// as large as that, and has the room that it leaves, if the disk does.
func (f *FS) Statfs() (Statfs, error) {
	var c counters
	err := f.view(func(tx *cache.Tx) (err error) {
		c, err = getCounters(tx)
		return err
	})
	free, total, _ := f.store.Space()
	s := Statfs{BlockSize: blockSize, NameMax: MaxName, Blocks: blocks(total)}
	s.Free = min(blocks(free), s.Blocks)
	s.FilesFree, s.Files = s.Free, s.Free+c.inodes
	if limit, _ := f.Quota(); limit > 0 {
		s.Blocks = min(s.Blocks, blocks(limit))
		s.Free = min(s.Free, blocks(f.quota.room()))
	}
	s.Avail = s.Free
	return s, err
}

func blocks(n int64) uint64 { return uint64(max(n, 0)) / blockSize }

// Close seals and commits all dirty data and ends the background work. The store stays open. Nothing may be written afterwards.
func (f *FS) Close() error {
	if f.closed.Swap(true) {
		return nil
	}
	err := f.SyncAll(context.Background())
	close(f.stop)
	f.sealers.close()
	f.budget.close()
	f.workers.Wait()
	return err
}
