package fusefs

import (
	"fmt"
	"os"
	"sync"

	"dfsmount/fs"
)

// loop answers the requests of one mount.
type loop interface {
	// init answers the kernel's first request, INIT; until then every other waits. It returns an error if the kernel is too old.
	init() error
	// serve returns when the mount is gone and every handler has returned. The descriptor is closed then.
	serve() error
}

// Server is one mount.
type Server struct {
	dir      string
	loop     loop
	warnings []string

	once sync.Once
	done chan struct{}
	err  error // of serve; read after done
}

// Mount mounts fsys on dir, an empty directory. When it returns the mount is in the tree; whatever enters it waits until Serve runs. A dead mount of
// ours that is still on dir is detached first. The caller must not touch dir any more: see the package's rules for the process.
func Mount(fsys *fs.FS, dir string, o Options) (*Server, error) { return mount(fsys, dir, o) }

func mount(b backend, dir string, o Options) (*Server, error) {
	newLoop, err := loopOf(o.loop())
	if err != nil {
		return nil, err
	}
	dir, err = mountPoint(dir, o.log())
	if err != nil {
		return nil, err
	}
	fd, err := attach(dir, o)
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, done: make(chan struct{})}
	if s.loop, err = newLoop(fd, newAdapter(b, o), o); err == nil {
		err = s.loop.init()
	}
	if err != nil {
		return nil, abandon(dir, fmt.Errorf("start serving %s: %w", dir, err))
	}
	s.warnings = s.settle()
	return s, nil
}

func loopOf(name string) (func(int, *adapter, Options) (loop, error), error) {
	switch name {
	case LoopOwn:
		return newOwnLoop, nil
	case LoopLibrary:
		return newLibraryLoop, nil
	}
	return nil, fmt.Errorf("no serving loop %q: there are %q and %q", name, LoopOwn, LoopLibrary)
}

// abandon takes back a mount that was never served, and returns why.
func abandon(dir string, why error) error {
	if err := Unmount(dir, true); err != nil {
		return fmt.Errorf("%w (and then: %v)", why, err)
	}
	return why
}

// settle tunes the fresh mount and collects what the operator should know.
func (s *Server) settle() []string {
	warnings := timeouts("/proc/sys/fs/fuse")
	if os.Geteuid() != 0 {
		return warnings
	}
	mounts, err := readMounts()
	if err != nil {
		return append(warnings, err.Error())
	}
	m := mountAt(s.dir, mounts)
	if m == nil {
		return append(warnings, s.dir+" was unmounted at once")
	}
	return append(warnings, tune(m.Device)...)
}

// Dir is the mount point, absolute, without symbolic links.
func (s *Server) Dir() string { return s.dir }

// Warnings are sentences for the operator: what could not be set, what endangers the mount.
func (s *Server) Warnings() []string { return s.warnings }

// Serve answers requests until the filesystem is unmounted, by whomever, and every handler has returned. The filesystem's data is not yet
// durable then: the caller closes it. Only the first call serves; others wait for it.
func (s *Server) Serve() error {
	s.once.Do(func() {
		s.err = s.loop.serve()
		close(s.done)
	})
	return s.err
}

// Wait returns when Serve has.
func (s *Server) Wait() error {
	<-s.done
	return s.err
}

// Unmount detaches the mount, which lets Serve return. ErrBusy while something uses it.
func (s *Server) Unmount() error { return Unmount(s.dir, false) }

// Detach takes the mount out of the tree although something uses it. Serve returns when the last user has gone.
func (s *Server) Detach() error { return Unmount(s.dir, true) }
