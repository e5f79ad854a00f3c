package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dfsmount/integration/harness"

	"golang.org/x/sys/unix"
)

// Nothing of what was written can be read on the local disk or on a node: not content, not a name, not an attribute, not the target of a
// link (contract C5); neither while mounted nor after.
func TestNoPlaintextAnywhere(t *testing.T) {
	c := newCluster(t)
	secrets := []string{"Kontonummer-4711", "geheimer-name", "geheimes-verzeichnis", "ziel-des-links", "user.geheim", "wert-des-attributs", "kurz-und-inline"}
	dir := filepath.Join(c.mount.Dir, secrets[2])
	try := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	try(os.Mkdir(dir, 0o755))
	file := filepath.Join(dir, secrets[1]+".txt")
	try(os.WriteFile(file, []byte(strings.Repeat(secrets[0]+" ", 20000)), 0o644))
	try(os.WriteFile(filepath.Join(dir, "short"), []byte(secrets[6]), 0o644))
	try(os.Symlink("/"+secrets[3]+"/x", filepath.Join(dir, "link")))
	try(unix.Setxattr(file, secrets[4], []byte(secrets[5]), 0))
	for i := range 3000 { // enough for the index to be written more than once
		try(os.WriteFile(filepath.Join(dir, secrets[1]+string(rune('a'+i%26))+longName[:i%200]), []byte(secrets[6]), 0o600))
	}
	c.mount.Sync("--copies", "3")
	places := []string{c.volume.Dir, c.nodes[0].Dir, c.nodes[1].Dir, c.nodes[2].Dir}
	searchNothing(t, "while mounted", secrets, places)
	c.mount.Unmount()
	searchNothing(t, "after umount", secrets, places)
	for _, text := range []string{c.mount.Log(), c.nodes[0].Log(), c.nodes[1].Log(), c.nodes[2].Log()} {
		for _, s := range secrets {
			if strings.Contains(text, s) {
				t.Errorf("a log says %q", s)
			}
		}
	}
	m := c.volume.Mount() // and it was all there
	if b, err := os.ReadFile(filepath.Join(m.Dir, secrets[2], "short")); err != nil || string(b) != secrets[6] {
		t.Errorf("read back %q, %v", b, err)
	}
}

func searchNothing(t *testing.T, when string, secrets, places []string) {
	t.Helper()
	found, looked, err := harness.Search(secrets, places...)
	if err != nil {
		t.Fatal(err)
	}
	if looked < 400<<10 {
		t.Errorf("%s: looked through %d bytes only", when, looked)
	}
	for _, f := range found {
		t.Errorf("%s: found %s", when, f)
	}
}
