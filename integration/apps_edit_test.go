package integration

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"dfsmount/internal/testenv"
)

// vim saves a file in each of its ways: by renaming the old one away, and by writing over it.
func TestAppVimSaves(t *testing.T) {
	a := newApp(t, []string{"vim"})
	for _, how := range []string{"no", "yes", "auto"} {
		path := a.on("text of " + how)
		a.write(path, "first line\n")
		if err := os.Chmod(path, 0o640); err != nil {
			t.Fatal(err)
		}
		a.must(a.m.Dir, "vim", "-es", "-u", "NONE", "-N", "--cmd", "set writebackup backupcopy="+how, "-c", "normal! osecond line", "-c", "wq", path)
		a.remount()
		if got := a.read(path); got != "first line\nsecond line\n" {
			t.Errorf("backupcopy=%s: the file holds %q", how, got)
		}
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o640 {
			t.Errorf("backupcopy=%s: %v, %v", how, st, err)
		}
	}
	if left, err := os.ReadDir(a.m.Dir); err != nil || len(left) != 3 {
		t.Errorf("left are %v, %v", left, err)
	}
	a.finish()
}

// What vim preserved in its swap file is there after both it and the mount's process were killed, and vim recovers it.
func TestAppVimRecovers(t *testing.T) {
	a := newApp(t, []string{"vim"})
	path, ready := a.on("text"), a.w.Path("ready")
	a.write(path, "first line\n")
	a.m.Sync() // the swap file holds what was changed, not all
	cmd := a.command(a.m.Dir, "vim", "-es", "-u", "NONE", "-N", "--cmd", "set swapfile swapsync=fsync directory=.", "-c", "normal! osecond line", "-c", "preserve",
		"-c", "call writefile(['x'], '"+ready+"')", path)
	in, err := cmd.StdinPipe() // it reads commands from there, and so waits
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	a.w.Await("vim has preserved the text", func() bool { _, err := os.Stat(ready); return err == nil })
	a.m.Kill()
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	a.m = a.v.Mount()
	if got := a.read(path); got != "first line\n" {
		t.Errorf("the file that was not saved holds %q", got)
	}
	// vim says by its exit code that there was something to recover.
	out, _ := a.try(a.m.Dir, "vim", "-es", "-u", "NONE", "-N", "--cmd", "set directory=.", "-r", path, "-c", "write! "+a.on("recovered"), "-c", "qall!")
	if _, err := os.Stat(a.on("recovered")); err != nil {
		t.Fatalf("nothing recovered: %v: %s", err, out)
	}
	if got := a.read(a.on("recovered")); got != "first line\nsecond line\n" {
		t.Errorf("recovered: %q", got)
	}
	a.finish()
}

// fio writes blocks that carry their checksums at random, and reads them again: at once, and after a remount.
func TestAppFio(t *testing.T) {
	for _, k := range []struct {
		name string
		args []string
	}{
		{"psync", []string{"--ioengine=psync", "--fsync=64"}},
		{"psync direct", []string{"--ioengine=psync", "--direct=1"}},
		{"libaio", []string{"--ioengine=libaio", "--direct=1", "--iodepth=16"}},
		{"mmap", []string{"--ioengine=mmap"}},
	} {
		t.Run(k.name, func(t *testing.T) {
			a := newApp(t, []string{"fio"})
			if strings.HasPrefix(k.name, "libaio") && !strings.Contains(a.must("/", "fio", "--enghelp"), "libaio") {
				testenv.Skip(t, "this fio has no libaio")
			}
			args := append([]string{"--name=job", "--directory=" + a.m.Dir, "--rw=randwrite", "--bsrange=4k-64k", "--bs_unaligned=0", "--size=24m",
				"--verify=crc32c", "--verify_fatal=1", "--verify_backlog=0", "--randseed=" + strconv.Itoa(os.Getpid()), "--end_fsync=1",
				"--aux-path=" + filepath.Dir(a.w.Path("fio", "x"))}, k.args...)
			a.must("/", "fio", args...)
			a.remount()
			a.must("/", "fio", append(args, "--verify_only")...)
			a.finish()
		})
	}
}
