package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"time"
)

// Bounds of volume.json. It comes from nodes, which may send anything: they keep the cost of reading it small.
const (
	MaxHeaderSize      = 64 << 10 // bytes
	maxSlots           = 16
	maxPassphraseSlots = 8 // each may cost a derivation by scrypt at Unlock
	maxSlotSize        = 4096
	maxNameSize        = 64
)

// Header is volume.json: what must be known before the volume key is, and the key itself, wrapped once in every key
// slot. It is kept in the state directory and on every node, and secret to nobody.
//
// A Header is made by NewHeader and AddPassphrase or AddRecovery, or by ParseHeader. Until Unlock, UnlockRecovery or
// Verify was content with it, nothing in it may be believed. Not safe for concurrent use.
type Header struct {
	Volume     VolumeID
	Created    time.Time // UTC, whole seconds
	Generation uint64    // grows by one with every change: of two authentic headers, the greater one is newer
	Suite      Suite     // for new segments
	Features   []string
	Slots      []Slot // change them by the methods only
	mac        [sha256.Size]byte
}

// NewHeader returns the header of a new volume, without any slot: it cannot be marshalled before it has one.
func NewHeader(id VolumeID, suite Suite, created time.Time) *Header {
	return &Header{Volume: id, Created: created.UTC().Truncate(time.Second), Suite: suite}
}

// Verify returns ErrHeaderMAC unless h was made by a holder of keys, for their volume, and is unaltered. An older
// header of the volume is authentic too: see Generation.
func (h *Header) Verify(keys *Keys) error {
	want, err := h.computeMAC(keys)
	if err != nil {
		return err
	}
	if keys.volume != h.Volume || !hmac.Equal(want[:], h.mac[:]) {
		return ErrHeaderMAC
	}
	return nil
}

func (h *Header) verifyWith(key *VolumeKey) error {
	keys := key.Derive(h.Volume)
	defer keys.wipe()
	return h.Verify(keys)
}

// change verifies h, lets edit work on a copy, and, if all goes well, replaces h by that copy, one generation on and signed.
func (h *Header) change(key *VolumeKey, edit func(h *Header, keys *Keys) error) error {
	keys := key.Derive(h.Volume)
	defer keys.wipe()
	if len(h.Slots) > 0 { // or it is new, and there is nothing to verify
		if err := h.Verify(keys); err != nil {
			return err
		}
	}
	next := *h
	next.Slots = append([]Slot(nil), h.Slots...)
	if err := edit(&next, keys); err != nil {
		return err
	}
	next.Generation++
	mac, err := next.computeMAC(keys)
	if err != nil {
		return err
	}
	next.mac = mac
	if _, err := next.Marshal(); err != nil { // reads it back
		return err
	}
	*h = next
	return nil
}

// computeMAC is HMAC-SHA-256 under the header key over the canonical form with an empty MAC.
func (h *Header) computeMAC(keys *Keys) (sum [sha256.Size]byte, err error) {
	b, err := h.encode("")
	if err != nil {
		return sum, err
	}
	keys.useRoot(rootHeader, func(root []byte) {
		m := hmac.New(sha256.New, root)
		m.Write(b)
		m.Sum(sum[:0])
	})
	return sum, nil
}

// check refuses what ParseHeader would refuse, whoever made it.
func (h *Header) check() error {
	if !h.Suite.Valid() {
		return fmt.Errorf("%w: cipher %v", ErrFeature, h.Suite)
	}
	if err := checkFeatures(h.Features); err != nil {
		return err
	}
	if n := len(h.Slots); n < 1 || n > maxSlots {
		return fmt.Errorf("%w: %d key slots, want 1 to %d", ErrHeader, n, maxSlots)
	}
	names, passphrases := map[string]bool{}, 0
	for _, s := range h.Slots {
		if err := s.check(); err != nil {
			return err
		}
		if names[s.Name] {
			return fmt.Errorf("%w: two key slots named %q", ErrHeader, s.Name)
		}
		if names[s.Name] = true; s.Kind == SlotPassphrase {
			passphrases++
		}
	}
	if passphrases > maxPassphraseSlots {
		return fmt.Errorf("%w: %d passphrases, want up to %d", ErrHeader, passphrases, maxPassphraseSlots)
	}
	return nil
}
