package seal

import "errors"

// ErrAuth is returned for sealed bytes that were not sealed for the place they were read from: altered, cut,
// moved, or sealed under another key. The cases cannot be told apart.
var ErrAuth = errors.New("sealed bytes are not authentic: altered, cut, moved, or sealed under another key")

// Errors of volume.json and its key slots. Each text is a sentence for the person at the shell.
var (
	// ErrPassphrase: no key slot opens with the passphrase or recovery key given.
	ErrPassphrase = errors.New("no key slot of this volume opens with that passphrase or recovery key")
	// ErrSlot: a key slot is damaged, or was made to cost more than we accept, and no other one opened.
	ErrSlot = errors.New("a key slot of this volume is damaged")
	// ErrRecoveryKey: the text typed is no recovery key.
	ErrRecoveryKey = errors.New("this is not a recovery key")
	// ErrHeaderMAC: volume.json was altered by someone who does not hold the volume key, or belongs to another key.
	ErrHeaderMAC = errors.New("volume.json was altered, or belongs to another volume key")
	// ErrHeader: the bytes are no volume.json.
	ErrHeader = errors.New("volume.json is damaged")
	// ErrVersion: the volume has a format this version of dfsmount does not know.
	ErrVersion = errors.New("this volume has a format that this version of dfsmount does not know")
	// ErrFeature: the volume uses a feature this version of dfsmount does not know.
	ErrFeature = errors.New("this volume uses a feature that this version of dfsmount does not know")
)
