package replicator

import (
	"bytes"
	"context"
	"dfsmount/cache"
	"dfsmount/seal"
	"dfsmount/segment"
	"time"
)

// cacheStore is a cache.Store as local.
type cacheStore struct {
	*cache.Store
}

func newCacheStore(s *cache.Store) local { return cacheStore{s} }

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

func (c cacheStore) sync(ctx context.Context) error { return c.Store.Sync(ctx) }

func (c cacheStore) segments(from segment.ID) []sealedSegment         { panic("no log yet") }
func (c cacheStore) news() <-chan struct{}                            { panic("no log yet") }
func (c cacheStore) open(id segment.ID) (localFile, error)            { panic("no log yet") }
func (c cacheStore) verify(s sealedSegment, src segment.Source) error { panic("no log yet") }
func (c cacheStore) acks(node NodeID) (idSet, error)                  { panic("no log yet") }
func (c cacheStore) recordAcks(node NodeID, ids []segment.ID) error   { panic("no log yet") }
func (c cacheStore) dropAcks(node NodeID, ids []segment.ID) error     { panic("no log yet") }
func (c cacheStore) removeNode(node NodeID) error                     { panic("no log yet") }
func (c cacheStore) sealNow(ctx context.Context) (segment.ID, error)  { panic("no log yet") }
func (c cacheStore) unsealed() (int64, time.Time)                     { panic("no log yet") }
func (c cacheStore) epoch() uint64                                    { panic("no log yet") }

func createFromNodes(ctx context.Context, dir string, k *seal.Keys, h Head, epoch uint64, f placesFetcher) (clonedStore, error) {
	panic("no log yet")
}

func (c cacheStore) Close() error { return c.Store.Close() }
