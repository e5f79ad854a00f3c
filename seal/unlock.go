package seal

import (
	"errors"
	"fmt"

	"filippo.io/age"
)

// Unlock opens the volume with a passphrase: it tries the slots of that kind, and verifies h with the key found.
// ErrPassphrase if none opens, ErrSlot if those that might have are damaged, ErrHeaderMAC if one opens but h was
// altered. The caller wipes the key.
//
// Each slot costs about a second and 256 MiB; one made by an adversary up to four seconds and 1 GiB, and a header holds at most 8.
func (h *Header) Unlock(passphrase []byte) (*VolumeKey, error) {
	id, err := passphraseIdentity(passphrase)
	if err != nil {
		return nil, err
	}
	return h.unlock(SlotPassphrase, id)
}

// UnlockRecovery is Unlock with a recovery key. It takes no time to speak of.
func (h *Header) UnlockRecovery(key *RecoveryKey) (*VolumeKey, error) {
	return h.unlock(SlotRecovery, key.id)
}

func passphraseIdentity(passphrase []byte) (age.Identity, error) {
	id, err := age.NewScryptIdentity(string(passphrase))
	if err != nil { // it is empty
		return nil, fmt.Errorf("%w: %v", ErrPassphrase, err)
	}
	id.SetMaxWorkFactor(maxWorkFactor)
	return id, nil
}

func (h *Header) unlock(kind SlotKind, id age.Identity) (*VolumeKey, error) {
	var damaged error
	tried, altered := 0, false
	for _, s := range h.Slots {
		if s.Kind != kind {
			continue
		}
		key, err := unwrap(s.Age, id)
		if _, other := errors.AsType[*age.NoIdentityMatchError](err); other {
			tried++
			continue
		}
		if err != nil {
			damaged = fmt.Errorf("%w: %q: %v", ErrSlot, s.Name, err)
			continue
		}
		if h.verifyWith(key) == nil {
			return key, nil
		}
		// The key of an older generation, perhaps: another slot may hold the right one.
		altered = true
		key.Wipe()
	}
	switch {
	case altered:
		return nil, ErrHeaderMAC
	case damaged != nil && tried == 0:
		return nil, damaged
	case damaged != nil:
		return nil, fmt.Errorf("%w; of the others, %v", ErrPassphrase, damaged)
	}
	return nil, ErrPassphrase
}
