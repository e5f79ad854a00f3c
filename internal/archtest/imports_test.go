package archtest

import (
	"slices"
	"strings"
	"testing"
)

// layer is a package and what of ours it may import. What those may, it may build upon as well. "…" stands for any path.
type layer struct {
	path    string
	may     []string
	because string
}

// layers lists every package. Test files are free: a test may look at everything.
var layers = []layer{
	{"internal/secret", nil, "it is memory that is locked and wiped, and nothing else"},
	{"internal/disk", nil, "it is what the layers above need of an operating system"},
	{"internal/disk/simdisk", []string{"internal/disk"}, "a double knows the contract it doubles, and no user of it"},
	{"seal", []string{"internal/secret"}, "the only code with keys depends on nothing that could leak or bend them"},
	{"segment", []string{"seal", "internal/disk"}, "the format is sealed bytes on a disk, whoever writes them"},
	{"cache", []string{"segment", "seal", "internal/disk"}, "the local store works without nodes and without a kernel"},
	{"node", nil, "a node sees names and ciphertext and could be written by anyone"},
	{"node/dirnode", []string{"node"}, "a node sees names and ciphertext and could be written by anyone"},
	{"node/httpnode", []string{"node", "node/dirnode"}, "a node sees names and ciphertext; the server keeps them in a directory"},
	{"node/nodetest", []string{"node"}, "the suite judges every kind of node by the contract alone"},
	{"replicator", []string{"cache", "segment", "seal", "node", "internal/disk"}, "what leaves this machine passed through segment; which kinds of node there are is for cmd to know"},
	{"fs", []string{"cache", "segment"}, "semantics know neither FUSE nor nodes"},
	{"fs/fusefs", []string{"fs"}, "the adapter translates and decides nothing"},
	{"fs/fstest", []string{"fs"}, "one suite for every target"},
	{"cmd/dfsmount", []string{"…"}, "it wires everything"},
	{"integration", []string{"internal/…"}, "it meets the program as people do, from outside"},
	{"integration/exercise", []string{"integration/harness", "internal/…"}, "it compares a mount with a plain directory, from outside"},
	{"integration/harness", []string{"internal/…"}, "it meets the program as people do, from outside"},
	{"internal/…", []string{"internal/…"}, "tools of the build and of tests"},
}

// standing finds where a package stands.
func standing(path string) (layer, bool) {
	i := slices.IndexFunc(layers, func(l layer) bool { return covers(l.path, path) })
	if i < 0 {
		return layer{}, false
	}
	return layers[i], true
}

// allows tells whether a package of this layer may build upon dep.
func (l layer) allows(dep string) bool {
	for _, m := range l.may {
		if covers(m, dep) {
			return true
		}
		if below, ok := standing(m); ok && below.path != l.path && below.allows(dep) {
			return true
		}
	}
	return false
}

// owners says which packages alone may import a library (test files apart).
var owners = []struct {
	library string
	only    []string
	because string
}{
	{"github.com/hanwen/go-fuse", []string{"fs/fusefs"}, "FUSE is one way to show a filesystem, behind one adapter"},
	{"github.com/minio/sio", []string{"seal"}, "one package encrypts"},
	{"filippo.io/age", []string{"seal"}, "one package wraps keys"},
	{"crypto/cipher", []string{"seal"}, "one package encrypts"},
	{"crypto/aes", []string{"seal"}, "one package encrypts"},
	{"golang.org/x/crypto", []string{"seal"}, "one package encrypts"},
	{"go.etcd.io/bbolt", []string{"cache"}, "the index is a detail of the local store"},
	{"github.com/tidwall/btree", []string{"cache"}, "the overlay is a detail of the local store"},
	{"github.com/cenkalti/backoff", []string{"replicator"}, "one place decides when to try again"},
	{"github.com/spf13/cobra", []string{"cmd/dfsmount"}, "the shell is at the top"},
	{"net/http", []string{"node/httpnode", "internal/control", "cmd/dfsmount"}, "the network is behind node.Node; the control socket is local"},
}

func TestImportsPointOneWay(t *testing.T) {
	all := packages(t)
	for _, l := range layers {
		if !slices.ContainsFunc(all, func(p pkg) bool { return covers(l.path, p.Path) }) {
			t.Errorf("the table names package %s, which does not exist", l.path)
		}
	}
	for _, p := range all {
		l, ok := standing(p.Path)
		if !ok {
			t.Errorf("package %s is not in the table: decide where it stands", p.Path)
			continue
		}
		for _, dep := range p.Deps {
			if d := own(dep); d != "" && !l.allows(d) {
				t.Errorf("%s may not depend on %s, because %s", p.Path, d, l.because)
			}
		}
	}
}

// The table itself forbids what matters: a slip in it would forbid nothing, in silence.
func TestTableForbids(t *testing.T) {
	for _, c := range []struct {
		from, to string
		may      bool
	}{
		{"fs", "fs/fusefs", false}, {"fs", "node", false}, {"fs", "seal", true}, {"cache", "replicator", false}, {"cache", "node", false},
		{"node", "seal", false}, {"node/httpnode", "seal", false}, {"seal", "segment", false}, {"segment", "cache", false},
		{"replicator", "fs", false}, {"replicator", "node/httpnode", false}, {"replicator", "internal/secret", true},
		{"integration", "cache", false}, {"cmd/dfsmount", "fs", true}, {"internal/bench", "fs", false}, {"seal", "internal/secret", true},
	} {
		l, ok := standing(c.from)
		if !ok || l.allows(c.to) != c.may {
			t.Errorf("%s may build upon %s: %v, want %v", c.from, c.to, l.allows(c.to), c.may)
		}
	}
}

func TestLibrariesHaveOneOwner(t *testing.T) {
	all := packages(t)
	for _, o := range owners {
		for _, only := range o.only {
			if !slices.ContainsFunc(all, func(p pkg) bool { return p.Path == only }) {
				t.Errorf("the table names package %s, which does not exist", only)
			}
		}
		for _, p := range all {
			for _, imp := range p.Imports {
				if within(imp, o.library) && !slices.Contains(o.only, p.Path) {
					t.Errorf("%s may not import %s, because %s: only %s may", p.Path, imp, o.because, strings.Join(o.only, ", "))
				}
			}
		}
	}
}

// covers tells whether a path of the table stands for the package path.
func covers(pattern, path string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "…"); ok {
		return strings.HasPrefix(path, prefix)
	}
	return pattern == path
}

// within tells whether an import path is the library or a package of it.
func within(path, library string) bool {
	return path == library || strings.HasPrefix(path, library+"/")
}
