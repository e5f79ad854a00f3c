package passphrase

import (
	"fmt"
	"io"
	"os"
)

// fromFile reads a passphrase file: all of it, less one newline at its end.
func fromFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read passphrase file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat() // of the file that is open: the name may mean another one by now
	if err != nil {
		return nil, fmt.Errorf("read passphrase file: %w", err)
	}
	if perm := info.Mode().Perm(); info.Mode().IsRegular() && perm&0o007 != 0 {
		return nil, fmt.Errorf("%w: %s has mode %04o; chmod o= takes that away", ErrExposed, path, perm)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSize+3)) // a newline more, and one byte that is too much
	if err != nil {
		return nil, fmt.Errorf("read passphrase file: %w", err)
	}
	return accept(trimNewline(b))
}
