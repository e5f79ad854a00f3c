package segment

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// Commit is a group of whole transactions.
type Commit struct {
	Seq     uint64 // number of this commit in the history: 1, 2, 3 … without gaps
	Time    time.Time
	Durable uint32 // everything of this segment before this offset was known to be synced when the commit was written
	Changes []Change
}

// appendCommit writes the plaintext of a commit. It is not compressed: that would stand between a caller and his fsync,
// and the footer repeats the changes.
func appendCommit(b []byte, c *Commit) ([]byte, error) {
	b = append(b, bodyRaw)
	b = binary.AppendUvarint(b, c.Seq)
	b = appendTime(b, c.Time)
	b = binary.AppendUvarint(b, uint64(c.Durable))
	return appendChanges(b, c.Changes)
}

// decodeCommit reads what appendCommit wrote. Values of the result are part of plain.
func decodeCommit(plain []byte) (Commit, error) {
	body, err := unpack(plain)
	if err != nil {
		return Commit{}, err
	}
	d := decoder{rest: body}
	c := Commit{
		Seq:     d.uvarint(),
		Time:    d.time(),
		Durable: uint32(d.upTo(math.MaxUint32, "durable offset")),
		Changes: d.changes(),
	}
	if err := d.end(); err != nil {
		return Commit{}, fmt.Errorf("decode commit: %w", err)
	}
	return c, nil
}
