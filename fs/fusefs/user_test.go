package fusefs

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"dfsmount/internal/testenv"
)

// asUser runs a line of shell as a plain user and returns what it prints.
func asUser(line string) (string, error) {
	cmd := exec.Command("sh", "-c", line)
	cmd.SysProcAttr = testenv.AsUser(testenv.PlainUser)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func needHelper(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.NeedFUSE(t)
	if _, err := findHelper(); err != nil {
		testenv.Skip(t, err.Error())
	}
}

func TestPlainUserMounts(t *testing.T) {
	needHelper(t)
	if fi, err := os.Stat(devFuse); err != nil || fi.Mode().Perm()&0o006 != 0o006 {
		t.Skip("NOT TESTED: " + devFuse + " of this machine is closed to plain users; it usually has mode 0666")
	}
	loops(t, func(t *testing.T, loop string) {
		dir := testenv.PublicDir(t)
		m, err := testenv.StartMountAs(t, testenv.PlainUser, dir, "ram", dir, "loop="+loop)
		must(t, err)
		out, err := asUser("cd " + dir + " && umask 077 && echo hello > f && cat f && stat -c %u:%a f")
		if err != nil || out != "hello\n65534:600" {
			t.Errorf("as the user: %q, %v", out, err)
		}
		found, err := FindMount(dir)
		if err != nil || found.Source != childOptions(nil).FSName {
			t.Errorf("found %+v, %v", found, err)
		}
		if out, err := asUser("fusermount3 -u " + dir); err != nil {
			t.Fatalf("unmount as the user: %s, %v", out, err)
		}
		must(t, m.Wait())
	})
}

func TestPlainUserMayNotLetOthersIn(t *testing.T) {
	needHelper(t)
	if mayAllowOther() {
		t.Skip("/etc/fuse.conf lets plain users do it")
	}
	dir := testenv.PublicDir(t)
	_, err := testenv.StartMountAs(t, testenv.PlainUser, dir, "ram", dir, "allow_other")
	if err == nil || !strings.Contains(err.Error(), "/etc/fuse.conf") {
		t.Errorf("allow_other as a plain user: %v, want an error that names /etc/fuse.conf", err)
	}
}

func TestPlainUserMayNotAskForDevices(t *testing.T) {
	needHelper(t)
	dir := testenv.PublicDir(t)
	_, err := testenv.StartMountAs(t, testenv.PlainUser, dir, "ram", dir, "dev")
	if err == nil || !strings.Contains(err.Error(), "for root only") {
		t.Errorf("dev as a plain user: %v, want an error that says who may", err)
	}
}

func TestOwnerOnly(t *testing.T) {
	testenv.NeedRoot(t)
	for option, want := range map[string]bool{"owner": false, "nopoll": true} { // nopoll: any option that leaves the default
		dir := testenv.PublicDir(t)
		testenv.StartMount(t, dir, "ram", dir, option)
		if _, err := asUser("ls " + dir); (err == nil) != want {
			t.Errorf("another user in root's mount with %s: %v, want success %v", option, err, want)
		}
	}
}
