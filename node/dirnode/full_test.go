package dirnode

import (
	"context"
	"errors"
	"path/filepath"
	"syscall"
	"testing"

	"dfsmount/internal/testenv"
	"dfsmount/node"
	"dfsmount/node/nodetest"
)

// TestFullDisk: a disk without room says ErrFull before it stores anything, keeps what it has, and takes objects again once there is room.
func TestFullDisk(t *testing.T) {
	testenv.NeedRoot(t)
	at := t.TempDir()
	if err := syscall.Mount("dfsmount-test", at, "tmpfs", 0, "size=1m"); err != nil {
		testenv.Skip(t, "mount a tmpfs: "+err.Error())
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(at, 0); err != nil {
			t.Errorf("unmount %s: %v", at, errors.Join(err, syscall.Unmount(at, syscall.MNT_DETACH)))
		}
	})
	h, err := open(filepath.Join(at, "node"), Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	n, data := h.Volume(nodetest.VolumeID), nodetest.Bytes("a", 600_000)
	nodetest.MustPut(t, n, "a", data)
	if err := put(n, "b", nodetest.Bytes("b", len(data))); !errors.Is(err, node.ErrFull) || errors.Is(err, node.ErrPermanent) {
		t.Errorf("put: %v, want ErrFull", err)
	}
	wantTemps(t, h, 0)
	if names, err := nodetest.Names(n, "", ""); err != nil || len(names) != 1 {
		t.Errorf("list: %q, %v; want a alone", names, err)
	}
	if err := n.Delete(context.Background(), "a"); err != nil {
		t.Fatal(err)
	}
	nodetest.MustPut(t, n, "b", nodetest.Bytes("b", len(data)))
}
