package archtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// formats are the packages that define bytes on other people's disks.
var formats = []string{"seal", "segment"}

func TestVectorsAreRun(t *testing.T) {
	all := packages(t)
	for _, p := range all {
		dir := filepath.Join(p.Dir, "testdata", "vectors")
		files := vectors(t, dir)
		switch {
		case files == nil && slices.Contains(formats, p.Path) && !apiOnly(p):
			t.Errorf("%s defines bytes and has no testdata/vectors", p.Path)
		case files != nil && len(files) == 0:
			t.Errorf("%s: testdata/vectors is empty", p.Path)
		case files != nil && !embeds(p):
			t.Errorf("%s: no test embeds its %d vectors (//go:embed testdata/vectors)", p.Path, len(files))
		case files != nil && !counts(t, p):
			t.Errorf("%s: no test counts its vectors: say len(…) != %d where they are run, so that none is lost in silence", p.Path, len(files))
		}
	}
	for _, want := range formats {
		if !slices.ContainsFunc(all, func(p pkg) bool { return p.Path == want }) {
			t.Errorf("the table names package %s, which does not exist", want)
		}
	}
}

// vectors lists the files below dir; nil if there is no such directory.
func vectors(t *testing.T, dir string) []string {
	t.Helper()
	if _, err := os.Stat(dir); err != nil {
		return nil
	}
	files := []string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// apiOnly tells whether a package is nothing but its agreed interface.
func apiOnly(p pkg) bool { return len(p.GoFiles) == 1 && p.GoFiles[0] == "api.go" }

func embeds(p pkg) bool {
	return slices.ContainsFunc(append(p.TestEmbedPatterns, p.XTestEmbedPatterns...), func(s string) bool {
		return strings.HasPrefix(strings.TrimPrefix(s, "all:"), "testdata/vectors")
	})
}

// counts tells whether a test that embeds vectors compares how many there are with a number.
func counts(t *testing.T, p pkg) bool {
	for _, name := range append(p.TestGoFiles, p.XTestGoFiles...) {
		b, err := os.ReadFile(filepath.Join(p.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "go:embed") && (strings.Contains(string(b), "len(") || strings.Contains(string(b), "count")) {
			return true
		}
	}
	return false
}
