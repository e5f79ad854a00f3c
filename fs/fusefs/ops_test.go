package fusefs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dfsmount/internal/testenv"

	"golang.org/x/sys/unix"
)

func TestFaultsAndPanicsAreEIO(t *testing.T) {
	loops(t, func(t *testing.T, loop string) {
		m := startRAM(t, loop)
		for name, want := range map[string]error{namePanic: unix.EIO, nameFault: unix.EIO, nameNoSys: unix.EOPNOTSUPP} {
			if _, err := os.Lstat(filepath.Join(m.Dir, name)); !errors.Is(err, want) {
				t.Errorf("look up %s: %v, want %v", name, err, want)
			}
		}
		if err := os.WriteFile(filepath.Join(m.Dir, "after"), []byte("x"), 0o600); err != nil {
			t.Errorf("the mount does not work after a panic: %v", err)
		}
		m.Unmount()
	})
}

// TestReferencesReturn looks up, creates, links and lists, and then makes the kernel give everything back.
func TestReferencesReturn(t *testing.T) {
	testenv.NeedRoot(t)
	loops(t, func(t *testing.T, loop string) {
		m := startRAM(t, loop)
		const files = 500
		for i := range files {
			if err := os.WriteFile(filepath.Join(m.Dir, fmt.Sprint(i)), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		must(t, os.Mkdir(filepath.Join(m.Dir, "dir"), 0o700))
		must(t, os.Symlink("nowhere", filepath.Join(m.Dir, "symlink")))
		must(t, os.Link(filepath.Join(m.Dir, "0"), filepath.Join(m.Dir, "dir", "link")))
		must(t, unix.Mkfifo(filepath.Join(m.Dir, "fifo"), 0o600))
		gone := filepath.Join(m.Dir, "gone")
		held, err := os.Create(gone)
		must(t, err)
		must(t, os.Remove(gone))
		for range 3 {
			out, err := exec.Command("ls", "-la", m.Dir, filepath.Join(m.Dir, "dir")).CombinedOutput()
			if err != nil || strings.Count(string(out), "\n") < files {
				t.Fatalf("ls: %v: %s", err, out)
			}
		}
		if n := m.Ask("inodes"); n != fmt.Sprint(files+5) {
			t.Errorf("%s inodes with one unlinked and open, want %d", n, files+5)
		}
		held.Close()
		if refs := m.Ask("refs"); refs == "0" {
			t.Error("the kernel holds no references: nothing is tested")
		}
		dropCaches(t)
		if m.Ask("no refs") != "true" {
			t.Errorf("%s references were not given back: counted but not known to the kernel", m.Ask("refs"))
		}
		if n := m.Ask("inodes"); n != fmt.Sprint(files+4) {
			t.Errorf("%s inodes after the unlinked one was closed, want %d", n, files+4)
		}
		m.Unmount()
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// dropCaches makes the kernel forget names and inodes, here and everywhere.
func dropCaches(t *testing.T) {
	t.Helper()
	must(t, os.WriteFile("/proc/sys/vm/drop_caches", []byte("2"), 0))
}

// TestReadDirWhileDeleting lists a directory of 20,000 in pieces, deleting between them: what stays is seen once, what was never there is not.
func TestReadDirWhileDeleting(t *testing.T) {
	loops(t, func(t *testing.T, loop string) {
		m := startRAM(t, loop)
		const files = fillFiles
		m.Ask("fill")
		seen := map[string]int{}
		dir, err := os.Open(m.Dir)
		must(t, err)
		defer dir.Close()
		deleted := map[string]bool{}
		for victim := 0; ; victim += 400 {
			names, err := dir.Readdirnames(500)
			if errors.Is(err, io.EOF) {
				break
			}
			must(t, err)
			for _, name := range names {
				seen[name]++
			}
			for i := victim; i < victim+100 && i < files; i++ { // some that were listed, some that were not
				name := fmt.Sprint(i)
				must(t, os.Remove(filepath.Join(m.Dir, name)))
				deleted[name] = true
			}
		}
		for i := range files {
			name := fmt.Sprint(i)
			if n := seen[name]; n > 1 || n == 0 && !deleted[name] {
				t.Fatalf("%s was listed %d times", name, n)
			}
			delete(seen, name)
		}
		if len(seen) != 0 {
			t.Errorf("listed what was never there: %v", seen)
		}
	})
}

func TestSpecialFilesAndTimes(t *testing.T) {
	loops(t, func(t *testing.T, loop string) {
		testenv.NeedRoot(t)
		m := startRAM(t, loop, "dev")
		path := filepath.Join(m.Dir, "special")
		for _, c := range []struct {
			mode uint32
			dev  uint64
		}{
			{unix.S_IFIFO | 0o640, 0}, {unix.S_IFSOCK | 0o600, 0}, {unix.S_IFCHR | 0o644, unix.Mkdev(1, 3)}, {unix.S_IFBLK | 0o600, unix.Mkdev(259, 70000)},
		} {
			must(t, unix.Mknod(path, c.mode, int(c.dev)))
			var st unix.Stat_t
			must(t, unix.Lstat(path, &st))
			if st.Mode != c.mode || st.Rdev != c.dev {
				t.Errorf("made mode %o device %x, found mode %o device %x", c.mode, c.dev, st.Mode, st.Rdev)
			}
			must(t, unix.Unlink(path))
		}
		must(t, unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
		if _, err := os.ReadFile(path); err != nil {
			t.Errorf("read /dev/null made on a mount that obeys devices: %v", err)
		}
		file := filepath.Join(m.Dir, "old")
		must(t, os.WriteFile(file, []byte("x"), 0o600))
		atime, mtime := time.Unix(-3, 5), time.Unix(1<<33, 999_999_999)
		must(t, os.Chtimes(file, atime, mtime))
		dropCaches(t)
		var st unix.Statx_t
		must(t, unix.Statx(unix.AT_FDCWD, file, 0, unix.STATX_ALL, &st))
		if st.Atime.Sec != -3 || st.Atime.Nsec != 5 || st.Mtime.Sec != 1<<33 || st.Mtime.Nsec != 999_999_999 {
			t.Errorf("atime %v mtime %v, want %v and %v", st.Atime, st.Mtime, atime, mtime)
		}
		if age := time.Since(time.Unix(st.Btime.Sec, int64(st.Btime.Nsec))); st.Mask&unix.STATX_BTIME == 0 || age < 0 || age > time.Minute {
			t.Errorf("birth %v (mask %x)", st.Btime, st.Mask)
		}
		if st.Blksize != blockSize {
			t.Errorf("block size %d", st.Blksize)
		}
	})
}

func TestXattr(t *testing.T) {
	loops(t, func(t *testing.T, loop string) {
		m := startRAM(t, loop)
		file := filepath.Join(m.Dir, "file")
		must(t, os.WriteFile(file, nil, 0o600))
		value := bytes.Repeat([]byte{0, 1, 2, 255}, 1000)
		must(t, unix.Setxattr(file, "user.a", value, unix.XATTR_CREATE))
		must(t, unix.Setxattr(file, "user.empty", nil, 0))
		n, err := unix.Getxattr(file, "user.a", nil)
		if n != len(value) || err != nil {
			t.Errorf("size of a value: %d, %v; want %d", n, err, len(value))
		}
		if n, err := unix.Getxattr(file, "user.a", make([]byte, 10)); err != unix.ERANGE {
			t.Errorf("too little room: %d, %v; want ERANGE", n, err)
		}
		got := make([]byte, len(value))
		if n, err := unix.Getxattr(file, "user.a", got); err != nil || !bytes.Equal(got[:n], value) {
			t.Errorf("value: %d bytes, %v", n, err)
		}
		if n, err := unix.Getxattr(file, "user.empty", got); n != 0 || err != nil {
			t.Errorf("an empty value: %d, %v", n, err)
		}
		if n, err := unix.Listxattr(file, got); err != nil || string(got[:n]) != "user.a\x00user.empty\x00" {
			t.Errorf("list: %q, %v", got[:max(n, 0)], err)
		}
		if n, err := unix.Listxattr(file, make([]byte, 3)); err != unix.ERANGE {
			t.Errorf("list with too little room: %d, %v; want ERANGE", n, err)
		}
		for what, c := range map[string]struct{ err, want error }{
			"create what is there":      {unix.Setxattr(file, "user.a", nil, unix.XATTR_CREATE), unix.EEXIST},
			"replace what is not there": {unix.Setxattr(file, "user.b", nil, unix.XATTR_REPLACE), unix.ENODATA},
			"remove what is not there":  {unix.Removexattr(file, "user.b"), unix.ENODATA},
			"remove":                    {unix.Removexattr(file, "user.a"), nil},
		} {
			if c.err != c.want {
				t.Errorf("%s: %v, want %v", what, c.err, c.want)
			}
		}
		if _, err := unix.Getxattr(file, xattrSELinux, got); !haveSELinux() && err != unix.EOPNOTSUPP {
			t.Errorf("label without SELinux: %v, want EOPNOTSUPP", err)
		}
	})
}

func TestReadOnly(t *testing.T) {
	loops(t, func(t *testing.T, loop string) {
		m := startRAM(t, loop, "ro")
		file := filepath.Join(m.Dir, "file")
		if err := os.WriteFile(file, nil, 0o600); !errors.Is(err, unix.EROFS) {
			t.Errorf("create: %v, want EROFS", err)
		}
		if os.Geteuid() != 0 {
			return
		}
		must(t, unix.Mount("", m.Dir, "", unix.MS_REMOUNT|unix.MS_NOSUID|unix.MS_NODEV, ""))
		if err := os.WriteFile(file, nil, 0o600); !errors.Is(err, unix.EROFS) {
			t.Errorf("create after a remount that the filesystem did not agree to: %v, want EROFS", err)
		}
		if err := os.Chmod(m.Dir, 0o700); !errors.Is(err, unix.EROFS) {
			t.Errorf("chmod: %v, want EROFS", err)
		}
	})
}

func TestFileOperations(t *testing.T) {
	for _, options := range [][]string{nil, {"writethrough"}} {
		loops(t, func(t *testing.T, loop string) {
			m := startRAM(t, loop, options...)
			f, err := os.Create(filepath.Join(m.Dir, "file"))
			must(t, err)
			defer f.Close()
			fd := int(f.Fd())
			mustWrite(t, fd, []byte("hello world"), 0)
			must(t, unix.Fallocate(fd, 0, 0, 8192))
			must(t, unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, 5))
			if err := unix.Fallocate(fd, unix.FALLOC_FL_COLLAPSE_RANGE, 0, 4096); err != unix.EOPNOTSUPP {
				t.Errorf("collapse: %v, want EOPNOTSUPP", err)
			}
			got := make([]byte, 11)
			if n, err := unix.Pread(fd, got, 0); n != 11 || err != nil || string(got) != "\x00\x00\x00\x00\x00 world" {
				t.Errorf("after punching: %q, %d, %v", got, n, err)
			}
			if off, err := unix.Seek(fd, 0, unix.SEEK_HOLE); off != 8192 || err != nil {
				t.Errorf("hole at %d, %v", off, err)
			}
			if _, err := unix.Seek(fd, 9000, unix.SEEK_DATA); err != unix.ENXIO {
				t.Errorf("data beyond the end: %v, want ENXIO", err)
			}
			to, err := os.Create(filepath.Join(m.Dir, "copy"))
			must(t, err)
			defer to.Close()
			in, out := int64(6), int64(100)
			if n, err := unix.CopyFileRange(fd, &in, int(to.Fd()), &out, 5, 0); n != 5 || err != nil {
				t.Errorf("copy: %d, %v", n, err)
			}
			if n, err := unix.Pread(int(to.Fd()), got[:5], 100); n != 5 || err != nil || string(got[:5]) != "world" {
				t.Errorf("copied: %q, %v", got[:5], err)
			}
			before := m.Ask("synced")
			must(t, unix.Fsync(fd))
			must(t, unix.Fdatasync(fd))
			if m.Ask("synced") == before {
				t.Error("fsync did not arrive")
			}
			if _, err := unix.IoctlGetInt(fd, 0x5401); err != unix.ENOTTY {
				t.Errorf("an ioctl: %v, want ENOTTY", err)
			}
			var st unix.Statfs_t
			if err := unix.Fstatfs(fd, &st); err != nil || st.Bsize != 4096 || st.Namelen != 255 || st.Blocks != 1<<30 {
				t.Errorf("statfs: %+v, %v", st, err)
			}
			must(t, f.Truncate(3))
			if fi, err := f.Stat(); err != nil || fi.Size() != 3 {
				t.Errorf("after truncate: %v, %v", fi, err)
			}
		})
	}
}

func mustWrite(t *testing.T, fd int, data []byte, off int64) {
	t.Helper()
	if n, err := unix.Pwrite(fd, data, off); n != len(data) || err != nil {
		t.Fatalf("write: %d, %v", n, err)
	}
}

func TestOpenFlags(t *testing.T) {
	loops(t, func(t *testing.T, loop string) {
		m := startRAM(t, loop)
		file := filepath.Join(m.Dir, "file")
		must(t, os.WriteFile(file, []byte("12345"), 0o600))
		if _, err := unix.Open(file, unix.O_CREAT|unix.O_EXCL|unix.O_RDWR, 0o600); err != unix.EEXIST {
			t.Errorf("O_EXCL of what is there: %v, want EEXIST", err)
		}
		fd, err := unix.Open(file, unix.O_WRONLY|unix.O_APPEND, 0)
		must(t, err)
		unix.Write(fd, []byte("678"))
		unix.Close(fd)
		if got, err := os.ReadFile(file); string(got) != "12345678" || err != nil {
			t.Errorf("appended: %q, %v", got, err)
		}
		fd, err = unix.Open(file, unix.O_WRONLY|unix.O_TRUNC, 0)
		must(t, err)
		unix.Close(fd)
		if fi, err := os.Stat(file); err != nil || fi.Size() != 0 {
			t.Errorf("O_TRUNC left %v, %v", fi, err)
		}
		tmp, err := unix.Open(m.Dir, unix.O_TMPFILE|unix.O_RDWR, 0o600)
		must(t, err)
		defer unix.Close(tmp)
		mustWrite(t, tmp, []byte("nameless"), 0)
		named := filepath.Join(m.Dir, "named")
		must(t, unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", tmp), unix.AT_FDCWD, named, unix.AT_SYMLINK_FOLLOW))
		if got, err := os.ReadFile(named); string(got) != "nameless" || err != nil {
			t.Errorf("a file that was given its name later: %q, %v", got, err)
		}
	})
}

func TestRenameFlags(t *testing.T) {
	loops(t, func(t *testing.T, loop string) {
		m := startRAM(t, loop)
		a, b, c := filepath.Join(m.Dir, "a"), filepath.Join(m.Dir, "b"), filepath.Join(m.Dir, "c")
		must(t, os.WriteFile(a, []byte("A"), 0o600))
		must(t, os.WriteFile(b, []byte("B"), 0o600))
		if err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_NOREPLACE); err != unix.EEXIST {
			t.Errorf("NOREPLACE over what is there: %v, want EEXIST", err)
		}
		must(t, unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE))
		if got, err := os.ReadFile(a); string(got) != "B" || err != nil {
			t.Errorf("after the exchange a holds %q, %v", got, err)
		}
		must(t, unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, c, unix.RENAME_NOREPLACE))
		if err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, c, 0); err != unix.ENOENT {
			t.Errorf("rename what is gone: %v, want ENOENT", err)
		}
	})
}

// TestSlowReadsDoNotStopTheMount: while reads wait for a node, and a look-up that should be quick is not, the rest goes on.
func TestSlowReadsDoNotStopTheMount(t *testing.T) {
	loops(t, func(t *testing.T, loop string) {
		m := startRAM(t, loop)
		sub := filepath.Join(m.Dir, "sub") // the kernel locks the directory above while the slow look-up lasts
		must(t, os.Mkdir(sub, 0o700))
		done := make(chan error, 9)
		for i := range 8 {
			file := filepath.Join(m.Dir, fmt.Sprint(slowPrefix, i))
			must(t, os.WriteFile(file, make([]byte, 8192), 0o600))
			go func() {
				fd, err := unix.Open(file, unix.O_RDONLY|unix.O_DIRECT, 0)
				if err == nil {
					_, err = unix.Pread(fd, make([]byte, 4096), 0)
					unix.Close(fd)
				}
				done <- err
			}()
		}
		go func() {
			_, err := os.Lstat(filepath.Join(m.Dir, nameStuck))
			if errors.Is(err, os.ErrNotExist) {
				err = nil
			}
			done <- err
		}()
		for i := range 100 {
			must(t, os.WriteFile(filepath.Join(sub, fmt.Sprint(i)), []byte("x"), 0o600))
		}
		select {
		case err := <-done:
			t.Errorf("one of the slow operations is done already: %v", err)
		default:
		}
		m.Ask("release")
		for range 9 {
			if err := <-done; err != nil {
				t.Errorf("a slow operation: %v", err)
			}
		}
		m.Unmount()
	})
}

// TestInterruptEndsAWaitingRead: a program that waits for a node can be killed, and the handler does not wait on.
func TestInterruptEndsAWaitingRead(t *testing.T) {
	loops(t, func(t *testing.T, loop string) {
		m := startRAM(t, loop)
		file := filepath.Join(m.Dir, slowPrefix)
		must(t, os.WriteFile(file, make([]byte, 8192), 0o600))
		dd := exec.Command("dd", "if="+file, "of=/dev/null", "bs=4096", "count=1", "iflag=direct")
		out, err := dd.StderrPipe()
		must(t, err)
		must(t, dd.Start())
		must(t, waitReading(m))
		must(t, dd.Process.Signal(syscall.SIGTERM))
		io.Copy(io.Discard, out)
		if err := dd.Wait(); err == nil {
			t.Error("dd ended well although its read waits for ever")
		}
		if m.Ask("interrupted") != "true" {
			t.Error("the handler of the read was not told")
		}
		m.Unmount()
	})
}

// waitReading waits until a read of a slow file is at work.
func waitReading(m *testenv.Mount) error {
	if m.Ask("reading") != "true" {
		return errors.New("no read arrived")
	}
	return nil
}

// TestAbortEndsServe: a forced unmount ends the reads that wait for a node, and the process ends well.
func TestAbortEndsServe(t *testing.T) {
	testenv.NeedRoot(t)
	loops(t, func(t *testing.T, loop string) {
		m := startRAM(t, loop)
		file := filepath.Join(m.Dir, slowPrefix)
		must(t, os.WriteFile(file, make([]byte, 8192), 0o600))
		reader := make(chan error, 1)
		go func() {
			fd, err := unix.Open(file, unix.O_RDONLY|unix.O_DIRECT, 0)
			if err == nil {
				_, err = unix.Pread(fd, make([]byte, 4096), 0)
				unix.Close(fd)
			}
			reader <- err
		}()
		must(t, waitReading(m))
		must(t, unix.Unmount(m.Dir, unix.MNT_FORCE|unix.MNT_DETACH))
		if err := <-reader; err == nil {
			t.Error("a read was answered after the mount was aborted")
		}
		if err := m.Wait(); err != nil {
			t.Errorf("the serving process: %v", err)
		}
	})
}

// TestLazyUnmountServesOn: who has a file open can go on, and what he writes arrives; the process ends when he is done.
func TestLazyUnmountServesOn(t *testing.T) {
	loops(t, func(t *testing.T, loop string) {
		m := startRAM(t, loop)
		f, err := os.Create(filepath.Join(m.Dir, "file"))
		must(t, err)
		must(t, Unmount(m.Dir, true))
		if entries, err := os.ReadDir(m.Dir); err != nil || len(entries) != 0 {
			t.Errorf("after a lazy unmount the directory shows %v, %v", entries, err)
		}
		mustWrite(t, int(f.Fd()), []byte("late"), 0)
		before := m.Ask("synced")
		must(t, f.Sync())
		if m.Ask("synced") == before {
			t.Error("an fsync after the lazy unmount did not arrive")
		}
		f.Close()
		must(t, m.Wait())
	})
}
