package fusefs

import (
	"fmt"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// libraryLoop is go-fuse's server on a descriptor that is mounted already.
type libraryLoop struct {
	fd      int
	adapter *adapter
	opts    *fuse.MountOptions
	server  *fuse.Server
}

func newLibraryLoop(fd int, a *adapter, o Options) (loop, error) {
	return &libraryLoop{fd: fd, adapter: a, opts: o.protocol()}, nil
}

// init hands over the descriptor by the path that the library knows for mounts made by a parent process. It must not try to wait for
// the mount (WaitMount): that touches it.
func (l *libraryLoop) init() error {
	var err error
	l.server, err = fuse.NewServer(l.adapter, fmt.Sprintf("/dev/fd/%d", l.fd), l.opts)
	if err != nil {
		return err
	}
	l.adapter.kernel = notifier{invalidate: func(ino uint64, off int64) error {
		if code := l.server.InodeNotify(ino, off, 0); !code.Ok() {
			return syscall.Errno(code)
		}
		return nil
	}, log: l.adapter.log}
	return nil
}

func (l *libraryLoop) serve() error {
	l.server.Serve()
	return nil
}
