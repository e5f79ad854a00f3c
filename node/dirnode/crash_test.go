package dirnode

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"dfsmount/node"
	"dfsmount/node/nodetest"
)

// A test binary with these set is the child of a crash test: it puts objects until it is killed, and says which were acknowledged.
const (
	envCrashDir   = "DIRNODE_CRASH_DIR"
	envCrashRound = "DIRNODE_CRASH_ROUND"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(envCrashDir); dir != "" {
		fmt.Println("child ends:", putForever(dir, os.Getenv(envCrashRound)))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// crashData is what an object of a crash test holds: it follows from the name, and is from nothing to 254 KiB long.
func crashData(name string) []byte {
	size := int(nodetest.Bytes("size of "+name, 1)[0])
	return nodetest.Bytes(name, size*size*4)
}

// putForever runs four writers. Every name is new, the directories too now and then.
func putForever(dir, round string) error {
	h, err := open(dir, Options{})
	if err != nil {
		return err
	}
	n := h.Volume(nodetest.VolumeID)
	errs := make(chan error)
	for worker := range 4 {
		go func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("r%s/w%d/%d/%d", round, worker, i/4, i)
				if err := put(n, name, crashData(name)); err != nil {
					errs <- err
					return
				}
				fmt.Println(name)
			}
		}()
	}
	return <-errs
}

// TestD1Kill kills the child in the middle of its Puts, round after round in one directory. SIGKILL leaves the page cache, so this is about
// whole objects; what a power cut leaves is TestD2PowerCut.
func TestD1Kill(t *testing.T) {
	h := newHost(t)
	n := h.Volume(nodetest.VolumeID)
	var acked []string
	for round := range 12 {
		acked = append(acked, killedRound(t, h.path, round)...)
		wantWhole(t, n, acked)
	}
	temps, err := filepath.Glob(filepath.Join(h.path, tempDir, "*"))
	if err != nil || len(temps) == 0 {
		t.Errorf("no round died in the middle of a Put: %v", err)
	}
	t.Logf("%d objects acknowledged, %d Puts died in the middle", len(acked), len(temps))
}

// killedRound starts a child, kills it after a number of acknowledgements that differs by round, and returns all it gave.
func killedRound(t *testing.T, dir string, round int) []string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envCrashDir+"="+dir, envCrashRound+"="+strconv.Itoa(round))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := sync.OnceFunc(func() { _ = cmd.Process.Kill() })
	defer func() { kill(); _ = cmd.Wait() }()
	var acked []string
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) || errors.Is(err, os.ErrClosed) {
			return acked // a line cut off by the kill was not said
		}
		if err != nil || strings.Contains(line, " ") {
			t.Fatalf("round %d: %q, %v", round, line, err)
		}
		acked = append(acked, strings.TrimSuffix(line, "\n"))
		if len(acked) > 1+round*2 {
			kill() // and read on: what was said before it counts
		}
	}
}

// wantWhole holds D1 and D2: every object there is whole, and what was acknowledged is there.
func wantWhole(t *testing.T, n node.Node, acked []string) {
	t.Helper()
	there := map[string]bool{}
	err := n.List(context.Background(), "", "", func(i node.Info) error {
		there[i.Name] = true
		if got, err := nodetest.Read(n, i.Name, 0, -1); err != nil || string(got) != string(crashData(i.Name)) {
			t.Errorf("D1: %s is not whole: %d bytes of %d, %v", i.Name, len(got), len(crashData(i.Name)), err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range acked {
		if !there[name] {
			t.Errorf("D2: %s was acknowledged and is gone", name)
		}
	}
}
