package archtest

import (
	"strings"
	"testing"
)

// A blank line between comment and package clause loses the chapter; so does a file that nobody wrote.
func TestEveryPackageHasItsChapter(t *testing.T) {
	for _, p := range packages(t) {
		files := p.parse(t)
		if placeholder(files) {
			t.Logf("%s is a placeholder", p.Path)
			continue
		}
		if len(p.GoFiles) == 0 {
			t.Errorf("%s has test files only and so no chapter: give it a doc.go", p.Path)
			continue
		}
		chapters := 0
		for _, s := range files {
			if !s.test && s.file.Doc != nil {
				chapters++
			}
		}
		text := doc(files)
		begins := "Package " + p.Name + " "
		if p.Name == "main" {
			begins = "Command "
		}
		switch {
		case chapters == 0:
			t.Errorf("%s: no comment is attached to a package clause", p.Path)
		case chapters > 1:
			t.Errorf("%s: %d files have a package comment; the chapter belongs into one", p.Path, chapters)
		case !strings.HasPrefix(text, begins):
			t.Errorf("%s: the package comment begins %.40q, not %q", p.Path, text, begins)
		}
	}
}
