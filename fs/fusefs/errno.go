package fusefs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"syscall"

	"dfsmount/cache"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// maxErrno is the largest error the kernel takes from a reply; a larger one makes it refuse the reply, and the caller waits for ever.
const maxErrno = 511

// status is the one door through which an error of the filesystem reaches a process. Only a bare errno is an answer: an ENOENT wrapped
// in a path error of our own state directory must never tell a user that his file is missing.
func (a *adapter) status(op string, ino uint64, err error) fuse.Status {
	if err == nil {
		return fuse.OK
	}
	if e, ok := err.(syscall.Errno); ok && e != 0 && e <= maxErrno {
		return answer(e)
	}
	if errors.Is(err, cache.ErrFull) {
		return fuse.Status(syscall.ENOSPC)
	}
	a.log.Error("operation failed", "op", op, "inode", ino, "err", err)
	return fuse.EIO
}

// answer is the errno itself, but for ENOSYS: that would tell the kernel never to ask for the operation again, on any file.
func answer(e syscall.Errno) fuse.Status {
	if e == syscall.ENOSYS {
		e = syscall.EOPNOTSUPP
	}
	return fuse.Status(e)
}

// readStatus is status for the one operation that an interrupt may end: a read that waits for a node.
func (a *adapter) readStatus(ctx context.Context, ino uint64, err error) fuse.Status {
	if err != nil && ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return fuse.EINTR
	}
	return a.status("read", ino, err)
}

// panicked turns a panic in a handler into EIO and a stack in the log: the other files of the mount are still of use.
func panicked(log *slog.Logger, value any) fuse.Status {
	log.Error("panic in an operation", "panic", fmt.Sprint(value), "stack", string(debug.Stack()))
	return fuse.EIO
}
