package passphrase

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// maxSize is the longest passphrase accepted, in bytes. It keeps a wrong file, such as a disk image, out of memory.
const maxSize = 64 << 10

// Errors of this package. Each text is a sentence for the person at the shell.
var (
	ErrEmpty       = errors.New("the passphrase is empty")
	ErrMismatch    = errors.New("the two passphrases are not the same")
	ErrExposed     = errors.New("other users may read the passphrase file")
	ErrInterrupted = errors.New("interrupted while asking for the passphrase")
	ErrNoTerminal  = errors.New("there is no terminal to ask for the passphrase at")
	ErrTooLong     = errors.New("the passphrase is longer than 64 KiB")
	ErrSources     = errors.New("the passphrase can come from one source only: file, command or standard input")
)

// Source says where the passphrase comes from. The zero Source asks at the terminal.
type Source struct {
	File    string    // path of a file
	Command string    // for /bin/sh -c
	Stdin   io.Reader // standard input; nil if it is not the source
}

// Request says what the passphrase is for.
type Request struct {
	Prompt string // shown at the terminal, such as "Passphrase of ~/.vault: "
	New    bool   // chosen now: asked twice at the terminal
}

// Get reads the passphrase, which is not empty. The caller owns the slice and clears it when done. ErrInterrupted or the
// context's error if it was ended early.
func (s Source) Get(ctx context.Context, r Request) ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	switch {
	case s.File != "":
		return fromFile(s.File)
	case s.Command != "":
		return fromCommand(ctx, s.Command)
	case s.Stdin != nil:
		return fromStdin(s.Stdin)
	}
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrNoTerminal, err)
	}
	defer tty.Close()
	return Ask(ctx, tty, r)
}

func (s Source) check() error {
	n := 0
	for _, given := range []bool{s.File != "", s.Command != "", s.Stdin != nil} {
		if given {
			n++
		}
	}
	if n > 1 {
		return ErrSources
	}
	return nil
}

// accept returns what a source gave if it can be a passphrase.
func accept(b []byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, ErrEmpty
	}
	if len(b) > maxSize {
		clear(b)
		return nil, ErrTooLong
	}
	return b, nil
}

// trimNewline removes one newline, of either kind, from the end.
func trimNewline(b []byte) []byte {
	b, found := bytes.CutSuffix(b, []byte("\n"))
	if found {
		b = bytes.TrimSuffix(b, []byte("\r"))
	}
	return b
}

// readLine reads up to and without the first newline, byte by byte: what follows belongs to someone else. The end of the input
// ends a line too.
func readLine(r io.Reader) ([]byte, error) {
	line, one := make([]byte, 0, 256), make([]byte, 1)
	for len(line) <= maxSize {
		n, err := r.Read(one)
		if n == 1 {
			if line = append(line, one[0]); one[0] == '\n' {
				break
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			clear(line)
			return nil, err
		}
	}
	clear(one)
	return trimNewline(line), nil
}

func fromStdin(r io.Reader) ([]byte, error) {
	b, err := readLine(r)
	if err != nil {
		return nil, fmt.Errorf("read passphrase from standard input: %w", err)
	}
	return accept(b)
}
