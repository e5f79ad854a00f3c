package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// ErrLocked reports that another process uses the state directory.
type ErrLocked struct {
	Dir string
	By  Holder // what that process wrote; zero for a moment after it took the lock
}

// Holder is the content of the lock file.
type Holder struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	What  string    `json:"what"`
	Since time.Time `json:"since"`
}

func (e *ErrLocked) Error() string { return fmt.Sprintf("%s is in use by %s", e.Dir, e.Holder()) }

// Holder names the process that has the lock.
func (e *ErrLocked) Holder() string {
	h := e.By
	if h.PID == 0 {
		return "another dfsmount"
	}
	return fmt.Sprintf("another dfsmount (pid %d on %s, %s since %s)", h.PID, h.Host, h.What, h.Since.Format(time.DateTime))
}

// dirLock is the lock of a state directory: flock(2) on the file "lock", which the kernel gives up when the process dies, however it
// dies. The file is never removed: a lock on a removed file locks nothing.
type dirLock struct{ f *os.File }

// lockDir takes the lock, waiting up to wait for another process to give it up.
func lockDir(ctx context.Context, dir, what string, wait time.Duration) (*dirLock, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock state directory: %w", err)
	}
	if err := flockWait(ctx, f, wait); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = &ErrLocked{dir, readHolder(f)}
		}
		return nil, errors.Join(err, f.Close())
	}
	l := &dirLock{f}
	if err := l.sign(what); err != nil {
		return nil, errors.Join(fmt.Errorf("sign lock: %w", err), l.release())
	}
	return l, nil
}

// flockWait polls: a blocking flock(2) could not be ended by ctx.
func flockWait(ctx context.Context, f *os.File, wait time.Duration) error {
	end := time.Now().Add(wait)
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil || !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) || time.Now().After(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(50*time.Millisecond, wait)):
		}
	}
}

func readHolder(f *os.File) (h Holder) {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 4096))
	if err != nil || json.Unmarshal(b, &h) != nil {
		return Holder{} // being written
	}
	return h
}

func (l *dirLock) sign(what string) error {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	b, err := json.Marshal(Holder{PID: os.Getpid(), Host: host, What: what, Since: time.Now().Truncate(time.Second)})
	if err != nil {
		return err
	}
	if err := l.f.Truncate(0); err != nil {
		return err
	}
	_, err = l.f.WriteAt(append(b, '\n'), 0)
	return err
}

// release gives the lock up. The holder's line goes first, so that nobody reads a dead holder's name.
func (l *dirLock) release() error {
	return errors.Join(l.f.Truncate(0), l.f.Close())
}
