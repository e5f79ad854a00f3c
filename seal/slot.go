package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"time"

	"filippo.io/age"
)

// SlotKind says what opens a key slot.
type SlotKind string

// The kinds of key slots.
const (
	SlotPassphrase SlotKind = "passphrase" // age, scrypt
	SlotRecovery   SlotKind = "recovery"   // age, X25519; the identity is the recovery key
)

// Work factors of scrypt are powers of two: the memory is 1 KiB times 2 to the work factor. Measured on one core of a
// server: 18 takes 0.9 s and 256 MiB, and each step doubles both.
const (
	defaultWorkFactor = 18 // age's own
	maxWorkFactor     = 20 // of a slot we open: it may have been made by an adversary to stop us
)

// Slot is the volume key, wrapped.
type Slot struct {
	Name    string
	Kind    SlotKind
	Created time.Time // UTC, whole seconds
	Age     []byte    // an age file with one recipient
}

// slotName is restrictive so that a name needs no escaping, in JSON or on a terminal.
var slotName = regexp.MustCompile(`^[A-Za-z0-9_.@+-]([A-Za-z0-9 _.@+-]*[A-Za-z0-9_.@+-])?$`)

func (s Slot) check() error {
	if len(s.Name) > maxNameSize || !slotName.MatchString(s.Name) {
		return fmt.Errorf("%w: key slot named %.64q; use up to %d letters, digits, spaces and -_.@+", ErrHeader, s.Name, maxNameSize)
	}
	if s.Kind != SlotPassphrase && s.Kind != SlotRecovery {
		return fmt.Errorf("%w: key slot of kind %.64q", ErrFeature, s.Kind)
	}
	if len(s.Age) == 0 || len(s.Age) > maxSlotSize {
		return fmt.Errorf("%w: key slot %q of %d bytes, want 1 to %d", ErrHeader, s.Name, len(s.Age), maxSlotSize)
	}
	return nil
}

// SlotOptions are what a new slot can be given. Name is required.
type SlotOptions struct {
	Name       string
	Created    time.Time
	WorkFactor int // of scrypt, 1 to 20; 0 means 18. Small ones are for tests
}

// AddPassphrase adds a slot that opens with passphrase, and signs h anew. It opens the slot again before it returns, which
// takes as long as Unlock does. On error h is as before.
func (h *Header) AddPassphrase(key *VolumeKey, o SlotOptions, passphrase []byte) error {
	r, err := age.NewScryptRecipient(string(passphrase))
	if err != nil {
		return fmt.Errorf("make key slot %q: %w", o.Name, err)
	}
	factor := o.WorkFactor
	if factor == 0 {
		factor = defaultWorkFactor
	}
	if factor < 1 || factor > maxWorkFactor {
		return fmt.Errorf("make key slot %q: work factor %d, want 1 to %d", o.Name, factor, maxWorkFactor)
	}
	r.SetWorkFactor(factor)
	id, err := passphraseIdentity(passphrase)
	if err != nil {
		return fmt.Errorf("make key slot %q: %w", o.Name, err)
	}
	return h.addSlot(key, SlotPassphrase, o, r, id)
}

// AddRecovery adds a slot that opens with a new recovery key, signs h anew, and returns the recovery key: to be shown
// once, and kept nowhere. On error h is as before.
func (h *Header) AddRecovery(key *VolumeKey, o SlotOptions) (*RecoveryKey, error) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, fmt.Errorf("make recovery key: %w", err)
	}
	if err := h.addSlot(key, SlotRecovery, o, id.Recipient(), id); err != nil {
		return nil, err
	}
	return &RecoveryKey{id}, nil
}

func (h *Header) addSlot(key *VolumeKey, kind SlotKind, o SlotOptions, r age.Recipient, id age.Identity) error {
	s := Slot{Name: o.Name, Kind: kind, Created: o.Created.UTC().Truncate(time.Second)}
	return h.change(key, func(h *Header, keys *Keys) error {
		// Room, name and kind first: wrapping by scrypt takes a second.
		h.Slots = append(h.Slots, s)
		h.Slots[len(h.Slots)-1].Age = []byte("not yet")
		if err := h.check(); err != nil {
			return fmt.Errorf("add key slot: %w", err)
		}
		blob, err := wrap(key, r)
		if err != nil {
			return fmt.Errorf("make key slot %q: %w", s.Name, err)
		}
		h.Slots[len(h.Slots)-1].Age = blob
		return reopens(blob, id, key)
	})
}

// wrap makes the age file of a slot.
func wrap(key *VolumeKey, r age.Recipient) ([]byte, error) {
	var blob bytes.Buffer
	w, err := age.Encrypt(&blob, r)
	if err != nil {
		return nil, err
	}
	key.buf.Use(func(b []byte) { _, err = w.Write(b) })
	if err := errors.Join(err, w.Close()); err != nil {
		return nil, err
	}
	return blob.Bytes(), nil
}

// unwrap opens the age file of a slot.
func unwrap(blob []byte, id age.Identity) (*VolumeKey, error) {
	r, err := age.Decrypt(bytes.NewReader(blob), id)
	if err != nil {
		return nil, err
	}
	raw := make([]byte, keySize+1)
	if _, err := io.ReadFull(r, raw[:keySize]); err != nil {
		return nil, fmt.Errorf("read volume key: %w", err)
	}
	// The end is authenticated too.
	if n, err := io.ReadFull(r, raw[keySize:]); n != 0 || err != io.EOF {
		return nil, fmt.Errorf("volume key is too long, or followed by something else (%v)", err)
	}
	return volumeKeyOf(raw[:keySize]), nil
}

// reopens tells whether a new slot gives the key back.
func reopens(blob []byte, id age.Identity, key *VolumeKey) error {
	back, err := unwrap(blob, id)
	if err != nil {
		return fmt.Errorf("open key slot just made: %w", err)
	}
	defer back.Wipe()
	if !back.equal(key) {
		return errors.New("open key slot just made: another key came back")
	}
	return nil
}

// RemoveSlot removes the slot with this name and signs h anew. The last slot stays. On error h is as before.
//
// NB: whoever has a copy of the old header can still open the slot there, and the volume key is still the same.
func (h *Header) RemoveSlot(key *VolumeKey, name string) error {
	return h.change(key, func(h *Header, _ *Keys) error {
		i := slices.IndexFunc(h.Slots, func(s Slot) bool { return s.Name == name })
		if i < 0 {
			return fmt.Errorf("remove key slot: there is none named %q", name)
		}
		if len(h.Slots) == 1 {
			return fmt.Errorf("remove key slot %q: it is the last one, and the volume could never be opened again", name)
		}
		h.Slots = slices.Delete(h.Slots, i, i+1)
		return nil
	})
}
