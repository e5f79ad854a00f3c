// Package fusefs mounts a filesystem: it translates between the kernel's FUSE protocol and package fs, and decides nothing about files itself.
//
// # Model
//
// One Server is one mount. The kernel's node ids are our inode numbers, so there is no table between the two, and a request names what it
// means. The kernel checks permissions (default_permissions), keeps locks, caches names, attributes, symlinks, directory listings and pages
// without a time limit, because this process is the only one that changes the tree; with the writeback cache it also keeps size, mtime and
// ctime of a file while it holds dirty pages of it.
//
// There are no file handles. OPEN, OPENDIR, CREATE and FLUSH are answered once with ENOSYS, and never asked again: an open, read, close of a
// cached file costs no request at all, and a new file is made by MKNOD. An O_TRUNC arrives as SETATTR for that reason; the capability that folds
// it into OPEN is never taken.
//
// # What an error becomes
//
// One door, errno.go: a bare syscall.Errno is the answer; cache.ErrFull is ENOSPC; everything else is a fault of ours: one log line with
// operation and inode, and EIO for the application. A panic in a handler is a fault too, never the end of the mount.
//
// # References
//
// LOOKUP, MKNOD, MKDIR, SYMLINK, LINK, TMPFILE and each entry of READDIRPLUS that fitted into the reply give the kernel one reference to
// an inode; FORGET gives them back. "." and ".." and a name that is known not to exist give none. Package fs keeps the count.
//
// The library answers one name by itself: .go-fuse-epoll-hack in the root, which no application can use therefore.
//
// # Serving
//
// Two loops read requests, with the same adapter behind them. "library" is go-fuse's own. "own" (loop_own.go) has one reader at a time, which
// answers itself what is answered from memory, passes the turn to another before what may wait, polls the device for some tens of
// microseconds before it sleeps as long as that keeps paying, and is relieved by another when an operation it thought quick is not.
//
// # Waiting
//
//	interrupts  end a read's wait for a node (EINTR), and nothing else: programs written in Go interrupt themselves all the time, and
//	            durability work must not be cancelled
//	unmounting  the kernel writes its dirty pages to us, then ends the connection; Serve returns when the last handler has
//
// # Rules for the process
//
// It must never touch its own mount (stat, open, statfs of anything below it): the request would wait for the process that makes it. Prepare
// leaves the directory it was started in; everything here that looks at mounts reads /proc/self/mountinfo.
package fusefs
