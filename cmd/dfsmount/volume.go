package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"dfsmount/cache"
	"dfsmount/fs/fusefs"
	"dfsmount/internal/control"
	"dfsmount/replicator"
	"dfsmount/seal"
)

// headerName is the volume's header in its directory.
const headerName = "volume.json"

// volume is an open volume: unlocked, recovered, and locked against other processes.
type volume struct {
	dir      string
	header   *seal.Header
	raw      []byte // header as it stands in the file
	keys     *seal.Keys
	store    *cache.Store
	settings replicator.Settings
}

func (v *volume) id() string { return hex.EncodeToString(v.header.Volume[:]) }

// close makes everything durable and gives up the lock.
func (v *volume) close() error { return v.store.Close() }

// replicator makes the volume's replicator, not running yet.
func (v *volume) replicator(log *slog.Logger) *replicator.Replicator {
	r := replicator.New(v.store, v.id(), v.settings, replicator.Options{Open: nodeOpener(v.id()), Log: log})
	r.SetHeader(v.header.Generation, v.raw)
	return r
}

// volumeDir checks that path is a volume's directory and makes it absolute.
func volumeDir(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	_, err = os.Stat(filepath.Join(abs, headerName))
	switch {
	case err == nil:
		return abs, nil
	case errors.Is(err, os.ErrNotExist):
		return "", fail(exitVolume, "make one with `dfsmount init "+path+"`, or bring one here with `dfsmount clone`", "%s is not a volume: it has no %s", path, headerName)
	default:
		return "", fail(exitVolume, "", "open volume %s: %w", path, err)
	}
}

// volumeOf finds the volume that a user means by its own directory, or by the one it is mounted on or something below. The
// mount itself is never touched: it may be dead or hang.
func volumeOf(where string) (string, error) {
	if m, err := fusefs.FindMount(where); err == nil {
		return m.Source, nil
	}
	return volumeDir(where)
}

// readHeader reads volume.json.
func readHeader(dir string) (*seal.Header, []byte, error) {
	raw, err := os.ReadFile(filepath.Join(dir, headerName))
	if err != nil {
		return nil, nil, fail(exitVolume, "", "read %s: %w", headerName, err)
	}
	h, err := seal.ParseHeader(raw)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", filepath.Join(dir, headerName), err)
	}
	return h, raw, nil
}

// unlock opens a header with a passphrase or, if it is one, with the recovery key.
func unlock(h *seal.Header, secret []byte) (*seal.VolumeKey, error) {
	if recovery, err := seal.ParseRecoveryKey(string(secret)); err == nil {
		return h.UnlockRecovery(recovery)
	}
	return h.Unlock(secret)
}

// openVolume unlocks a volume and recovers its store. While another process is on its way out with the volume it waits, and says so.
func openVolume(ctx context.Context, dir string, secret []byte, o cache.Options, note func(string)) (*volume, error) {
	header, raw, err := readHeader(dir)
	if err != nil {
		return nil, err
	}
	key, err := unlock(header, secret)
	if err != nil {
		return nil, err
	}
	v := &volume{dir: dir, header: header, raw: raw, keys: key.Derive(header.Volume)}
	key.Wipe()
	debug.FreeOSMemory() // scrypt took 256 MiB: not for the life of a mount
	if v.store, err = openStore(ctx, dir, v.keys, o, note); err != nil {
		return nil, err
	}
	if v.settings, err = replicator.Load(v.store); err != nil {
		return nil, errors.Join(fmt.Errorf("read the volume's settings: %w", err), v.store.Close())
	}
	return v, nil
}

// How often a volume that another process is about to leave is asked for, and after how long the user is told of the wait.
const (
	lockPoll = 20 * time.Millisecond
	lockTell = time.Second
)

// openStore opens the store, waiting for a process that holds it but has it no longer mounted: that one is making its last data durable.
func openStore(ctx context.Context, dir string, keys *seal.Keys, o cache.Options, note func(string)) (*cache.Store, error) {
	tell := time.After(lockTell)
	for {
		store, err := cache.Open(ctx, dir, keys, o)
		var locked *cache.ErrLocked
		if !errors.As(err, &locked) {
			return store, err
		}
		if at := mountedAt(dir); at != "" {
			return nil, fail(exitInUse, "dfsmount umount "+at, "the volume %s is in use: mounted on %s by %s", dir, at, locked.Holder())
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tell:
			note(fmt.Sprintf("waiting for %s to finish with the volume", locked.Holder()))
		case <-time.After(lockPoll):
		}
	}
}

// mountedAt tells where a volume is mounted, as the kernel has it; empty if nowhere.
func mountedAt(dir string) string {
	mounts, err := fusefs.Mounts()
	if err != nil {
		return ""
	}
	for _, m := range mounts {
		if m.Source == dir {
			return m.Dir
		}
	}
	return ""
}

// askAndOpen asks for the passphrase and opens a volume that is not mounted.
func askAndOpen(ctx context.Context, c console, dir string, pass *passphraseFlags) (*volume, error) {
	if at := mountedAt(dir); at != "" {
		return nil, fail(exitInUse, "its process is dead or stuck: `dfsmount umount --lazy "+at+"`", "the volume %s is mounted on %s, but its process does not answer", dir, at)
	}
	if _, _, err := readHeader(dir); err != nil { // before anything is asked
		return nil, err
	}
	if pass == nil {
		return nil, control.ErrNotMounted
	}
	secret, err := pass.read(ctx, c, "Passphrase for "+dir)
	if err != nil {
		return nil, err
	}
	return openVolume(ctx, dir, secret, cache.Options{}, func(text string) { fmt.Fprintln(c.err, "dfsmount:", text) })
}
