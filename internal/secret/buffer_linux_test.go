package secret

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// flags returns the VmFlags of the mapping that holds b.
func flags(t *testing.T, b []byte) string {
	t.Helper()
	maps, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer maps.Close()
	at, inside := uintptr(unsafe.Pointer(&b[0])), false
	for s := bufio.NewScanner(maps); s.Scan(); {
		var from, to uintptr
		if n, _ := fmt.Sscanf(s.Text(), "%x-%x ", &from, &to); n == 2 {
			inside = from <= at && at < to
		}
		if text, ok := strings.CutPrefix(s.Text(), "VmFlags:"); ok && inside {
			return text + " "
		}
	}
	t.Fatal("the buffer is not mapped")
	return ""
}

func TestBufferIsProtected(t *testing.T) {
	s := New(32)
	defer s.Wipe()
	s.Use(func(b []byte) {
		f := flags(t, b)
		if !strings.Contains(f, " dd ") {
			t.Errorf("core dumps may hold the buffer: %s", f)
		}
		switch err := s.Err(); {
		case err == nil && !strings.Contains(f, " lo "):
			t.Errorf("the buffer is not locked, and Err does not say so: %s", f)
		case err != nil && !errors.Is(err, unix.ENOMEM) && !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EAGAIN):
			t.Errorf("error %v", err)
		}
	})
}

func TestBufferHoldsBytes(t *testing.T) {
	s := New(5)
	s.Use(func(b []byte) {
		if !bytes.Equal(b, make([]byte, 5)) || cap(b) != 5 {
			t.Errorf("a new buffer holds %x of %d", b, cap(b))
		}
		copy(b, "bytes")
	})
	s.Use(func(b []byte) {
		if string(b) != "bytes" {
			t.Errorf("it holds %q", b)
		}
	})
}

func TestWipe(t *testing.T) {
	onHeap := &Buffer{b: []byte("secret")}
	kept := onHeap.b
	for _, s := range []*Buffer{New(5), onHeap} {
		s.Wipe()
		s.Wipe()
		func() {
			defer func() {
				if recover() == nil {
					t.Error("a wiped buffer was used")
				}
			}()
			s.Use(func([]byte) {})
		}()
	}
	if !bytes.Equal(kept, make([]byte, 6)) {
		t.Errorf("left behind: %q", kept)
	}
}
