package seal

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"

	"dfsmount/internal/secret"
)

// keySize is the size of every secret key, in bytes.
const keySize = 32

// VolumeID names a volume. Random, public.
type VolumeID [16]byte

// NewVolumeID returns a random id.
func NewVolumeID() VolumeID {
	var id VolumeID
	rand.Read(id[:]) // never fails: crypto/rand ends the process instead
	return id
}

// VolumeKey is the one secret a volume hangs on: 32 random bytes, in locked memory where the kernel allows it.
// Safe for concurrent use.
type VolumeKey struct{ buf *secret.Buffer }

// NewVolumeKey makes the key of a new volume.
func NewVolumeKey() *VolumeKey {
	k := &VolumeKey{buf: secret.New(keySize)}
	k.buf.Use(func(b []byte) { rand.Read(b) })
	return k
}

// volumeKeyOf copies raw, which must have keySize bytes, and wipes it.
func volumeKeyOf(raw []byte) *VolumeKey {
	if len(raw) != keySize {
		panic(fmt.Sprintf("seal: volume key of %d bytes", len(raw)))
	}
	k := &VolumeKey{buf: secret.New(keySize)}
	k.buf.Use(func(b []byte) { copy(b, raw) })
	clear(raw)
	return k
}

// equal compares in constant time.
func (k *VolumeKey) equal(other *VolumeKey) (same bool) {
	k.buf.Use(func(a []byte) {
		other.buf.Use(func(b []byte) { same = subtle.ConstantTimeCompare(a, b) == 1 })
	})
	return same
}

// Protection is nil if the key is locked against swapping and kept out of core dumps, else what of it could not be
// done: worth a line in the log, no reason to stop.
func (k *VolumeKey) Protection() error { return k.buf.Err() }

// Wipe forgets the key. Keys derived before stay usable; any other use of k afterwards panics.
func (k *VolumeKey) Wipe() { k.buf.Wipe() }

// Format keeps the key out of every log line, whatever the verb.
func (k *VolumeKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, "seal.VolumeKey(secret)") }
