package cache

import (
	"context"
	"errors"
	"fmt"
	iofs "io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"dfsmount/internal/disk"
	"dfsmount/seal"
	"dfsmount/segment"
)

// Open opens the store in dir, recovering it first: see "Recovery" in the package comment. A *ErrLocked names the process that has
// it open; ErrNoStore if there is none.
func Open(ctx context.Context, dir string, keys *seal.Keys, o Options) (*Store, error) {
	s, err := prepareDir(ctx, dir, keys, o)
	if err != nil {
		return nil, err
	}
	if err := s.recover(ctx, dir); err != nil {
		return nil, errors.Join(fmt.Errorf("open local store: %w", err), s.abandon())
	}
	return s, nil
}

// recover brings the store from its files to life. Until start nothing else runs.
func (s *Store) recover(ctx context.Context, dir string) error {
	files, err := s.listFiles()
	if err != nil {
		return err
	}
	if err := s.loadIndex(ctx, dir, files); err != nil {
		return err
	}
	if err := s.findSealed(files); err != nil {
		return err
	}
	if err := s.mendTail(ctx, files); err != nil {
		return err
	}
	if err := s.replay(ctx); err != nil {
		return err
	}
	s.initLog(s.maint.root.Epoch)
	if err := s.adoptReserve(files); err != nil {
		return err
	}
	if err := errors.Join(s.loadEpochs(), s.loadAcks()); err != nil {
		return err
	}
	s.start()
	if len(s.epochs.starts) == 0 { // a crash cut Create short
		return s.beginEpoch(s.maint.root.Epoch, 1)
	}
	return nil
}

// logFiles are the files in segments/.
type logFiles struct {
	sealed  map[segment.ID]bool
	open    map[segment.ID]bool
	reserve bool
}

func (s *Store) listFiles() (logFiles, error) {
	f := logFiles{sealed: map[segment.ID]bool{}, open: map[segment.ID]bool{}}
	names, err := s.disk.List(segmentsDir)
	if errors.Is(err, iofs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return f, fmt.Errorf("list segments: %w", err)
	}
	for _, name := range names {
		if name == path.Base(reserveName) {
			f.reserve = true
			continue
		}
		stem, ext, _ := strings.Cut(name, ".")
		n, err := strconv.ParseUint(stem, 16, 64)
		switch {
		case err == nil && len(stem) == 16 && n > 0 && ext == "seg":
			f.sealed[segment.ID(n)] = true
		case err == nil && len(stem) == 16 && n > 0 && ext == "open":
			f.open[segment.ID(n)] = true
		default:
			s.opts.Log.Warn("left alone: no file of ours", "file", path.Join(segmentsDir, name))
		}
	}
	return f, nil
}

// loadIndex opens the index and reads root, directory and segment table. One that cannot be used is replaced by an empty one, or by
// what the newest checkpoint says.
func (s *Store) loadIndex(ctx context.Context, dir string, files logFiles) error {
	ix, err := s.openIndex(dir)
	if err != nil && unusable(err) && s.opts.Disk == nil {
		s.opts.Log.Warn("the index is damaged: building it anew from the log", "err", err)
		if err := setAside(filepath.Join(dir, indexName)); err != nil {
			return fmt.Errorf("set damaged index aside: %w", err)
		}
		ix, err = s.openIndex(dir)
	}
	if err != nil {
		return err
	}
	s.cat = &catalog{ix: ix} // so that abandon closes it
	err = s.readIndex(ix)
	if err == nil || !errors.Is(err, errIndex) {
		return err
	}
	if len(files.sealed)+len(files.open) == 0 {
		return ErrNoStore
	}
	s.opts.Log.Warn("no usable index: building it anew from the log", "err", err)
	return s.rebuild(ctx, ix, files)
}

func (s *Store) readIndex(ix index) error {
	cat, root, err := openCatalog(ix, s.keys)
	if err != nil {
		return err
	}
	t, err := cat.readTable(root)
	if err != nil {
		return err
	}
	s.cat, s.maint.root, s.table, s.chain = cat, root, t, root.Chain
	// Ids given out by a flush that a crash cut short must not come again: a page of that id may lie in the file's free pages.
	s.maint.root.Next += 1 << 24
	return s.segs.load(cat)
}

// findSealed notes which sealed segments are here. Those the index does not know yet must follow without a gap.
func (s *Store) findSealed(files logFiles) error {
	s.segs.mu.Lock()
	known := segment.ID(len(s.segs.list))
	s.segs.mu.Unlock()
	ids := make([]segment.ID, 0, len(files.sealed))
	for id := range files.sealed {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		if id > known+1 {
			return fmt.Errorf("%w: segment %d is missing from %s", ErrDamaged, known+1, segmentsDir)
		}
		known = max(known, id)
		e, _ := s.segs.get(id)
		e.local = true
		if e.size == 0 {
			e.epoch = s.maint.root.Epoch
			if err := s.sizeOf(id, &e); err != nil {
				return err
			}
		}
		s.segs.add(id, e)
	}
	return nil
}

