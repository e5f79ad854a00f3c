package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// rsync with hard links, ACLs and attributes onto the mount and back, compared by checksums both ways, and by us.
func TestAppRsync(t *testing.T) {
	a := newApp(t, []string{"rsync", "setfacl"})
	source, back := a.w.Path("source"), a.w.Path("back")
	growCopied(a, source)
	a.rsync(source, a.on("copy"))
	a.sameByRsync(source, a.on("copy"))
	a.remount()
	a.sameByRsync(source, a.on("copy"))
	snap(t, source).same(t, a.on("copy"))

	// Changes, and what is to be deleted.
	a.write(filepath.Join(source, "sub", "new"), "new\n")
	a.write(filepath.Join(source, "size-4096"), "changed\n")
	for _, dir := range []string{filepath.Join(source, "sub", "deep"), a.on("copy", "superfluous")} {
		a.write(filepath.Join(dir, "x"), "")
	}
	if err := os.RemoveAll(filepath.Join(source, "sub", "deep")); err != nil {
		t.Fatal(err)
	}
	a.rsync(source, a.on("copy"))
	a.sameByRsync(source, a.on("copy"))
	a.rsync(a.on("copy"), back)
	a.sameByRsync(source, back)
	snap(t, source).same(t, back)
	a.finish()
}

// growCopied is growTree with ACLs, and with more hard links.
func growCopied(a *app, dir string) {
	a.t.Helper()
	growTree(a.t, dir)
	for _, name := range []string{"a", "b", "c"} {
		if err := os.Link(filepath.Join(dir, "size-65536"), filepath.Join(dir, "sub", "hard "+name)); err != nil {
			a.t.Fatal(err)
		}
	}
	a.must(dir, "setfacl", "-m", "u:1001:rwx,g:2000:r", "size-4095")
	a.must(dir, "setfacl", "-d", "-m", "u:1001:rwx", "sub/deep")
}

func (a *app) rsync(from, to string) {
	a.t.Helper()
	a.must("/", "rsync", "-aHAX", "--modify-window=-1", "--delete", from+"/", to+"/")
}

// sameByRsync has rsync find nothing to do in either direction, by contents and not by times.
func (a *app) sameByRsync(x, y string) {
	a.t.Helper()
	for _, dirs := range [][2]string{{x, y}, {y, x}} {
		if out := a.must("/", "rsync", "-aHAXnci", "--modify-window=-1", "--delete", dirs[0]+"/", dirs[1]+"/"); out != "" {
			a.t.Errorf("from %s to %s there would be something to do:\n%s", dirs[0], dirs[1], out)
		}
	}
}

// tar with attributes and ACLs, packed from the mount and unpacked there.
func TestAppTar(t *testing.T) {
	a := newApp(t, []string{"tar", "setfacl"})
	source, back := a.w.Path("source"), a.w.Path("back")
	growCopied(a, source)
	a.tar(source, a.on("copy"), a.on("first.tar"))
	a.remount()
	snap(t, source).same(t, a.on("copy"))
	a.must("/", "tar", "--xattrs", "--acls", "-df", a.on("first.tar"), "-C", a.on("copy"))
	a.tar(a.on("copy"), back, a.on("second.tar"))
	snap(t, source).same(t, back)
	if want, got := a.must("/", "getfacl", "-R", "-p", source), a.must("/", "getfacl", "-R", "-p", back); strings.ReplaceAll(got, back, source) != want {
		t.Error("the ACLs differ")
	}
	a.finish()
}

// tar packs one directory into an archive and that into another.
func (a *app) tar(from, to, archive string) {
	a.t.Helper()
	if err := os.Mkdir(to, 0o755); err != nil {
		a.t.Fatal(err)
	}
	options := []string{"--xattrs", "--xattrs-include=*", "--acls", "--format=posix", "--atime-preserve=system"}
	a.must("/", "tar", append(options, "--sparse", "-cf", archive, "-C", from, ".")...)
	a.must("/", "tar", append(options, "-xpf", archive, "-C", to)...)
	if os.Geteuid() != 0 {
		return
	}
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(to, "sparse"), &st); err != nil || st.Blocks*512 > 1<<20 {
		a.t.Errorf("the sparse file has %d blocks, %v", st.Blocks, err)
	}
}
