package disk

import (
	"bytes"
	"errors"
	"io"
	iofs "io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
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

func TestFullIsRecognised(t *testing.T) {
	for _, errno := range []syscall.Errno{unix.ENOSPC, unix.EDQUOT} {
		var pe *iofs.PathError
		err := full(&iofs.PathError{Op: "write", Path: "f", Err: errno})
		if !errors.Is(err, ErrFull) || !errors.Is(err, errno) || !errors.As(err, &pe) {
			t.Errorf("%v is not recognised: %v", errno, err)
		}
	}
	if err := full(unix.EIO); errors.Is(err, ErrFull) {
		t.Errorf("%v is taken for a full disk", err)
	}
	if full(nil) != nil {
		t.Error("no error became one")
	}
}
