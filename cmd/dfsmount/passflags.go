package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/pflag"

	"dfsmount/internal/passphrase"
)

// passphraseFlags say where the passphrase comes from; with none set it is asked for at the terminal.
type passphraseFlags struct {
	file, command string
}

func (p *passphraseFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&p.file, "passphrase-file", "", "read the passphrase (or the recovery key) from this file; - is standard input")
	flags.StringVar(&p.command, "passphrase-command", "", "read the passphrase from the first line that this command prints")
}

// read gets the passphrase of a volume that exists.
func (p *passphraseFlags) read(ctx context.Context, c console, prompt string) ([]byte, error) {
	return p.get(ctx, c, passphrase.Request{Prompt: prompt + ": "})
}

// readNew gets one for a volume that is being made: a terminal asks twice.
func (p *passphraseFlags) readNew(ctx context.Context, c console, prompt string) ([]byte, error) {
	return p.get(ctx, c, passphrase.Request{Prompt: prompt + ": ", New: true})
}

func (p *passphraseFlags) get(ctx context.Context, c console, r passphrase.Request) ([]byte, error) {
	source := passphrase.Source{File: p.file, Command: p.command}
	if p.file == "-" {
		source.File, source.Stdin = "", c.in
	}
	pass, err := source.Get(ctx, r)
	return pass, orElse(exitPassphrase, "", err)
}

// maxPassphrase is what internal/passphrase takes at most.
const maxPassphrase = 64 << 10

// readAll reads the passphrase that the parent hands down.
func readAll(pipe io.ReadCloser) ([]byte, error) {
	defer pipe.Close()
	b, err := io.ReadAll(io.LimitReader(pipe, maxPassphrase+1))
	if err != nil {
		return nil, fmt.Errorf("read the passphrase from the parent: %w", err)
	}
	return b, nil
}
