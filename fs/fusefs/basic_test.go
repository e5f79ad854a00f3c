package fusefs

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestMountReadWrite(t *testing.T) {
	loops(t, func(t *testing.T, loop string) {
		m := startRAM(t, loop)
		want := bytes.Repeat([]byte("0123456789abcdef"), 3<<16) // 3 MiB: several requests
		file := filepath.Join(m.Dir, "file")
		if err := os.WriteFile(file, want, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Error("read other bytes than were written")
		}
		m.Unmount()
	})
}
