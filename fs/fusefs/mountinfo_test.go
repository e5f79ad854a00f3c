package fusefs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const mountsText = `22 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw
30 22 0:26 / /mnt/a\040b rw,nosuid,nodev - fuse.dfsmount /var/lib/v\0541 rw,user_id=0
31 30 0:27 / /mnt/a\040b/inner rw shared:1 master:2 - tmpfs tmpfs rw
32 22 0:28 / /mnt/over rw - tmpfs tmpfs rw
33 22 0:29 / /mnt/over ro,nosuid - fuse.dfsmount back\134slash rw
34 22 0:30 / /mnt/overlay rw - ext4 /dev/vdb rw
`

func TestParseMounts(t *testing.T) {
	mounts, err := parseMounts(strings.NewReader(mountsText))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, source, kind string }{
		{"/etc", "/dev/vda1", "ext4"},
		{"/mnt/a b", "/var/lib/v,1", Type},
		{"/mnt/a b/x/y", "/var/lib/v,1", Type},
		{"/mnt/a bc", "/dev/vda1", "ext4"},
		{"/mnt/a b/inner/x", "tmpfs", "tmpfs"},
		{"/mnt/over", `back\slash`, Type}, // the newest of two on one directory
		{"/mnt/overlay/x", "/dev/vdb", "ext4"},
	} {
		m := topMount(c.path, mounts)
		if m == nil || m.Source != c.source || m.Type != c.kind {
			t.Errorf("%s lies on %+v, want %s of type %s", c.path, m, c.source, c.kind)
		}
	}
	if m := mountAt("/mnt/over", mounts); m == nil || !m.ReadOnly || m.Device != "0:29" {
		t.Errorf("mount at /mnt/over: %+v, want the read-only one on 0:29", m)
	}
	if m := mountAt("/mnt", mounts); m != nil {
		t.Errorf("/mnt is no mount point, but %+v", m)
	}
}

func TestParseMountsRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, text := range []string{"22 1 254:1 / / rw", "22 1 254:1 / / rw - ext4", "nothing"} {
		if mounts, err := parseMounts(strings.NewReader(text + "\n")); err == nil {
			t.Errorf("%q is read as %+v", text, mounts)
		}
	}
}

func TestResolveStopsAtOurMount(t *testing.T) {
	dir := t.TempDir()
	ours := filepath.Join(dir, "mnt")
	for link, target := range map[string]string{"abs": ours, "rel": "mnt", "chain": "abs", "deep": "chain/sub"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	os.Mkdir(ours, 0o700)
	os.Symlink("elsewhere", filepath.Join(ours, "inside")) // as if on the mount: must not be followed
	mounts := []MountInfo{{Dir: "/", Type: "ext4"}, {Dir: ours, Type: Type}}
	for path, want := range map[string]string{
		ours:                   ours,
		dir + "/abs":           ours,
		dir + "/rel/x":         ours + "/x",
		dir + "/chain":         ours,
		dir + "/deep/inside/y": ours + "/sub/inside/y",
		ours + "/inside":       ours + "/inside",
		dir + "/none/x":        dir + "/none/x",
	} {
		got, err := resolve(path, mounts)
		if err != nil || got != want {
			t.Errorf("resolve %s: %s, %v; want %s", path, got, err, want)
		}
	}
	os.Symlink("loop", filepath.Join(dir, "loop"))
	if got, err := resolve(dir+"/loop", mounts); err == nil {
		t.Errorf("a link to itself resolves to %s", got)
	}
}

func TestFindMountWithoutOne(t *testing.T) {
	if m, err := FindMount(t.TempDir()); !errors.Is(err, ErrNotMounted) {
		t.Errorf("found %+v, %v; want ErrNotMounted", m, err)
	}
}
