package fusefs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dfsmount/cache"
	"dfsmount/fs"
	"dfsmount/internal/testenv"
	"dfsmount/seal"

	"github.com/hanwen/go-fuse/v2/posixtest"
)

// serveVolume mounts the real thing: args are the state directory, the mount point, and options. Once unmounted it is checked and closed.
func serveVolume(c *testenv.Child) (*testenv.Live, error) {
	if err := Prepare(); err != nil {
		return nil, err
	}
	o := childOptions(c.Args[2:])
	store, err := openStore(c.Args[0])
	if err != nil {
		return nil, err
	}
	f, err := fs.New(store, fs.Options{NoMtimeWrite: !o.WriteThrough, Log: slog.Default()})
	if err != nil {
		return nil, err
	}
	s, err := mount(f, c.Args[1], o)
	if err != nil {
		return nil, err
	}
	return &testenv.Live{
		Serve:   s.Serve,
		Detach:  s.Detach,
		Answer:  func(string) string { return "" },
		Cleanup: func() error { return closeVolume(f, store) },
	}, nil
}

func openStore(dir string) (*cache.Store, error) {
	o := cache.Options{Log: slog.Default()}
	store, err := cache.Open(context.Background(), dir, seal.TestKeys(), o)
	if errors.Is(err, cache.ErrNoStore) {
		return cache.Create(context.Background(), dir, seal.TestKeys(), o)
	}
	return store, err
}

func closeVolume(f *fs.FS, store *cache.Store) error {
	problems, err := f.Check(context.Background())
	for _, p := range problems {
		err = errors.Join(err, fmt.Errorf("check: %s: %s", p.Rule, p.Text))
	}
	return errors.Join(err, f.Close(), store.Close())
}

func startVolume(t testing.TB, options ...string) *testenv.Mount {
	t.Helper()
	testenv.NeedFUSE(t)
	state, dir := t.TempDir(), t.TempDir()
	return testenv.StartMount(t, dir, "volume", append([]string{state, dir}, options...)...)
}

// cannotPass names the tests of posixtest that no filesystem passes, and why.
var cannotPass = map[string]string{
	"FcntlFlockLocksFile": "it wants two descriptors of one process to conflict over a POSIX lock, which belongs to the process; its own project does not run it",
}

// TestPosix runs go-fuse's own conformance tests on a volume, under every way to serve one.
func TestPosix(t *testing.T) {
	for _, options := range []string{"loop=library", "loop=own", "loop=own writethrough"} {
		t.Run(options, func(t *testing.T) {
			m := startVolume(t, strings.Fields(options)...)
			for _, name := range slices.Sorted(maps.Keys(posixtest.All)) {
				dir := filepath.Join(m.Dir, name)
				must(t, os.Mkdir(dir, 0o755))
				t.Run(name, func(t *testing.T) {
					if why := cannotPass[name]; why != "" {
						t.Skip(why)
					}
					posixtest.All[name](t, dir)
				})
			}
			m.Unmount()
		})
	}
}
