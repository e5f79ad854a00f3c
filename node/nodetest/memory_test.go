package nodetest_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"testing"

	"dfsmount/node"
	"dfsmount/node/nodetest"
)

func TestMemory(t *testing.T) {
	nodetest.TestHost(t, func(t *testing.T) node.Host { return nodetest.NewMemory() })
}

func TestMemoryTamper(t *testing.T) {
	m := nodetest.NewMemory()
	n := m.Volume(nodetest.VolumeID)
	nodetest.MustPut(t, n, "a", []byte("good"))
	m.Tamper(nodetest.VolumeID, "a", func(b []byte) []byte { b[0] = 'f'; return b })
	if got, err := nodetest.Read(n, "a", 0, -1); err != nil || string(got) != "food" {
		t.Errorf("get: %q, %v", got, err)
	}
	info, err := n.Stat(context.Background(), "a")
	if err != nil || info.Sum != sha256.Sum256([]byte("food")) {
		t.Errorf("stat: %v, %v; want the sum of what is stored now", info, err)
	}
	m.Tamper(nodetest.VolumeID, "a", func([]byte) []byte { return nil })
	if _, err := n.Stat(context.Background(), "a"); !errors.Is(err, node.ErrNotExist) {
		t.Errorf("stat: %v", err)
	}
}
