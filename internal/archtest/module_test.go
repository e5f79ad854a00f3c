package archtest

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const module = "dfsmount"

// pkg is what go list tells of one package; Path is its import path without the module.
type pkg struct {
	Path                                                 string
	Dir, Name, ImportPath                                string
	GoFiles, TestGoFiles, XTestGoFiles                   []string
	EmbedPatterns, TestEmbedPatterns, XTestEmbedPatterns []string
	Imports, Deps                                        []string
}

// packages lists the packages of the module, tests and all.
func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json", "./...") // what does not build is reported by the build
	cmd.Dir = root(t)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("list packages: %v\n%s", err, stderr(err))
	}
	var all []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("list packages: %v", err)
		}
		p.Path = own(p.ImportPath)
		all = append(all, p)
	}
	if len(all) == 0 {
		t.Fatal("the module has no packages")
	}
	return all
}

func stderr(err error) []byte {
	if e, ok := err.(*exec.ExitError); ok {
		return e.Stderr
	}
	return nil
}

// own strips the module from an import path; "" for the packages of others.
func own(importPath string) string {
	path, ok := strings.CutPrefix(importPath, module+"/")
	if !ok {
		return ""
	}
	return path
}

// root is the directory of go.mod. Opening what lies there through package os also tells go test that the result
// depends on it.
func root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above this test")
		}
	}
}

// source is one parsed file.
type source struct {
	name string // base name
	test bool
	file *ast.File
	fset *token.FileSet
}

// parse reads all files of a package.
func (p pkg) parse(t *testing.T) (all []source) {
	t.Helper()
	fset := token.NewFileSet()
	for _, list := range [][]string{p.GoFiles, p.TestGoFiles, p.XTestGoFiles} {
		for _, name := range list {
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments)
			if err != nil {
				t.Fatalf("parse: %v", err)
			}
			all = append(all, source{name, strings.HasSuffix(name, "_test.go"), f, fset})
		}
	}
	return all
}

// placeholder tells whether a package is still the agreed interface without what is behind it.
func placeholder(files []source) bool {
	for _, s := range files {
		if s.file.Doc != nil && strings.Contains(s.file.Doc.Text(), "PLACEHOLDER") {
			return true
		}
	}
	return false
}

// doc is the package's documentation: the doc comments of its files, tests' not counted.
func doc(files []source) (text string) {
	for _, s := range files {
		if !s.test && s.file.Doc != nil {
			text += s.file.Doc.Text()
		}
	}
	return text
}
