package archtest

import (
	"slices"
	"strings"
	"testing"
)

// layers lists every package and what of ours it may build upon, directly or through others. Test files are free:
// a test may look at everything. "…" after a path covers what lies below it.
var layers = []struct {
	path    string
	may     []string
	because string
}{
	{"seal", nil, "the only code with keys depends on nothing that could leak or bend them"},
	{"internal/disk", nil, "it is what the layers above need of an operating system"},
	{"internal/disk/simdisk", []string{"internal/disk"}, "a double knows the contract it doubles, and no user of it"},
	{"segment", []string{"seal", "internal/disk"}, "the format is sealed bytes on a disk, whoever writes them"},
	{"cache", []string{"segment", "seal", "internal/disk"}, "the local store works without nodes and without a kernel"},
	{"node", nil, "a node sees names and ciphertext and could be written by anyone"},
	{"node/dirnode", []string{"node"}, "a node sees names and ciphertext and could be written by anyone"},
	{"node/httpnode", []string{"node", "node/dirnode"}, "a node sees names and ciphertext; the server keeps them in a directory"},
	{"node/nodetest", []string{"node"}, "the suite judges every kind of node by the contract alone"},
	{"replicator", []string{"cache", "segment", "seal", "node", "internal/disk"}, "what leaves this machine passed through segment; which kinds of node there are is for cmd to know"},
	{"fs", []string{"cache", "segment", "seal", "internal/disk"}, "semantics know neither FUSE nor nodes"},
	{"fs/fusefs", []string{"fs", "cache", "segment", "seal", "internal/disk"}, "the adapter translates and decides nothing"},
	{"fs/fstest", []string{"fs", "cache", "segment", "seal", "internal/disk"}, "one suite for every target"},
	{"cmd/dfsmount", []string{"…"}, "it wires everything"},
	{"integration", []string{"internal/…", "fs/fstest"}, "it meets the program as people do, from outside"},
	{"integration/harness", []string{"internal/…"}, "it meets the program as people do, from outside"},
	{"internal/…", []string{"internal/…"}, "tools of the build and of tests"},
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
		i := slices.IndexFunc(layers, func(l struct {
			path    string
			may     []string
			because string
		}) bool {
			return covers(l.path, p.Path)
		})
		if i < 0 {
			t.Errorf("package %s is not in the table: decide where it stands", p.Path)
			continue
		}
		for _, dep := range p.Deps {
			if d := own(dep); d != "" && !slices.ContainsFunc(layers[i].may, func(m string) bool { return covers(m, d) }) {
				t.Errorf("%s may not depend on %s, because %s", p.Path, d, layers[i].because)
			}
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
