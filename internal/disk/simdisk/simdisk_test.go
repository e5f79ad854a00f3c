package simdisk_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"slices"
	"syscall"
	"testing"

	"dfsmount/internal/disk"
	"dfsmount/internal/disk/simdisk"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, d *simdisk.Disk, name string) disk.File {
	t.Helper()
	f, err := d.Open(name, disk.Create)
	must(t, err)
	return f
}

func put(t *testing.T, f disk.File, s string, off int64) {
	t.Helper()
	_, err := f.WriteAt([]byte(s), off)
	must(t, err)
}

// content is what the file reads as; "-" if it is not there.
func content(t *testing.T, d *simdisk.Disk, name string) string {
	t.Helper()
	f, err := d.Open(name, disk.Read)
	if errors.Is(err, iofs.ErrNotExist) {
		return "-"
	}
	must(t, err)
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<30))
	must(t, err)
	return string(b)
}

// durableFile is a disk with a file whose name and bytes are durable.
func durableFile(t *testing.T, name, text string) (*simdisk.Disk, disk.File) {
	t.Helper()
	d := simdisk.New()
	f := create(t, d, name)
	put(t, f, text, 0)
	must(t, f.Datasync())
	must(t, d.SyncDir("."))
	return d, f
}

func TestReadsSeeEverything(t *testing.T) {
	d := simdisk.New()
	must(t, d.Mkdir("a"))
	must(t, d.Mkdir("a"))
	f := create(t, d, "a/f")
	want := make([]byte, 3*4096)
	for i, off := range []int{0, 4000, 8192, 100, 4096} {
		p := bytes.Repeat([]byte{byte(i + 1)}, 300)
		put(t, f, string(p), int64(off))
		copy(want[off:], p)
	}
	want = want[:8492]
	if got := content(t, d, "a/f"); got != string(want) {
		t.Error("reads differ from what was written")
	}
	must(t, f.Truncate(150))
	must(t, f.Allocate(0, 400))
	want = append(want[:150:150], make([]byte, 250)...)
	if got := content(t, d, "a/f"); got != string(want) {
		t.Errorf("after truncating and allocating: %q", got)
	}
	b := make([]byte, 10)
	if n, err := f.ReadAt(b, 395); n != 5 || err != io.EOF {
		t.Errorf("at the end: %d, %v", n, err)
	}
	if n, err := f.ReadAt(b, 4000); n != 0 || err != io.EOF {
		t.Errorf("behind the end: %d, %v", n, err)
	}
}

