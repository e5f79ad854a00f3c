package fusefs

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"

	"dfsmount/cache"

	"github.com/hanwen/go-fuse/v2/fuse"
)

func TestStatusDoor(t *testing.T) {
	wrapped := &fs.PathError{Op: "open", Path: "segments/7.seg", Err: syscall.ENOENT}
	for _, c := range []struct {
		err    error
		want   fuse.Status
		logged bool
	}{
		{nil, fuse.OK, false},
		{syscall.ENOENT, fuse.ENOENT, false},
		{syscall.ENOTEMPTY, fuse.Status(syscall.ENOTEMPTY), false},
		{syscall.ENOSPC, fuse.Status(syscall.ENOSPC), false},
		{cache.ErrFull, fuse.Status(syscall.ENOSPC), false},
		{fmt.Errorf("append extent: %w", cache.ErrFull), fuse.Status(syscall.ENOSPC), false},
		{wrapped, fuse.EIO, true},
		{fmt.Errorf("read index: %w", syscall.ENOSPC), fuse.EIO, true},
		{context.Canceled, fuse.EIO, true}, // durability work is not interrupted, so this is a fault
		{syscall.Errno(0), fuse.EIO, true}, // would be success
		{syscall.Errno(512), fuse.EIO, true},
		{syscall.ENOSYS, fuse.ENOTSUP, false}, // would switch the operation off for all files
	} {
		var log bytes.Buffer
		a := &adapter{log: slog.New(slog.NewTextHandler(&log, nil))}
		if got := a.status("unlink", 17, c.err); got != c.want {
			t.Errorf("status of %v is %v, want %v", c.err, got, c.want)
		}
		line := log.String()
		if c.logged != (line != "") {
			t.Errorf("status of %v logged %q", c.err, line)
		}
		if c.logged && (!strings.Contains(line, "op=unlink") || !strings.Contains(line, "inode=17") || strings.Count(line, "\n") != 1) {
			t.Errorf("status of %v logged %q, want one line that names operation and inode", c.err, line)
		}
	}
}

func TestReadStatusOfInterrupt(t *testing.T) {
	a := &adapter{log: slog.New(slog.DiscardHandler)}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	fetch := fmt.Errorf("fetch extent: %w", context.Canceled)
	for _, c := range []struct {
		name string
		ctx  context.Context
		err  error
		want fuse.Status
	}{
		{"interrupted", cancelled, fetch, fuse.EINTR},
		{"interrupted, but failed for another reason", cancelled, os.ErrInvalid, fuse.EIO},
		{"interrupted, but done", cancelled, nil, fuse.OK},
		{"not interrupted", context.Background(), fetch, fuse.EIO},
	} {
		if got := a.readStatus(c.ctx, 1, c.err); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
