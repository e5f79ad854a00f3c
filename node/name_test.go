package node_test

import (
	"errors"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"dfsmount/node"
)

var names = []struct {
	name string
	want bool
}{
	{"a", true},
	{"-", true},
	{"segment/0000000000000001-00000000", true},
	{"a/b/c/d", true},
	{"a/b/c/d/e", false},
	{strings.Repeat("a", node.MaxPartLength), true},
	{strings.Repeat("a", node.MaxPartLength+1), false},
	{"", false},
	{"/", false},
	{"/a", false},
	{"a/", false},
	{"a//b", false},
	{".", false},
	{"..", false},
	{"../a", false},
	{"a/../b", false},
	{"A", false},
	{"a.b", false},
	{"a b", false},
	{"a\x00", false},
	{"a\\b", false},
	{"a%2fb", false},
	{"ä", false},
	{"a\n", false},
}

func TestValidName(t *testing.T) {
	for _, c := range names {
		if got := node.ValidName(c.name); got != c.want {
			t.Errorf("ValidName(%q) = %v", c.name, got)
		}
	}
}

const volume = "00112233445566778899aabbccddeeff"

func TestValidVolume(t *testing.T) {
	for id, want := range map[string]bool{
		volume: true, strings.ToUpper(volume): false, "": false, volume[1:]: false, volume + "0": false,
		volume[1:] + "g": false, volume[2:] + "..": false, volume[1:] + "/": false,
	} {
		if got := node.ValidVolume(id); got != want {
			t.Errorf("ValidVolume(%q) = %v", id, got)
		}
	}
}

func TestCheck(t *testing.T) {
	if err := node.Check(volume, "a"); err != nil {
		t.Error(err)
	}
	for _, c := range [][2]string{{"", "a"}, {volume, ""}, {"..", "a"}, {volume, "../a"}} {
		if err := node.Check(c[0], c[1]); !errors.Is(err, node.ErrPermanent) {
			t.Errorf("Check(%q, %q) = %v, want ErrPermanent", c[0], c[1], err)
		}
	}
}

// FuzzValidName holds what nodes rely on: a valid name is a local, clean path, and joining its parts changes nothing.
func FuzzValidName(f *testing.F) {
	for _, c := range names {
		f.Add(c.name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if !node.ValidName(name) {
			return
		}
		parts := strings.Split(name, "/")
		if !filepath.IsLocal(name) || path.Clean(name) != name || len(parts) > node.MaxParts {
			t.Fatalf("%q is valid and not a clean local path", name)
		}
		for _, p := range parts {
			if !node.ValidPart(p) || strings.Trim(p, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
				t.Fatalf("%q has the part %q", name, p)
			}
		}
	})
}
