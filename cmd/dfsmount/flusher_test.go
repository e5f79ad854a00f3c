package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// C1 promises 5 s, and the three stations add up.
func TestNobodySyncsForFiveSeconds(t *testing.T) {
	if sum := flushInterval + dirtyAge + commitInterval; sum > 4500*time.Millisecond {
		t.Errorf("what nobody syncs may be durable only after %v", sum)
	}
}

// After an unmount another filesystem is at the mount point: the flusher leaves it alone, and ends without one.
func TestFlushLeavesOtherFilesystemsAlone(t *testing.T) {
	if err := flush("0:0", t.TempDir()); err != nil {
		t.Errorf("another filesystem: %v", err)
	}
	if err := flush("0:0", filepath.Join(t.TempDir(), "gone")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := flushUntil(ctx, "0:0", "/gone"); err != nil {
		t.Errorf("ended at once: %v", err)
	}
}
