package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// The mount's process is started by the command that the user sees, which answers only once the mount is live, or with the error that
// kept it from becoming so. Two pipes join them: the passphrase goes down (never on a command line, never in the environment),
// one verdict comes back.

// Descriptors of the child.
const (
	passphraseFD = 3
	verdictFD    = 4
)

// logName is the log of a daemonised mount, in the state directory. It names inodes, objects and nodes, never a file.
const logName = "mount.log"

// logLimit: a log longer than this is set aside as mount.log.1 when the volume is mounted.
const logLimit = 4 << 20

// verdict is what the child tells of how the mounting went.
type verdict struct {
	Live bool   `json:"live"`
	Pid  int    `json:"pid"`
	Code int    `json:"code,omitempty"`
	Err  string `json:"err,omitempty"`
	Hint string `json:"hint,omitempty"`
	Note string `json:"note,omitempty"` // something to say before the verdict, for example that it waits
}

// daemonise starts `dfsmount mount` again with args in a session of its own, hands it the passphrase, passes its notes on, and returns when the
// mount is live or has failed.
func daemonise(ctx context.Context, c console, stateDir string, passphrase []byte, args []string) error {
	log, err := openLog(stateDir)
	if err != nil {
		return err
	}
	defer log.Close()
	passIn, passOut, err := os.Pipe()
	if err != nil {
		return err
	}
	defer passOut.Close()
	verdictIn, verdictOut, err := os.Pipe()
	if err != nil {
		return err
	}
	defer verdictIn.Close()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{passIn, verdictOut}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the mount's process: %w", err)
	}
	passIn.Close()
	verdictOut.Close()
	_, unread := passOut.Write(passphrase)
	passOut.Close()
	err = awaitVerdict(ctx, c, verdictIn) // tells more than a passphrase that nobody read
	if err == nil {
		err = unread
	}
	if err != nil && ctx.Err() != nil {
		_ = cmd.Process.Signal(syscall.SIGTERM) // the child ends in order: nothing it made durable is lost
	}
	_ = cmd.Process.Release()
	return err
}

func awaitVerdict(ctx context.Context, c console, from *os.File) error {
	stop := context.AfterFunc(ctx, func() { from.Close() })
	defer stop()
	dec := json.NewDecoder(from)
	for {
		var v verdict
		err := dec.Decode(&v)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return fail(exitFault, "see "+logName+" in the volume's directory", "the mount's process ended before the mount was live")
		case err != nil:
			return fmt.Errorf("read the mount's verdict: %w", err)
		case v.Note != "":
			fmt.Fprintln(c.err, "dfsmount:", v.Note)
		case v.Live:
			return nil
		default:
			return fail(v.Code, v.Hint, "%s", v.Err)
		}
	}
}

func openLog(stateDir string) (*os.File, error) {
	path := filepath.Join(stateDir, logName)
	if fi, err := os.Stat(path); err == nil && fi.Size() > logLimit {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, err
		}
	}
	log, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return log, nil
}

// announcer tells the parent, or the terminal when there is none, how the mounting goes.
type announcer interface {
	note(text string)
	live()
	failed(err error)
}

// pipeAnnouncer is the daemonised child's.
type pipeAnnouncer struct{ pipe *os.File }

func (a pipeAnnouncer) note(text string) { a.send(verdict{Note: text}) }

func (a pipeAnnouncer) live() {
	a.send(verdict{Live: true, Pid: os.Getpid()})
	a.pipe.Close()
}

func (a pipeAnnouncer) failed(err error) {
	code, hint := classify(err)
	a.send(verdict{Err: oneLine(err.Error()), Code: code, Hint: hint})
	a.pipe.Close()
}

// send ignores an error: a parent that is gone has nobody to tell.
func (a pipeAnnouncer) send(v verdict) { _ = json.NewEncoder(a.pipe).Encode(v) }

// consoleAnnouncer is for -f.
type consoleAnnouncer struct {
	c   console
	dir string
}

func (a consoleAnnouncer) note(text string) { fmt.Fprintln(a.c.err, "dfsmount:", text) }
func (a consoleAnnouncer) live()            { fmt.Fprintf(a.c.out, "mounted on %s\n", a.dir) }
func (a consoleAnnouncer) failed(error)     {} // run reports it
