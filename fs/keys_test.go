package fs

import (
	"bytes"
	"dfsmount/segment"
	"encoding/hex"
	"strings"
	"syscall"
	"testing"
)

// goldens are the bytes of version 1. They are on other people's disks.
var goldens = []struct {
	name string
	got  []byte
	want string
}{
	{"inode key", inodeKey(0x0102030405060708), "49 0102030405060708"},
	{"orphan key", orphanKey(7), "4f 0000000000000007"},
	{"dirent key", direntKey(7, 0x0102030405060708), "44 0000000000000007 0102030405060708"},
	{"extent key", extentKey(7, 0x40000), "45 0000000000000007 0000000000040000"},
	{"xattr key", xattrKey(7, 0xff00), "58 0000000000000007 000000000000ff00"},
	{"next key", keyNext, "4e 69"},
	{"counters key", keyCounters, "4e 63"},
	{"next", encodeNext(0x400), "01 0000000000000400"},
	{"counters", counters{5, 0x1000}.encode(), "01 0000000000000005 0000000000001000"},
	{"dirent", dirent{9, syscall.S_IFREG, "name"}.encode(), "01 08 0000000000000009 6e616d65"},
	{"extent", extent{length: 0x1000, skip: 0x10, loc: segment.Location{Segment: 3, Offset: 0x2000, Length: 0x40000}}.encode(),
		"01 00001000 0000000000000003 00002000 00040000 00000010"},
	{"xattr", xattr{"user.a", []byte("v")}.encode(), "01 06 757365722e61 76"},
	{"symlink", (&record{
		mode: syscall.S_IFLNK | 0777, nlink: 1, uid: 2, gid: 3, xattrs: 4, size: 1, target: "t",
		atime: stamp{-1, 999999999}, mtime: stamp{1, 2}, ctime: stamp{3, 4}, btime: stamp{5, 6},
	}).encode(), "01 00 0000a1ff 00000001 00000002 00000003 00000000 00000004 0000000000000001 0000000000000000 0000000000000000" +
		"ffffffffffffffff 3b9ac9ff 0000000000000001 00000002 0000000000000003 00000004 0000000000000005 00000006 74"},
	{"directory", (&record{mode: syscall.S_IFDIR | 0755, nlink: 2, size: 6, parent: 1}).encode(),
		"01 00 000041ed 00000002 00000000 00000000 00000000 00000000 0000000000000006 0000000000000000 0000000000000001" +
			strings.Repeat("00", 48)},
}

func TestGoldens(t *testing.T) {
	for _, g := range goldens {
		want, err := hex.DecodeString(strings.ReplaceAll(g.want, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(g.got, want) {
			t.Errorf("%s is %x, want %x", g.name, g.got, want)
		}
	}
}

// decoders re-encode what they decode; nil stands for an error.
var decoders = map[string]func(b []byte) []byte{
	"record": func(b []byte) []byte {
		r, err := decodeRecord(b)
		if err != nil {
			return nil
		}
		return r.encode()
	},
	"dirent": func(b []byte) []byte {
		d, err := decodeDirent(b)
		if err != nil {
			return nil
		}
		return d.encode()
	},
	"extent": func(b []byte) []byte {
		_, e, err := decodeExtent(extentKey(2, 4096), b)
		if err != nil {
			return nil
		}
		return e.encode()
	},
	"xattr": func(b []byte) []byte {
		x, err := decodeXattr(b)
		if err != nil {
			return nil
		}
		return x.encode()
	},
	"counters": func(b []byte) []byte {
		c, err := decodeCounters(b)
		if err != nil {
			return nil
		}
		return c.encode()
	},
	"next": func(b []byte) []byte {
		n, err := decodeNext(b)
		if err != nil {
			return nil
		}
		return encodeNext(n)
	},
}

// FuzzDecode: what decodes is encoded to the same bytes; nothing panics.
func FuzzDecode(f *testing.F) {
	for _, g := range goldens {
		f.Add(g.got)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, decode := range decoders {
			if again := decode(b); again != nil && !bytes.Equal(again, b) {
				t.Errorf("%s: %x was taken for %x", name, b, again)
			}
		}
		if a, err := parseKey1(tableInode, b); err == nil && !bytes.Equal(inodeKey(InodeID(a)), b) {
			t.Errorf("key %x", b)
		}
		if p, c, err := parseKey2(tableDirent, b); err == nil && !bytes.Equal(direntKey(InodeID(p), c), b) {
			t.Errorf("key %x", b)
		}
	})
}

// TestCuts: a value that was shortened is not one, unless its end is free text.
func TestCuts(t *testing.T) {
	for _, g := range goldens {
		decode := decoders[g.name]
		if g.name == "symlink" || g.name == "directory" {
			decode = decoders["record"]
		}
		if decode == nil {
			continue
		}
		if !bytes.Equal(decode(g.got), g.got) {
			t.Errorf("%s does not come back", g.name)
		}
		shortest := map[string]int{"dirent": 11, "xattr": 8}[g.name]
		for n := range g.got {
			if again := decode(g.got[:n]); again != nil && (shortest == 0 || n < shortest) {
				t.Errorf("%s of %d bytes was accepted", g.name, n)
			}
		}
		unknown := append([]byte{2}, g.got[1:]...)
		if decode(unknown) != nil {
			t.Errorf("%s of an unknown version was accepted", g.name)
		}
	}
}
