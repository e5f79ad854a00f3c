package cache

import (
	"encoding/binary"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

func numberValue(n int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

// smallFilesystem mounts a tmpfs of so many bytes.
func smallFilesystem(t *testing.T, bytes int) string {
	t.Helper()
	dir := t.TempDir()
	err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NODEV|unix.MS_NOSUID, "size="+strconv.Itoa(bytes)+",mode=0700")
	if err != nil {
		t.Skipf("SKIPPED, this needs the right to mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil { // the store's handle of the directory lives as long as the process
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}
