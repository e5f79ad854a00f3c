package seal

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestHarden works in a process of its own, since Harden is for good.
func TestHarden(t *testing.T) {
	if os.Getenv("SEAL_TEST_HARDEN") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestHarden$", "-test.v")
		cmd.Env = append(os.Environ(), "SEAL_TEST_HARDEN=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "PASS: TestHarden") {
			t.Fatalf("error %v\n%s", err, out)
		}
		return
	}
	if err := Harden(); err != nil {
		t.Fatal(err)
	}
	if n, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || n != 0 {
		t.Errorf("dumpable is %d, error %v", n, err)
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil || limit.Cur != 0 || limit.Max != 0 {
		t.Errorf("limit of core dumps is %d of %d, error %v", limit.Cur, limit.Max, err)
	}
	// What a mount needs of /proc/self goes on working.
	if _, err := os.Executable(); err != nil {
		t.Error(err)
	}
	if _, err := os.ReadDir("/proc/self/fd"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"/proc/self/mountinfo", "/proc/self/status"} {
		if _, err := os.ReadFile(name); err != nil {
			t.Error(err)
		}
	}
	if out, err := exec.Command("/bin/sh", "-c", "ulimit -c").Output(); err != nil || string(out) != "0\n" {
		t.Errorf("a program it starts has a limit of %s, error %v", out, err)
	}
}