func (s *Store) sizeOf(id segment.ID, e *segmentEntry) error {
	f, err := s.disk.Open(sealedName(id), disk.Read)
	if err != nil {
		return fmt.Errorf("open segment %d: %w", id, err)
	}
	defer f.Close()
	if e.size, err = f.Size(); err != nil {
		return fmt.Errorf("size of segment %d: %w", id, err)
	}
	return nil
}

// replay applies the commits that the index does not have, from the footers of sealed segments. All segments are sealed by now.
func (s *Store) replay(ctx context.Context) error {
	root := &s.maint.root
	last := s.Newest()
	prev := root.Chain
	n := prev.Number + 1
	if prev.LastSeq > root.Seq {
		n, prev = max(root.Segment, 1), chainEnd{}
	}
	for ; n <= last; n++ {
		sealed, err := s.readSealed(ctx, n)
		if err != nil {
			return fmt.Errorf("replay segment %d: %w", n, err)
		}
		if err := follows(prev, sealed); err != nil {
			return fmt.Errorf("replay segment %d: %w", n, err)
		}
		prev = endOf(sealed)
		s.noteSealed(n, sealed)
		if prev.LastSeq > root.Seq {
			s.active.apply(sealed.Footer.Changes)
		}
		s.setChain(prev)
		if s.active.bytes > s.opts.OverlayBytes {
			s.flushReplayed(prev)
		}
	}
	return nil
}

// flushReplayed moves what was replayed up to the end of a segment into the index. If that fails it stays in RAM: the disk may be
// full, and mounting must work then.
func (s *Store) flushReplayed(end chainEnd) {
	s.frozen, s.active = s.active, &overlay{}
	s.frozen.seq, s.frozen.segment, s.frozen.ready = end.LastSeq, end.Number, true
	if err := s.flushFrozen(); err != nil {
		s.opts.Log.Warn("cannot bring the index up to date, going on in RAM", "err", err)
		s.active, s.frozen = s.frozen, nil
	}
}

// noteSealed completes what the table knows of a segment.
func (s *Store) noteSealed(n segment.ID, sealed segment.Sealed) {
	e, _ := s.segs.get(n)
	e.size, e.epoch, e.sealed = sealed.Size, sealed.Header.Epoch, sealed.Footer.Sealed.UnixNano()
	s.segs.add(n, e)
}

// follows checks that a segment is the one after prev: by the hash of its footer, and by the numbers of commits. A zero
// prev checks nothing.
func follows(prev chainEnd, s segment.Sealed) error {
	if prev == (chainEnd{}) {
		if s.Header.Number == 1 && s.Footer.Prev != [32]byte{} {
			return fmt.Errorf("%w: segment 1 claims one before it", ErrDamaged)
		}
		return nil
	}
	switch {
	case s.Footer.Prev != prev.Hash:
		return fmt.Errorf("%w: it does not follow the segment %d that is here", ErrDamaged, prev.Number)
	case s.Header.FirstSeq != prev.LastSeq+1:
		return fmt.Errorf("%w: its commits start at %d, want %d", ErrDamaged, s.Header.FirstSeq, prev.LastSeq+1)
	}
	return nil
}

// readSealed opens a sealed segment's footer, from here or from a node.
func (s *Store) readSealed(ctx context.Context, n segment.ID) (segment.Sealed, error) {
	e, _ := s.segs.get(n)
	if !e.local {
		return s.fetchSealed(ctx, n)
	}
	sealed, err := s.openSealed(n, e.epoch)
	if err == nil {
		return sealed, nil
	}
	s.opts.Log.Error("local copy of a segment is damaged, trying nodes", "segment", uint64(n), "err", err)
	fetched, ferr := s.fetchSealed(ctx, n)
	if ferr != nil {
		return segment.Sealed{}, fmt.Errorf("%w: %w", ErrDamaged, errors.Join(err, ferr))
	}
	return fetched, nil
}

func (s *Store) openSealed(n segment.ID, epoch uint64) (segment.Sealed, error) {
	f, err := s.disk.Open(sealedName(n), disk.Read)
	if err != nil {
		return segment.Sealed{}, fmt.Errorf("open segment %d: %w", n, err)
	}
	defer f.Close()
	_, sealed, err := segment.OpenSealed(f, s.keys, n, epoch)
	return sealed, err
}

// adoptReserve takes over the reserve an earlier run left. One that is no use is made anew.
func (s *Store) adoptReserve(files logFiles) error {
	if !files.reserve {
		return nil
	}
	f, err := s.disk.Open(reserveName, disk.Write)
	if err != nil {
		return fmt.Errorf("open reserve: %w", err)
	}
	p := s.log.prep
	size, err := f.Size()
	if err == nil && size >= p.least && untouched(f) {
		err = f.Allocate(0, size) // whoever copied the directory may have left holes
	}
	if err != nil || size < p.least || !untouched(f) {
		return f.Close()
	}
	p.reserve, p.kept = f, size
	p.show()
	return nil
}

// untouched tells whether no segment was begun in f: were it one under a second name, it would be overwritten.
func untouched(f disk.File) bool {
	b := make([]byte, segment.HeaderSize)
	_, err := f.ReadAt(b, 0)
	return err == nil && !slices.ContainsFunc(b, func(c byte) bool { return c != 0 })
}
