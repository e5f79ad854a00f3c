package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"dfsmount/seal"
	"dfsmount/segment"
)

// CreateFromNodes makes a store in dir, which exists and holds none, from what nodes keep, and opens it. The history ends in head;
// epoch, higher than head's, begins after it. It needs head's footer, the checkpoint it names, and the footers after that; segments
// stay on the nodes and are read from there when needed. The chain of hashes from head back to the checkpoint is verified.
// The caller has claimed epoch, and makes dir appear complete or not at all: a crash leaves a directory to be removed.
func CreateFromNodes(ctx context.Context, dir string, keys *seal.Keys, head HeadInfo, epoch uint64, nodes NodeSource, o Options) (*Store, error) {
	if head.Number == 0 || epoch <= head.Epoch {
		return nil, fmt.Errorf("clone local store: segment %d of epoch %d cannot be followed by epoch %d", head.Number, head.Epoch, epoch)
	}
	o.Fetcher = nodes
	s, err := prepareDir(ctx, dir, keys, o)
	if err != nil {
		return nil, err
	}
	if err := s.clone(ctx, dir, head, epoch); err != nil {
		return nil, errors.Join(fmt.Errorf("clone local store: %w", err), s.abandon())
	}
	return s, nil
}

func (s *Store) clone(ctx context.Context, dir string, head HeadInfo, epoch uint64) error {
	ix, err := s.makeDirs(dir)
	if err != nil {
		return err
	}
	s.segs.add(head.Number, segmentEntry{size: head.Size, epoch: head.Epoch})
	w := &walk{s: s}
	if err := w.back(ctx, head.Number); err != nil {
		return err
	}
	if w.manifest != nil {
		err = s.loadCheckpoint(ctx, ix, w.at, w.manifest, w.refs, epoch)
	} else {
		err = s.emptyIndex(ix, epoch)
	}
	if err != nil {
		return err
	}
	for _, sealed := range slices.Backward(w.chain) {
		if sealed.Footer.LastSeq > s.maint.root.Seq {
			s.active.apply(sealed.Footer.Changes)
		}
	}
	s.setChain(endOf(w.chain[0]))
	if err := s.loadEpochs(); err != nil {
		return err
	}
	s.askSizes(ctx)
	s.initLog(epoch)
	s.start()
	if err := s.beginEpoch(epoch, head.Number+1); err != nil {
		return err
	}
	// The pages are in the log already, so this writes a manifest: from here on the first segment of this machine is enough to
	// find the state.
	return s.Checkpoint(ctx)
}

// walk reads a history from its end: footers, newest first, and the checkpoint they lead to.
type walk struct {
	s        *Store
	chain    []segment.Sealed
	at       segment.Location // of the manifest
	manifest *manifest
	refs     []*pageRef
}

// back reads footers from the newest segment back to the one the checkpoint's replay starts with, or to segment 1, verifying that
// each follows the one before.
func (w *walk) back(ctx context.Context, newest segment.ID) error {
	for n, stop := newest, segment.ID(1); n >= stop; n-- {
		sealed, err := w.s.fetchSealed(ctx, n)
		if err != nil {
			return err
		}
		if err := w.take(n, sealed); err != nil {
			return fmt.Errorf("segment %d: %w", n, err)
		}
		if n == w.at.Segment {
			if w.manifest, w.refs, err = w.s.readManifest(ctx, w.at); err != nil {
				return fmt.Errorf("read checkpoint in segment %d: %w", n, err)
			}
			stop = max(w.manifest.segment, 1)
		}
	}
	return nil
}

func (w *walk) take(n segment.ID, sealed segment.Sealed) error {
	if len(w.chain) == 0 {
		w.at = sealed.Footer.Checkpoint
		if w.at.Segment > n {
			return fmt.Errorf("%w: it names a checkpoint behind it", ErrDamaged)
		}
	} else if err := follows(endOf(sealed), w.chain[len(w.chain)-1]); err != nil {
		return err
	}
	w.chain = append(w.chain, sealed)
	w.s.noteSealed(n, sealed)
	if n > 1 {
		w.s.segs.setEpoch(n-1, sealed.Footer.PrevEpoch)
	}
	return nil
}

// askSizes fills in the sizes of older segments, for who counts them. What no node lists stays unknown.
func (s *Store) askSizes(ctx context.Context) {
	src := (*s.fetcher.Load()).(NodeSource)
	for n := segment.ID(1); n <= s.Newest() && ctx.Err() == nil; n++ {
		e, _ := s.segs.get(n)
		e.epoch = s.epochs.of(n)
		if e.size == 0 {
			if size, err := src.Size(ctx, n, e.epoch); err == nil {
				e.size = size
			}
		}
		s.segs.add(n, e)
	}
}
