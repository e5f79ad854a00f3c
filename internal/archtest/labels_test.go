package archtest

import (
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// An invariant is declared in a package comment by a paragraph "S1. What holds." It is held by a test or by a check: its label stands in
// a test file (a comment, a string, the name of a test) or in a string of the product, as the rule a check reports.
var (
	declared = regexp.MustCompile(`(?m)^\s*([A-Z][0-9]{1,2})\. `)
	mention  = regexp.MustCompile(`(?:^|[^A-Za-z0-9])(?:Test|Fuzz|test)?([A-Z][0-9]{1,2})(?:$|[^A-Za-z0-9])`)

	// The name of a test may go on behind the label: TestD4DiskPulled.
	testName = regexp.MustCompile(`^(?:Test|Fuzz)([A-Z][0-9]{1,2})[A-Z]`)

	// Text that clearly means an invariant, and not a vitamin, a drive or an object store: "S1: …", "invariant S1", or the whole string "S1".
	citation = regexp.MustCompile(`(?:^\s*(?://\s*)?|[Ii]nvariants? |[Rr]ule )([A-Z][0-9]{1,2})(?::\s|$)`)
)

func TestInvariantsAreHeld(t *testing.T) {
	all := packages(t)
	home := map[string]string{} // label → package that declares it
	for _, p := range all {
		for _, m := range declared.FindAllStringSubmatch(doc(p.parse(t)), -1) {
			if other, ok := home[m[1]]; ok && other != p.Path {
				t.Errorf("%s and %s both declare %s: a label means one thing", other, p.Path, m[1])
			} else if ok {
				t.Errorf("%s declares %s twice", p.Path, m[1])
			}
			home[m[1]] = p.Path
		}
	}
	families := map[byte]bool{}
	for label := range home {
		families[label[0]] = true
	}
	held := map[string]bool{}
	for _, p := range all {
		if p.Path == "internal/archtest" {
			continue // its examples hold nothing
		}
		for _, s := range p.parse(t) {
			for _, text := range texts(s) {
				for _, m := range append(mention.FindAllStringSubmatch(text.value, -1), testName.FindAllStringSubmatch(text.value, -1)...) {
					if s.test || text.literal || strings.HasSuffix(p.Name, "test") {
						held[m[1]] = true
					}
				}
				for _, m := range citation.FindAllStringSubmatch(text.value, -1) {
					if families[m[1][0]] && home[m[1]] == "" {
						t.Errorf("%s: %s cites %s, which no package declares", s.fset.Position(text.pos), p.Path, m[1])
					}
				}
			}
		}
	}
	for label, path := range home {
		if !held[label] {
			t.Errorf("%s declares %s, and no test and no check names it", path, label)
		}
	}
	t.Logf("%d invariants", len(home))
}

// text is a piece of a file that may name a label.
type text struct {
	pos     token.Pos
	value   string
	literal bool
}

// texts returns the comments (without the package comment), string literals and names of functions of a file.
func texts(s source) (all []text) {
	for _, g := range s.file.Comments {
		if g != s.file.Doc {
			for line := range strings.Lines(g.Text()) {
				all = append(all, text{g.Pos(), strings.TrimSuffix(line, "\n"), false})
			}
		}
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.BasicLit:
			if n.Kind == token.STRING {
				all = append(all, text{n.Pos(), strings.Trim(n.Value, "\"`"), true})
			}
		case *ast.FuncDecl:
			for word := range strings.SplitSeq(n.Name.Name, "_") {
				all = append(all, text{n.Pos(), " " + word, false}) // no citation: the name of a test may say V2 or I7
			}
		}
		return true
	})
	return all
}

func TestLabelPatterns(t *testing.T) {
	first := func(re *regexp.Regexp, s string) string {
		if m := re.FindStringSubmatch(s); m != nil {
			return m[1]
		}
		return ""
	}
	for _, c := range []struct {
		re      *regexp.Regexp
		in, out string
	}{
		{declared, "Text.\n\nS1. A segment\n", "S1"}, {declared, "as in S1. So", ""}, {declared, "\tF12. Size", "F12"},
		{mention, "S1", "S1"}, {mention, "holds (S1, S2)", "S1"}, {mention, "TestS1", "S1"}, {mention, "AES256", ""}, {mention, "S100", ""},
		{citation, "S1: torn", "S1"}, {citation, "keeps invariant S1", "S1"}, {citation, "S1", "S1"}, {citation, "an S3 store", ""},
		{citation, "on S3: MinIO", ""}, {citation, "rule F2", "F2"},
	} {
		if got := first(c.re, c.in); got != c.out {
			t.Errorf("%v on %q finds %q, want %q", c.re, c.in, got, c.out)
		}
	}
	if !slices.Equal(mention.FindStringSubmatch("x S2 y"), []string{" S2 ", "S2"}) {
		t.Error("a label between words is not found")
	}
}
