package integration

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/hanwen/go-fuse/v2/posixtest"

	"dfsmount/integration/harness"
	"dfsmount/internal/testenv"
)

// cannotPass names the tests of posixtest that no filesystem passes, and why.
var cannotPass = map[string]string{
	"FcntlFlockLocksFile": "it wants two descriptors of one process to conflict over a POSIX lock, which belongs to the process; its own project does not run it",
}

// go-fuse's conformance tests, on a volume that the program itself serves, with the kernel's write cache and without.
func TestPosix(t *testing.T) {
	testenv.NeedFUSE(t)
	for _, options := range [][]string{nil, {"writethrough"}} {
		name := "writeback"
		if len(options) > 0 {
			name = options[0]
		}
		t.Run(name, func(t *testing.T) {
			w := harness.New(t)
			m := w.Init("v", 1, w.Node("n1").URL).Mount(options...)
			for _, name := range slices.Sorted(maps.Keys(posixtest.All)) {
				t.Run(name, func(t *testing.T) {
					if why := cannotPass[name]; why != "" {
						t.Skip(why)
					}
					dir := filepath.Join(m.Dir, name)
					if err := os.Mkdir(dir, 0o755); err != nil {
						t.Fatal(err)
					}
					posixtest.All[name](t, dir)
				})
			}
			m.Unmount()
		})
	}
}
