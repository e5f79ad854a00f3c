package harness

import (
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A search that finds nothing proves something only if it finds what is there.
func TestSearchFindsWhatIsThere(t *testing.T) {
	const needle = "Geheimnis-47"
	dir := t.TempDir()
	write := func(name string, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i, prefix := range []string{"", "x", "xy"} {
		write("base64-"+string(rune('0'+i)), base64.StdEncoding.EncodeToString([]byte(prefix+needle+"tail")))
	}
	write("raw", "…"+needle+"…")
	write("hex", strings.ToUpper(hex.EncodeToString([]byte(needle))))
	write("a "+needle, "")
	write("innocent", "nothing")
	if err := os.Symlink("../"+needle, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	want := 7
	if err := unix.Setxattr(filepath.Join(dir, "innocent"), "user.x", []byte(needle), 0); err == nil {
		want++
	}
	found, looked, err := Search([]string{needle}, dir)
	if err != nil {
		t.Fatal(err)
	}
	places := map[string]bool{}
	for _, f := range found {
		places[f[strings.LastIndex(f, " in the "):]] = true
	}
	if len(places) != want || looked == 0 {
		t.Errorf("found %d of %d in %d bytes: %s", len(places), want, looked, strings.Join(found, "\n"))
	}
}
