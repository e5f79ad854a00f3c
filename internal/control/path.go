package control

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// maxSocketPath is what sun_path holds less its NUL: unix(7).
const maxSocketPath = 107

// socketPath is a path to the socket that bind(2) and connect(2) take: the plain one, or for a state directory with a
// longer path one through a descriptor of it. done ends its validity.
func socketPath(stateDir string) (path string, done func(), err error) {
	path = filepath.Join(stateDir, Socket)
	if len(path) <= maxSocketPath {
		return path, func() {}, nil
	}
	fd, err := unix.Open(stateDir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", nil, fmt.Errorf("open state directory: %w", err)
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", fd, Socket), func() { unix.Close(fd) }, nil
}

func newBody(b []byte) io.Reader { return bytes.NewReader(b) }

// unwrapAll is the innermost error: what connect(2) said, without the made-up URL around it.
func unwrapAll(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
