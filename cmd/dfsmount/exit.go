package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"dfsmount/cache"
	"dfsmount/fs/fusefs"
	"dfsmount/internal/control"
	"dfsmount/internal/passphrase"
	"dfsmount/node"
	"dfsmount/replicator"
	"dfsmount/seal"
)

// Exit codes: a documented interface (help exit-codes, README). Append only.
const (
	exitOK         = 0
	exitFault      = 1  // something went wrong that has no code of its own
	exitUsage      = 2  // the command line is wrong
	exitPassphrase = 3  // wrong passphrase or recovery key, or none given
	exitInUse      = 4  // another process has the volume
	exitVolume     = 5  // not a volume, or not the one meant
	exitMountpoint = 6  // the directory cannot be mounted on, or is not mounted
	exitNoFUSE     = 7  // this machine cannot mount: /dev/fuse or fusermount3 is missing
	exitUnsafe     = 8  // answered: not everything is on as many nodes as the policy asks for
	exitDamaged    = 9  // something stored is not what was written
	exitFull       = 10 // no room
	exitNode       = 11 // a node cannot be reached, or refuses
	exitVersion    = 12 // made by a version of dfsmount that this one does not know
	exitInterrupt  = 130
)

var exitTable = []struct {
	code int
	text string
}{
	{exitOK, "done"},
	{exitFault, "something went wrong that has no code of its own"},
	{exitUsage, "the command line is wrong"},
	{exitPassphrase, "wrong passphrase or recovery key, or none could be had"},
	{exitInUse, "another process has the volume"},
	{exitVolume, "not a volume, or there is one already"},
	{exitMountpoint, "the directory cannot be mounted on, or is not mounted"},
	{exitNoFUSE, "this machine cannot mount: /dev/fuse or fusermount3 is missing"},
	{exitUnsafe, "not everything is on as many nodes as the policy asks for"},
	{exitDamaged, "something stored is not what was written"},
	{exitFull, "no room on the disk"},
	{exitNode, "a node cannot be reached, or refuses"},
	{exitVersion, "the volume needs a newer dfsmount"},
	{exitInterrupt, "interrupted"},
}

// failure is an error with its exit code and what the user can do about it.
type failure struct {
	code int
	err  error
	hint string
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func fail(code int, hint, format string, args ...any) error {
	return &failure{code: code, err: fmt.Errorf(format, args...), hint: hint}
}

// known maps the errors of the packages below to exit codes and hints, most specific first.
var known = []struct {
	err  error
	code int
	hint string
}{
	{context.Canceled, exitInterrupt, ""},
	{passphrase.ErrInterrupted, exitInterrupt, ""},
	{passphrase.ErrNoTerminal, exitPassphrase, "use --passphrase-file FILE (- for standard input) or --passphrase-command COMMAND"},
	{passphrase.ErrExposed, exitPassphrase, "chmod 600 the file, or say that it is meant: --passphrase-command 'cat FILE'"},
	{passphrase.ErrEmpty, exitPassphrase, ""},
	{passphrase.ErrMismatch, exitPassphrase, "nothing was made; try again"},
	{passphrase.ErrTooLong, exitPassphrase, ""},
	{passphrase.ErrSources, exitUsage, ""},
	{seal.ErrRecoveryKey, exitPassphrase, ""},
	{seal.ErrSlot, exitDamaged, "another slot or the recovery key may still open the volume; nodes have copies of the header"},
	{seal.ErrHeader, exitDamaged, "nodes have copies of it: `dfsmount clone`"},
	{seal.ErrPassphrase, exitPassphrase, "check the keyboard layout and caps lock; the recovery key shown at init opens the volume too"},
	{seal.ErrFeature, exitVersion, "use the version of dfsmount that made the volume, or a newer one"},
	{seal.ErrVersion, exitVersion, "use the version of dfsmount that made the volume, or a newer one"},
	{seal.ErrHeaderMAC, exitDamaged, "do not write to it; take the header from a node with `dfsmount clone`"},
	{control.ErrNotMounted, exitMountpoint, "mount it first: dfsmount mount VOLUME DIR"},
	{control.ErrGone, exitFault, "see mount.log in the volume's directory"},
	{cache.ErrFull, exitFull, "free some room on the disk that holds the volume; nothing acknowledged is lost"},
	{cache.ErrDamaged, exitDamaged, "run `dfsmount check VOLUME`; a good copy on a node can be had back with `dfsmount clone`"},
	{cache.ErrNoStore, exitVolume, "have it back from its nodes with `dfsmount clone`"},
	{fusefs.ErrNotMounted, exitMountpoint, "`findmnt -t fuse.dfsmount` lists what is mounted"},
	{replicator.ErrWhichVolume, exitVolume, "name the volume's id: `dfsmount clone --volume ID`"},
	{replicator.ErrFenced, exitInUse, "the volume was cloned elsewhere and is written there; what is not on a node yet is kept here"},
	{syscall.ENOSPC, exitFull, "free some room on the disk that holds the volume"},
	{node.ErrFull, exitNode, "make room on the node, or add another one"},
	{node.ErrPermanent, exitNode, "check the node's URL: `dfsmount node` prints it when it starts"},
}

// classify finds the exit code and hint of an error.
func classify(err error) (code int, hint string) {
	var f *failure
	if errors.As(err, &f) {
		return f.code, f.hint
	}
	var locked *cache.ErrLocked
	if errors.As(err, &locked) {
		return exitInUse, "unmount it first, or wait until that process has ended"
	}
	for _, k := range known {
		if errors.Is(err, k.err) {
			return k.code, k.hint
		}
	}
	return exitFault, ""
}

// orElse gives an error that has no exit code of its own this one.
func orElse(code int, hint string, err error) error {
	if own, _ := classify(err); err == nil || own != exitFault {
		return err
	}
	return fail(code, hint, "%w", err)
}

// report writes an error as people read it, one sentence and a hint, and returns its exit code.
func report(stderr io.Writer, err error) int {
	if err == nil {
		return exitOK
	}
	code, hint := classify(err)
	if code == exitInterrupt {
		fmt.Fprintln(stderr, "dfsmount: interrupted")
		return code
	}
	fmt.Fprintf(stderr, "dfsmount: error: %s\n", oneLine(err.Error()))
	if hint != "" {
		fmt.Fprintf(stderr, "dfsmount: hint: %s\n", hint)
	}
	return code
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