func TestNames(t *testing.T) {
	d := simdisk.New()
	must(t, d.Mkdir("a"))
	create(t, d, "a/x")
	create(t, d, "a/y")
	must(t, d.Rename("a/x", "z"))
	if names, err := d.List("a"); err != nil || !slices.Equal(names, []string{"y"}) {
		t.Errorf("%q, %v", names, err)
	}
	if names, err := d.List("."); err != nil || !slices.Equal(names, []string{"a", "z"}) {
		t.Errorf("%q, %v", names, err)
	}
	for what, c := range map[string]struct{ got, want error }{
		"create existing": {second(d.Open("z", disk.Create)), iofs.ErrExist},
		"open missing":    {second(d.Open("q", disk.Write)), iofs.ErrNotExist},
		"open directory":  {second(d.Open("a", disk.Read)), syscall.EISDIR},
		"remove missing":  {d.Remove("q"), iofs.ErrNotExist},
		"remove dir":      {d.Remove("a"), syscall.EISDIR},
		"rename missing":  {d.Rename("q", "r"), iofs.ErrNotExist},
		"mkdir over file": {d.Mkdir("z"), syscall.ENOTDIR},
		"list missing":    {second(d.List("q")), iofs.ErrNotExist},
		"in missing dir":  {second(d.Open("q/f", disk.Create)), iofs.ErrNotExist},
		"in a file":       {second(d.Open("z/f", disk.Create)), syscall.ENOTDIR},
		"no name":         {d.Mkdir("a/.."), syscall.EINVAL},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: %v, want %v", what, c.got, c.want)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestCrashForgetsBytes(t *testing.T) {
	d, f := durableFile(t, "f", "durable")
	put(t, f, "written", 0)
	must(t, f.Allocate(0, 100))
	if got := content(t, d.Crash(0), "f"); got != "durable" {
		t.Errorf("seed 0 kept %q", got)
	}
	d, f = durableFile(t, "f", "durable")
	put(t, f, "written", 0)
	must(t, f.Truncate(5))
	if got := content(t, d.Crash(1), "f"); got != "writt" {
		t.Errorf("seed 1 lost something: %q", got)
	}
}

// TestCrashMixes shows that every outcome a real disk may leave does come up.
func TestCrashMixes(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(300) {
		d, f := durableFile(t, "f", "....")
		put(t, f, "a", 0)
		put(t, f, "b", 1)
		must(t, f.Truncate(3))
		seen[content(t, d.Crash(seed), "f")] = true
	}
	for _, want := range []string{"....", "a...", ".b..", "ab..", "...", "a..", ".b.", "ab."} {
		if !seen[want] {
			t.Errorf("no crash left %q", want)
		}
		delete(seen, want)
	}
	if len(seen) > 0 {
		t.Errorf("impossible outcomes: %v", seen)
	}
}

func TestCrashTearsAtSectors(t *testing.T) {
	torn := 0
	for seed := range uint64(100) {
		old := string(bytes.Repeat([]byte("."), 4*512))
		d, f := durableFile(t, "f", old)
		put(t, f, string(bytes.Repeat([]byte("x"), 3*512)), 100)
		got := content(t, d.Crash(seed), "f")
		kept := 0
		for _, sector := range [][2]int{{100, 512}, {512, 1024}, {1024, 1536}, {1536, 1636}} {
			switch part := got[sector[0]:sector[1]]; {
			case part == string(bytes.Repeat([]byte("x"), len(part))):
				kept++
			case part != old[:len(part)]:
				t.Fatalf("seed %d: a sector is half written", seed)
			}
		}
		if kept > 0 && kept < 4 {
			torn++
		}
	}
	if torn < 5 {
		t.Errorf("only %d of 100 writes were torn", torn)
	}
}

func TestCrashForgetsNames(t *testing.T) {
	build := func() *simdisk.Disk {
		d, _ := durableFile(t, "old", "1")
		g := create(t, d, "new")
		put(t, g, "2", 0)
		must(t, g.Datasync())
		return d
	}
	if got := content(t, build().Crash(0), "new"); got != "-" {
		t.Errorf("a name without SyncDir survived seed 0: %q", got)
	}
	seen := map[string]bool{}
	for seed := range uint64(200) {
		d := build()
		must(t, d.Rename("new", "old"))
		d = d.Crash(seed)
		seen[content(t, d, "old")+content(t, d, "new")] = true
	}
	// The creation kept or lost, the rename kept or lost; a rename never loses both names.
	for _, want := range []string{"1-", "12", "2-"} {
		if !seen[want] {
			t.Errorf("no crash left %q, only %v", want, seen)
		}
		delete(seen, want)
	}
	if len(seen) > 0 {
		t.Errorf("impossible outcomes: %v", seen)
	}
}

func TestSyncedRenameIsKept(t *testing.T) {
	for seed := range uint64(50) {
		d, _ := durableFile(t, "old", "1")
		must(t, d.Rename("old", "new"))
		must(t, d.SyncDir("."))
		d = d.Crash(seed)
		if content(t, d, "old") != "-" || content(t, d, "new") != "1" {
			t.Fatalf("seed %d lost a rename that was synced", seed)
		}
	}
}

func TestRemoveMayComeBack(t *testing.T) {
	d, _ := durableFile(t, "f", "1")
	must(t, d.Remove("f"))
	if content(t, d, "f") != "-" {
		t.Error("removed, and still there")
	}
	if got := content(t, d.Crash(0), "f"); got != "1" {
		t.Errorf("an unsynced removal was kept with seed 0: %q", got)
	}
}

func TestDirectoryNeedsItsParentSynced(t *testing.T) {
	d := simdisk.New()
	must(t, d.Mkdir("a"))
	f := create(t, d, "a/f")
	must(t, f.Datasync())
	must(t, d.SyncDir("a"))
	if _, err := d.Crash(0).List("a"); !errors.Is(err, iofs.ErrNotExist) {
		t.Errorf("a directory without SyncDir of its parent: %v", err)
	}
}

func TestCrashLeavesOldHandlesDead(t *testing.T) {
	d, f := durableFile(t, "f", "1")
	d.Crash(1)
	_, err := f.WriteAt([]byte("x"), 0)
	for what, err := range map[string]error{"write": err, "sync": f.Datasync(), "list": second(d.List("."))} {
		if !errors.Is(err, simdisk.ErrStopped) {
			t.Errorf("%s after the crash: %v", what, err)
		}
	}
}

func TestCrashIsDeterministic(t *testing.T) {
	run := func(seed uint64) string {
		d := simdisk.New()
		for i := range 20 {
			f := create(t, d, fmt.Sprint(i))
			put(t, f, string(bytes.Repeat([]byte("x"), 3000)), int64(i))
			if i%3 == 0 {
				must(t, f.Datasync())
			}
			if i == 10 {
				must(t, d.SyncDir("."))
			}
		}
		d = d.Crash(seed)
		all := ""
		names, err := d.List(".")
		must(t, err)
		for _, name := range names {
			all += name + ":" + content(t, d, name) + "\n"
		}
		return all
	}
	first, again := run(3), run(3)
	if first != again {
		t.Error("one seed, two outcomes")
	}
	if first == run(7) {
		t.Error("two seeds, one outcome")
	}
}

func TestStopAtEveryOperation(t *testing.T) {
	run := func(d *simdisk.Disk) (failed error) {
		f, err := d.Open("f", disk.Create)
		if err != nil {
			return err
		}
		_, err = f.WriteAt([]byte("x"), 0)
		for _, step := range []func() error{
			func() error { return err },
			func() error { return f.Allocate(0, 10) },
			func() error { return f.Truncate(5) },
			f.Datasync,
			func() error { return d.Mkdir("d") },
			func() error { return d.Rename("f", "d/g") },
			func() error { return d.SyncDir("d") },
			func() error { return d.Remove("d/g") },
		} {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	}
	whole := simdisk.New()
	must(t, run(whole))
	if whole.Ops() != 9 {
		t.Fatalf("%d operations", whole.Ops())
	}
	for k := 1; k <= 9; k++ {
		d := simdisk.New()
		d.StopAt(k)
		if err := run(d); !errors.Is(err, simdisk.ErrStopped) || !d.Stopped() || d.Ops() != k {
			t.Errorf("stop at %d: %v, %d operations", k, err, d.Ops())
		}
		if _, err := d.List("."); !errors.Is(err, simdisk.ErrStopped) {
			t.Errorf("stopped at %d, and goes on: %v", k, err)
		}
		d.Crash(uint64(k))
	}
}

// The operation a disk stops at was begun: a crash may find it done.
func TestStoppedWriteMayBeThere(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(20) {
		d, f := durableFile(t, "f", "old")
		d.StopAt(1)
		if _, err := f.WriteAt([]byte("new"), 0); !errors.Is(err, simdisk.ErrStopped) {
			t.Fatal(err)
		}
		seen[content(t, d.Crash(seed), "f")] = true
	}
	if !seen["old"] || !seen["new"] || len(seen) != 2 {
		t.Errorf("outcomes %v", seen)
	}
}

func TestStoppedSyncPromisesNothing(t *testing.T) {
	d, f := durableFile(t, "f", "old")
	put(t, f, "new", 0)
	d.StopAt(1)
	if err := f.Datasync(); !errors.Is(err, simdisk.ErrStopped) {
		t.Fatal(err)
	}
	if got := content(t, d.Crash(0), "f"); got != "old" {
		t.Errorf("seed 0 kept %q", got)
	}
}

func TestFullDisk(t *testing.T) {
	d := simdisk.New()
	d.SetCapacity(1000)
	f := create(t, d, "f")
	must(t, f.Allocate(0, 600))
	if free, total, err := d.Free(); free != 400 || total != 1000 || err != nil {
		t.Errorf("free %d of %d, %v", free, total, err)
	}
	must(t, second(f.WriteAt(make([]byte, 600), 0)))
	var pe *iofs.PathError
	if n, err := f.WriteAt(make([]byte, 600), 500); n != 500 || !errors.Is(err, disk.ErrFull) || !errors.Is(err, syscall.ENOSPC) || !errors.As(err, &pe) {
		t.Errorf("wrote %d, %v", n, err)
	}
	if err := f.Allocate(1000, 1); !errors.Is(err, disk.ErrFull) {
		t.Errorf("allocate: %v", err)
	}
	must(t, d.Rename("f", "g"))
	if free, _, _ := d.Free(); free != 0 {
		t.Errorf("a rename freed %d bytes", free)
	}
	must(t, d.Remove("g"))
	if free, _, _ := d.Free(); free != 0 {
		t.Errorf("a file still open freed %d bytes", free)
	}
	must(t, f.Close())
	if free, _, _ := d.Free(); free != 1000 {
		t.Errorf("%d bytes free of an empty disk", free)
	}
}

func TestReplacedFileFreesItsRoom(t *testing.T) {
	d := simdisk.New()
	d.SetCapacity(100)
	for _, name := range []string{"a", "b"} {
		f := create(t, d, name)
		must(t, f.Allocate(0, 40))
		must(t, f.Close())
	}
	must(t, d.Rename("a", "b"))
	if free, _, _ := d.Free(); free != 60 {
		t.Errorf("%d bytes free, want 60", free)
	}
}

func TestFaults(t *testing.T) {
	broken := errors.New("broken")
	d := simdisk.New()
	d.Fail(simdisk.Fault{Op: simdisk.WriteAt, Path: "segments/*.open", Skip: 1, Times: 2, Err: broken})
	d.Fail(simdisk.Fault{Op: simdisk.Remove, Err: broken})
	must(t, d.Mkdir("segments"))
	f := create(t, d, "segments/1.open")
	other := create(t, d, "other")
	for i, want := range []error{nil, broken, broken, nil} {
		put(t, other, "x", 0)
		if _, err := f.WriteAt([]byte("x"), int64(i)); !errors.Is(err, want) {
			t.Errorf("write %d: %v, want %v", i, err, want)
		}
	}
	if got := content(t, d, "segments/1.open"); got != "x\x00\x00x" {
		t.Errorf("a failed write did something: %q", got)
	}
	if unmet := d.Unmet(); len(unmet) != 1 || unmet[0].Op != simdisk.Remove {
		t.Errorf("unmet: %+v", unmet)
	}
	if err := d.Remove("other"); !errors.Is(err, broken) {
		t.Errorf("remove: %v", err)
	}
	d.Heal()
	must(t, d.Remove("other"))
}

// TestFailedSyncIsForgotten is the trap of fsync on Linux: the next one succeeds, and the bytes are gone.
func TestFailedSyncIsForgotten(t *testing.T) {
	lost := false
	for seed := range uint64(20) {
		d, _ := durableFile(t, "f", "old")
		d = d.Crash(seed) // gives each run dice of its own
		f, err := d.Open("f", disk.Write)
		must(t, err)
		d.Fail(simdisk.Fault{Op: simdisk.Datasync, Times: 1, Err: syscall.EIO})
		put(t, f, "new", 0)
		if err := f.Datasync(); !errors.Is(err, syscall.EIO) {
			t.Fatal(err)
		}
		must(t, f.Datasync())
		if got := content(t, d, "f"); got != "new" {
			t.Fatalf("reads show %q", got)
		}
		lost = lost || content(t, d.Crash(1), "f") == "old"
	}
	if !lost {
		t.Error("no failed sync ever lost its bytes")
	}
}

func TestFlipBit(t *testing.T) {
	d, _ := durableFile(t, "f", "abc")
	must(t, d.FlipBit("f", 1, 0))
	if got := content(t, d.Crash(0), "f"); got != "acc" {
		t.Errorf("got %q", got)
	}
	d, _ = durableFile(t, "f", "abc")
	for _, err := range []error{d.FlipBit("f", 3, 0), d.FlipBit("g", 0, 0)} {
		if err == nil {
			t.Error("a bit was flipped where there is none")
		}
	}
}

func TestHandles(t *testing.T) {
	d, _ := durableFile(t, "f", "abc")
	f, err := d.Open("f", disk.Read)
	must(t, err)
	if _, err := f.WriteAt([]byte("x"), 0); !errors.Is(err, syscall.EBADF) {
		t.Errorf("writing through a reader: %v", err)
	}
	must(t, f.Close())
	if _, err := f.ReadAt(make([]byte, 1), 0); !errors.Is(err, iofs.ErrClosed) {
		t.Errorf("reading after Close: %v", err)
	}
	if err := f.Close(); !errors.Is(err, iofs.ErrClosed) {
		t.Errorf("closing twice: %v", err)
	}
}
