package segment

import (
	"fmt"
	"strconv"
	"strings"

	"dfsmount/seal"
)

// ID is a segment's number: 1, 2, 3 … without gaps in the accepted history of a volume.
type ID uint64

// Location says where a frame is. The zero Location is no place.
type Location struct {
	Segment ID
	Offset  uint32 // of the frame, in bytes from the start of the segment
	Length  uint32 // of the plaintext, in bytes
}

// Kinds of frames. The numbers are on other people's disks.
const (
	kindHeader   seal.Kind = 0 // what seals the header: never a frame, so that a frame of zeros is none
	KindExtent   seal.Kind = 1
	KindCommit   seal.Kind = 2
	KindPage     seal.Kind = 3
	KindManifest seal.Kind = 4
	KindFooter   seal.Kind = 5
)

func kindName(k seal.Kind) string {
	names := [...]string{"header", "extent", "commit", "page", "manifest", "footer"}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("frame of unknown kind %d", k)
}

func knownKind(k seal.Kind) bool { return k >= KindExtent && k <= KindFooter }

const objectPrefix = "segment/"

// ObjectName is the name of a sealed segment on nodes; names sort by number, then epoch (which NewWriter keeps below 2^32).
func ObjectName(number ID, epoch uint64) string {
	return fmt.Sprintf("%s%016x-%08x", objectPrefix, uint64(number), epoch)
}

// ParseObjectName is the inverse; ok is false for anything else.
func ParseObjectName(name string) (number ID, epoch uint64, ok bool) {
	rest, ok := strings.CutPrefix(name, objectPrefix)
	if !ok {
		return 0, 0, false
	}
	first, second, _ := strings.Cut(rest, "-")
	n, err1 := strconv.ParseUint(first, 16, 64)
	epoch, err2 := strconv.ParseUint(second, 16, 32)
	// Only the one spelling ObjectName has: two names for one segment would be two objects.
	if err1 != nil || err2 != nil || n == 0 || ObjectName(ID(n), epoch) != name {
		return 0, 0, false
	}
	return ID(n), epoch, true
}
