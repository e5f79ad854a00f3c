package replicator

import (
	"bytes"
	"context"
	"errors"
	"time"

	"dfsmount/cache"
	"dfsmount/seal"
	"dfsmount/segment"
)

// cacheStore is a cache.Store as local.
type cacheStore struct {
	*cache.Store
}

func (c cacheStore) get(key string) ([]byte, error) {
	var value []byte
	err := c.View(func(tx *cache.Tx) error {
		v, err := tx.Get([]byte(key))
		value = bytes.Clone(v)
		return err
	})
	return value, err
}

func (c cacheStore) change(key string, fn func(old []byte) ([]byte, error)) error {
	return c.Update(func(tx *cache.Tx) error {
		old, err := tx.Get([]byte(key))
		if err != nil {
			return err
		}
		value, err := fn(old)
		if err != nil || bytes.Equal(value, old) {
			return err
		}
		tx.Put([]byte(key), value)
		return nil
	})
}

func (c cacheStore) sync(ctx context.Context) error { return c.Sync(ctx) }

func (c cacheStore) segments(from segment.ID) []sealedSegment {
	infos := c.Segments(from)
	segs := make([]sealedSegment, len(infos))
	for i, s := range infos {
		segs[i] = sealedSegment{number: s.Number, epoch: s.Epoch, size: s.Size, sealed: s.Sealed}
	}
	return segs
}

func (c cacheStore) news() <-chan struct{} { return c.News() }

func (c cacheStore) open(id segment.ID) (localFile, error) {
	f, err := c.OpenLocal(id)
	if errors.Is(err, cache.ErrNotLocal) {
		return nil, errNotHere
	}
	return f, err
}

// verify checks both checksums and authenticity: the second alone would let a node change bytes that no tag covers, and
// the copy of its copy would be another object than everyone else's.
func (c cacheStore) verify(s sealedSegment, src segment.Source) error {
	if _, err := segment.Verify(src); err != nil {
		return err
	}
	return c.VerifySegment(s.number, s.epoch, src)
}

func (c cacheStore) acks(node NodeID) (idSet, error) {
	var set idSet
	for _, i := range c.Acks(node) {
		set.addSpan(span{i.First, i.Last})
	}
	return set, nil
}

func (c cacheStore) recordAcks(node NodeID, ids []segment.ID) error {
	return c.RecordAcks(node, ids...)
}

func (c cacheStore) dropAcks(node NodeID, ids []segment.ID) error { return c.DropAcks(node, ids...) }

func (c cacheStore) removeNode(node NodeID) error { return c.RemoveNode(node) }

func (c cacheStore) sealNow(ctx context.Context) (segment.ID, error) { return c.SealNow(ctx) }

func (c cacheStore) unsealed() (int64, time.Time) { return c.Unsealed() }

func (c cacheStore) epoch() uint64 { return c.Epoch() }

// createFromNodes is the creator of real stores.
func createFromNodes(o cache.Options) creator {
	return func(ctx context.Context, dir string, k *seal.Keys, h Head, epoch uint64, f *placesFetcher) (clonedStore, error) {
		s, err := cache.CreateFromNodes(ctx, dir, k, cache.HeadInfo{Number: h.Number, Epoch: h.Epoch, Size: h.Size}, epoch, f, o)
		if err != nil {
			return nil, err
		}
		return cacheStore{s}, nil
	}
}

var (
	_ cache.Fetcher    = (*Replicator)(nil)
	_ cache.NodeSource = (*placesFetcher)(nil)
)
