package fs

import (
	"dfsmount/segment"
	"encoding/binary"
	"fmt"
)

// The tables of the key space and the encodings below are on other people's disks: see doc.go. A change of any of
// them is a new version byte, never a new meaning of an old one.
const (
	tableInode   = 'I'
	tableDirent  = 'D'
	tableExtent  = 'E'
	tableXattr   = 'X'
	tableOrphan  = 'O'
	tableCounter = 'N'

	formatVersion = 1
)

var (
	keyNext     = []byte{tableCounter, 'i'} // the next inode number nobody has leased
	keyCounters = []byte{tableCounter, 'c'} // how many inodes and bytes there are

	be = binary.BigEndian
)

func key1(table byte, a uint64) []byte {
	return be.AppendUint64([]byte{table}, a)
}

func key2(table byte, a, b uint64) []byte {
	k := make([]byte, 17)
	k[0] = table
	be.PutUint64(k[1:], a)
	be.PutUint64(k[9:], b)
	return k
}

func inodeKey(id InodeID) []byte  { return key1(tableInode, uint64(id)) }
func orphanKey(id InodeID) []byte { return key1(tableOrphan, uint64(id)) }
func direntKey(parent InodeID, cookie uint64) []byte {
	return key2(tableDirent, uint64(parent), cookie)
}
func extentKey(id InodeID, off int64) []byte  { return key2(tableExtent, uint64(id), uint64(off)) }
func xattrKey(id InodeID, hash uint64) []byte { return key2(tableXattr, uint64(id), hash) }
func tableEnd(table byte) []byte              { return []byte{table + 1} }
func rangeOf(table byte, id InodeID) (from, to []byte) {
	return key1(table, uint64(id)), key1(table, uint64(id)+1)
}

// parseKey1 and parseKey2 are the strict inverses of key1 and key2.
func parseKey1(table byte, k []byte) (uint64, error) {
	if len(k) != 9 || k[0] != table {
		return 0, damaged(table, "key", k)
	}
	return be.Uint64(k[1:]), nil
}

func parseKey2(table byte, k []byte) (a, b uint64, err error) {
	if len(k) != 17 || k[0] != table {
		return 0, 0, damaged(table, "key", k)
	}
	return be.Uint64(k[1:]), be.Uint64(k[9:]), nil
}

func damaged(table byte, what string, b []byte) error {
	return fmt.Errorf("decode %s of table %c: not one this version writes: %x", what, table, b)
}

// dirent is the value of a directory entry.
type dirent struct {
	child InodeID
	kind  uint32 // the type bits of the child's mode
	name  string
}

func (d dirent) encode() []byte {
	b := make([]byte, 0, 10+len(d.name))
	b = append(b, formatVersion, byte(d.kind>>12))
	b = be.AppendUint64(b, uint64(d.child))
	return append(b, d.name...)
}

func decodeDirent(b []byte) (dirent, error) {
	if len(b) < 11 || len(b) > 10+MaxName || b[0] != formatVersion || b[1] > 15 {
		return dirent{}, damaged(tableDirent, "value", b)
	}
	d := dirent{InodeID(be.Uint64(b[2:])), uint32(b[1]) << 12, string(b[10:])}
	if !knownKind(d.kind) || d.child == 0 || validName(d.name) != nil {
		return dirent{}, damaged(tableDirent, "value", b)
	}
	return d, nil
}

// extent maps length bytes of a file from off on to the bytes of a frame from skip on.
type extent struct {
	off    int64
	length uint32
	loc    segment.Location
	skip   uint32
}

func (e extent) end() int64 { return e.off + int64(e.length) }

const extentValue = 1 + 4 + 8 + 4 + 4 + 4

func (e extent) encode() []byte {
	b := make([]byte, 0, extentValue)
	b = append(b, formatVersion)
	b = be.AppendUint32(b, e.length)
	b = be.AppendUint64(b, uint64(e.loc.Segment))
	b = be.AppendUint32(b, e.loc.Offset)
	b = be.AppendUint32(b, e.loc.Length)
	return be.AppendUint32(b, e.skip)
}

func decodeExtent(k, b []byte) (InodeID, extent, error) {
	id, off, err := parseKey2(tableExtent, k)
	if err != nil {
		return 0, extent{}, err
	}
	if len(b) != extentValue || b[0] != formatVersion || off >= MaxSize {
		return 0, extent{}, damaged(tableExtent, "value", b)
	}
	e := extent{
		off:    int64(off),
		length: be.Uint32(b[1:]),
		loc:    segment.Location{Segment: segment.ID(be.Uint64(b[5:])), Offset: be.Uint32(b[13:]), Length: be.Uint32(b[17:])},
		skip:   be.Uint32(b[21:]),
	}
	if e.length == 0 || uint64(e.skip)+uint64(e.length) > uint64(e.loc.Length) || int64(e.length) > MaxSize-e.off {
		return 0, extent{}, damaged(tableExtent, "value", b)
	}
	return InodeID(id), e, nil
}

// xattr is the value of an extended attribute.
type xattr struct {
	name  string
	value []byte
}

func (x xattr) encode() []byte {
	b := make([]byte, 0, 2+len(x.name)+len(x.value))
	b = append(b, formatVersion, byte(len(x.name)))
	b = append(b, x.name...)
	return append(b, x.value...)
}

// decodeXattr shares b.
func decodeXattr(b []byte) (xattr, error) {
	if len(b) < 3 || b[0] != formatVersion || b[1] == 0 || len(b) < 2+int(b[1]) || len(b) > 2+int(b[1])+MaxXattr {
		return xattr{}, damaged(tableXattr, "value", b)
	}
	n := 2 + int(b[1])
	return xattr{string(b[2:n]), b[n:]}, nil
}

// counters are kept in step with the state by every transaction that changes them.
type counters struct{ inodes, bytes uint64 }

func (c counters) encode() []byte {
	b := be.AppendUint64([]byte{formatVersion}, c.inodes)
	return be.AppendUint64(b, c.bytes)
}

func decodeCounters(b []byte) (counters, error) {
	if len(b) != 17 || b[0] != formatVersion {
		return counters{}, damaged(tableCounter, "value", b)
	}
	return counters{be.Uint64(b[1:]), be.Uint64(b[9:])}, nil
}

func encodeNext(n InodeID) []byte { return be.AppendUint64([]byte{formatVersion}, uint64(n)) }

func decodeNext(b []byte) (InodeID, error) {
	if len(b) != 9 || b[0] != formatVersion || be.Uint64(b[1:]) <= uint64(Root) {
		return 0, damaged(tableCounter, "value", b)
	}
	return InodeID(be.Uint64(b[1:])), nil
}
