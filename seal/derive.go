package seal

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"sync"

	"dfsmount/internal/secret"
)

// Labels of the derivations. Each is used in one place, and none is a prefix of another. They are part of every format.
const (
	labelFrames  = "dfsmount v1 log"
	labelIndex   = "dfsmount v1 index"
	labelNames   = "dfsmount v1 names"
	labelHeader  = "dfsmount v1 header"
	labelSegment = "dfsmount v1 segment"
	labelCommit  = "dfsmount v1 commitment"
	labelFrame   = "dfsmount v1 frame"
	labelValues  = "dfsmount v1 values"
)

// Salt makes the keys of a segment (or of an index) its own. Random, public, never reused.
type Salt [16]byte

// NewSalt returns a random salt.
func NewSalt() Salt {
	var s Salt
	rand.Read(s[:])
	return s
}

// Keys are all keys derived from one volume key. Safe for concurrent use. They last as long as the process: there is
// no way for others to wipe them, since whoever seals in the background must never meet a key of zeros.
type Keys struct {
	volume VolumeID
	roots  *secret.Buffer // frames ‖ index ‖ header, keySize bytes each
	names  macPool
}

// Derive returns the keys of the volume with this id. The id is the salt of the derivation: one key used for two
// volumes still gives unrelated keys.
func (k *VolumeKey) Derive(id VolumeID) *Keys {
	keys := &Keys{volume: id, roots: secret.New(3 * keySize)}
	k.buf.Use(func(master []byte) {
		keys.roots.Use(func(roots []byte) {
			for i, label := range []string{labelFrames, labelIndex, labelHeader} {
				derive(roots[i*keySize:(i+1)*keySize], master, id[:], label)
			}
		})
		var names [keySize]byte
		derive(names[:], master, id[:], labelNames)
		keys.names = newMACPool(names[:])
	})
	return keys
}

// derive fills out, keySize bytes, with HKDF-SHA-256 of secret, salt and info.
func derive(out, secret, salt []byte, info string) {
	okm, err := hkdf.Key(sha256.New, secret, salt, info, keySize)
	if err != nil {
		panic(fmt.Sprintf("seal: derive key: %v", err)) // only for lengths out of range, and ours is constant
	}
	copy(out, okm)
	clear(okm)
}

// rootFrames and its neighbours number the parts of Keys.roots.
const (
	rootFrames = iota
	rootIndex
	rootHeader
)

// useRoot calls f with one of the root keys, which f must not keep.
func (k *Keys) useRoot(i int, f func(root []byte)) {
	k.roots.Use(func(b []byte) { f(b[i*keySize : (i+1)*keySize]) })
}

// wipe is for keys that never left the function which derived them.
func (k *Keys) wipe() { k.roots.Wipe() }

// Volume returns the id of the volume these keys belong to.
func (k *Keys) Volume() VolumeID { return k.volume }

// Protection is what VolumeKey.Protection is, for the keys derived from it.
func (k *Keys) Protection() error { return k.roots.Err() }

// Format keeps keys out of every log line, whatever the verb.
func (k *Keys) Format(f fmt.State, _ rune) { fmt.Fprint(f, "seal.Keys(secret)") }

// Segment derives the key of the segment with this number, epoch and salt. A suite that is not Valid gives a key
// that fails at every use, so that a header from a hostile node cannot make anything panic.
func (k *Keys) Segment(number, epoch uint64, salt Salt, suite Suite) *SegmentKey {
	info := append(make([]byte, 0, 64), labelSegment...)
	info = binary.BigEndian.AppendUint64(info, number)
	info = binary.BigEndian.AppendUint64(info, epoch)
	info = append(info, byte(suite))
	var prk [keySize]byte
	k.useRoot(rootFrames, func(root []byte) { derive(prk[:], root, salt[:], string(info)) })
	return newSegmentKey(prk[:], suite)
}

// Index derives the key of an index from its salt.
func (k *Keys) Index(salt Salt) *IndexKey {
	var key [keySize]byte
	k.useRoot(rootIndex, func(root []byte) { derive(key[:], root, salt[:], labelValues) })
	return newIndexKey(key[:])
}

// NameHash is the keyed hash of a name in a directory: 64 bits of HMAC-SHA-256. It is the same for the life of the
// volume, and tells nothing of the name to those without the key.
//
//	NameHash = BE64(first 8 bytes of HMAC-SHA-256(names, BE64(parent) ‖ name))
func (k *Keys) NameHash(parent uint64, name string) uint64 {
	m := k.names.get()
	defer k.names.put(m)
	binary.BigEndian.PutUint64(m.in[:], parent)
	m.hash.Write(m.in[:8])
	for len(name) > 0 { // by way of m.in: a conversion to []byte would escape to the heap
		n := copy(m.in[:], name)
		m.hash.Write(m.in[:n])
		name = name[n:]
	}
	return binary.BigEndian.Uint64(m.sum())
}

// macPool recycles HMACs that have their key scheduled already: deriving a frame key costs two blocks of SHA-256 and
// no allocation.
type macPool struct{ pool *sync.Pool }

// mac is one HMAC-SHA-256 with room for its input and output, which would escape to the heap as local variables.
type mac struct {
	hash hash.Hash
	in   [64]byte
	out  [sha256.Size]byte
}

// newMACPool returns a pool of HMACs under key, which it keeps. The caller's slice must not change.
func newMACPool(key []byte) macPool {
	return macPool{&sync.Pool{New: func() any { return &mac{hash: hmac.New(sha256.New, key)} }}}
}

func (p macPool) get() *mac  { return p.pool.Get().(*mac) }
func (p macPool) put(m *mac) { m.hash.Reset(); clear(m.out[:]); p.pool.Put(m) }

// sum returns the HMAC of what was written; the slice is m's own and wiped by put.
func (m *mac) sum() []byte { return m.hash.Sum(m.out[:0]) }
