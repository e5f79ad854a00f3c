package node

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// Limits of names. They hold on every kind of node: a part is a file name, shorter than eCryptfs allows (143), and a whole name an
// S3 key, far shorter than 1024.
const (
	MaxParts      = 4
	MaxPartLength = 100
)

// String is the sum in lower-case hex.
func (s Sum) String() string { return hex.EncodeToString(s[:]) }

// ValidName reports whether name can name an object: one to MaxParts parts joined by single '/', each ValidPart.
func ValidName(name string) bool {
	parts := 0
	for part := range strings.SplitSeq(name, "/") {
		if parts++; parts > MaxParts || !ValidPart(part) {
			return false
		}
	}
	return true
}

// ValidPart reports whether part can be one part of a name: 1 to MaxPartLength of a-z, 0-9 and '-'.
func ValidPart(part string) bool {
	if part == "" || len(part) > MaxPartLength {
		return false
	}
	for i := range len(part) {
		if c := part[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// ValidVolume reports whether id can name a volume: 32 lower-case hex digits.
func ValidVolume(id string) bool {
	if len(id) != 32 {
		return false
	}
	for i := range len(id) {
		if c := id[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// Check is how every node refuses what is no name: nil, or an error that matches ErrPermanent.
func Check(volume, name string) error {
	if !ValidVolume(volume) {
		return fmt.Errorf("%q is not a volume id: %w", volume, ErrPermanent)
	}
	if !ValidName(name) {
		return fmt.Errorf("%q is not an object name: %w", name, ErrPermanent)
	}
	return nil
}
