package disk

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// The path for filesystems without fallocate, which the machine running the tests hardly has.
func TestAllocateByWriting(t *testing.T) {
	for _, tc := range []struct {
		had            int
		offset, length int64
	}{{0, 0, 10}, {5, 0, 10}, {5, 3, 600 << 10}, {5, 8, 4}, {50, 0, 10}} {
		f, err := os.Create(filepath.Join(t.TempDir(), "f"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		want := bytes.Repeat([]byte{7}, tc.had)
		if _, err := f.Write(want); err != nil {
			t.Fatal(err)
		}
		if err := (&osFile{f}).writeZeros(tc.offset, tc.length); err != nil {
			t.Fatal(err)
		}
		want = append(want, make([]byte, max(0, int(tc.offset+tc.length)-tc.had))...)
		got, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<30))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%+v: %d bytes, want %d, %v", tc, len(got), len(want), err)
		}
	}
}
