package cache

// bucket names one of the index's key spaces.
type bucket string

const (
	bucketPages bucket = "pages" // page id → sealed page
	bucketDir   bucket = "dir"   // page id → sealed directory record
	bucketMeta  bucket = "meta"  // "root" → salt ‖ sealed root
	bucketLocal bucket = "local" // what is not replicated: segments, acknowledgements
)

var buckets = []bucket{bucketPages, bucketDir, bucketMeta, bucketLocal}

// index is the seam under the store's index: ordered buckets of opaque values with atomic, durable updates. Two
// implementations are held to one suite: bbolt, and one on a disk.FS so that tests can crash at its every write.
// Everything it is given is sealed already. Safe for concurrent use.
type index interface {
	// get calls fn with a value, nil if there is none; the slice is valid during the call. fn must not call the index.
	get(b bucket, key []byte, fn func(value []byte) error) error
	// scan calls fn in ascending order of keys; the slices are valid during the call. fn must not call the index.
	scan(b bucket, fn func(key, value []byte) error) error
	// update runs fn and makes its changes durable as one: when it returns nil they survive a power cut, else none is visible,
	// now or after reopening.
	update(fn func(w indexWriter) error) error
	close() error
}

// indexWriter collects the changes of one update. Slices are not kept after the update.
type indexWriter interface {
	put(b bucket, key, value []byte) error
	delete(b bucket, key []byte) error // of what is not there is no error
}
