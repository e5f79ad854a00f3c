package fusefs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dfsmount/fs/fstest"
)

// TestSuite runs the functional suite of the filesystem through mounts of a volume.
func TestSuite(t *testing.T) {
	for _, options := range []string{"loop=own dev", "loop=own dev writethrough", "loop=library dev"} {
		t.Run(options, func(t *testing.T) {
			m := startVolume(t, strings.Fields(options)...)
			fstest.Test(t, func(t *testing.T) fstest.Target {
				dir := filepath.Join(m.Dir, strings.ReplaceAll(t.Name(), "/", "-"))
				must(t, os.Mkdir(dir, 0o755))
				return fstest.Dir(dir)
			})
			m.Unmount()
		})
	}
}
