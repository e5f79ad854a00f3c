package testenv

import (
	"os"
	"os/exec"
	"testing"
)

// NoSkip is the environment variable that turns skips into failures when it is 1.
const NoSkip = "DFSMOUNT_NOSKIP"

// Skip ends the test because this machine lacks something: a skip with its reason, or a failure if NoSkip says so.
func Skip(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv(NoSkip) == "1" {
		t.Fatalf("%s=1, but: %s", NoSkip, reason)
	}
	t.Skipf("SKIPPED, NOT TESTED: %s", reason)
}

// NeedFUSE ends the test where nothing can be mounted.
func NeedFUSE(t testing.TB) {
	t.Helper()
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		Skip(t, "mounting needs /dev/fuse: "+err.Error())
	}
	f.Close()
	if os.Geteuid() == 0 {
		return
	}
	if _, err := exec.LookPath("fusermount3"); err != nil {
		Skip(t, "mounting as a plain user needs fusermount3: install the package fuse3")
	}
}

// NeedRoot ends the test for a plain user.
func NeedRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		Skip(t, "needs root")
	}
}
