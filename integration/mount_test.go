package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dfsmount/fs/fstest"
	"dfsmount/integration/harness"
	"dfsmount/internal/testenv"
)

// The functional suite on a volume that the program itself serves, with the kernel's write cache and without. The volume is checked afterwards.
func TestSuite(t *testing.T) {
	testenv.NeedFUSE(t)
	for name, options := range map[string][]string{"writeback": {"dev"}, "writethrough": {"dev", "writethrough"}} {
		t.Run(name, func(t *testing.T) {
			w := harness.New(t)
			v := w.Init("v", 1, w.Node("n1").URL)
			m := v.Mount(options...)
			fstest.Test(t, func(t *testing.T) fstest.Target {
				dir := filepath.Join(m.Dir, strings.ReplaceAll(t.Name(), "/", "-"))
				if err := os.Mkdir(dir, 0o755); err != nil {
					t.Fatal(err)
				}
				return fstest.Dir(dir)
			})
			m.Unmount()
			v.Check()
		})
	}
}
