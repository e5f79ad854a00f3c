package fusefs

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrNotMounted: no dfsmount filesystem is mounted there.
var ErrNotMounted = errors.New("no dfsmount filesystem is mounted there")

// MountInfo is a line of /proc/self/mountinfo.
type MountInfo struct {
	Dir      string // where it is mounted
	Source   string // Options.FSName
	Type     string
	Device   string // MAJ:MIN, as in /sys/class/bdi
	ReadOnly bool
}

// FindMount tells which mount of ours path is, or is below of. It reads /proc/self/mountinfo and the links that lead to the mount, and
// never touches the mount, so that it answers for a dead one and for one that hangs.
func FindMount(path string) (MountInfo, error) {
	mounts, err := readMounts()
	if err != nil {
		return MountInfo{}, err
	}
	path, err = resolve(path, mounts)
	if err != nil {
		return MountInfo{}, err
	}
	m := topMount(path, mounts)
	if m == nil || m.Type != Type {
		return MountInfo{}, fmt.Errorf("%s: %w", path, ErrNotMounted)
	}
	return *m, nil
}

// Mounts lists the mounts of ours, oldest first, dead ones included.
func Mounts() ([]MountInfo, error) {
	all, err := readMounts()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(m MountInfo) bool { return m.Type != Type }), nil
}

// topMount returns the mount that path lies on: of the deepest mount point above it, the newest.
func topMount(path string, mounts []MountInfo) *MountInfo {
	var top *MountInfo
	for i := range mounts {
		m := &mounts[i]
		if within(path, m.Dir) && (top == nil || len(m.Dir) >= len(top.Dir)) {
			top = m
		}
	}
	return top
}

// mountAt returns the newest mount whose root is exactly dir.
func mountAt(dir string, mounts []MountInfo) *MountInfo {
	if m := topMount(dir, mounts); m != nil && m.Dir == dir {
		return m
	}
	return nil
}

func within(path, dir string) bool {
	return dir == "/" || path == dir || strings.HasPrefix(path, dir+"/")
}

// maxLinks is how many symbolic links the kernel follows.
const maxLinks = 40

// resolve makes path absolute and follows symbolic links, but looks at nothing that lies on a mount of ours: there the rest of the path
// is taken as it is written.
func resolve(path string, mounts []MountInfo) (string, error) {
	if !filepath.IsAbs(path) {
		cwd, err := workingDirectory()
		if err != nil {
			return "", err
		}
		path = filepath.Join(cwd, path)
	}
	done, rest := "/", strings.TrimPrefix(filepath.Clean(path), "/")
	for links := 0; rest != ""; {
		if m := topMount(done, mounts); m != nil && m.Type == Type {
			return filepath.Join(done, rest), nil
		}
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		next := filepath.Join(done, name)
		target, err := linkTarget(next, mounts)
		if err != nil {
			return "", err
		}
		if target == "" {
			done = next
			continue
		}
		if links++; links > maxLinks {
			return "", fmt.Errorf("resolve %s: %w", path, unix.ELOOP)
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(done, target)
		}
		done, rest = "/", strings.TrimPrefix(filepath.Join(target, rest), "/")
	}
	return done, nil
}

// linkTarget returns what path links to; "" if it is no link, also if it does not exist.
func linkTarget(path string, mounts []MountInfo) (string, error) {
	if m := mountAt(path, mounts); m != nil {
		return "", nil // a mount point is a directory or a file
	}
	target, err := os.Readlink(path)
	switch {
	case err == nil:
		return target, nil
	case errors.Is(err, unix.EINVAL), errors.Is(err, os.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		return "", nil
	}
	return "", fmt.Errorf("resolve path: %w", err)
}

// workingDirectory is os.Getwd without its stat of "." and $PWD, which may be on a mount that does not answer.
func workingDirectory() (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Getcwd(buf)
	if err != nil {
		return "", fmt.Errorf("find the working directory: %w", err)
	}
	return string(buf[:n-1]), nil
}

func readMounts() ([]MountInfo, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("read mounts: %w", err)
	}
	defer f.Close()
	return parseMounts(f)
}

// parseMounts reads the format of proc_pid_mountinfo(5): oldest mount first.
//
//	36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
//	       │         │     │                  │   │    │
//	       device    dir   options   optional ┘   type source
func parseMounts(r io.Reader) ([]MountInfo, error) {
	var mounts []MountInfo
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		before, after, ok := strings.Cut(lines.Text(), " - ")
		left, right := strings.Split(before, " "), strings.Split(after, " ")
		if !ok || len(left) < 6 || len(right) < 2 {
			return nil, fmt.Errorf("read mounts: unexpected line %q", lines.Text())
		}
		mounts = append(mounts, MountInfo{
			Dir:      unescape(left[4]),
			Source:   unescape(right[1]),
			Type:     unescape(right[0]),
			Device:   left[2],
			ReadOnly: hasOption(left[5], "ro"),
		})
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read mounts: %w", err)
	}
	return mounts, nil
}

func hasOption(list, option string) bool {
	for o := range strings.SplitSeq(list, ",") {
		if o == option {
			return true
		}
	}
	return false
}

// unescape undoes the kernel's \ooo for space, tab, newline, backslash and number sign.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c, ok := octal(s[i:]); ok {
			b.WriteByte(c)
			i += 3
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func octal(s string) (byte, bool) {
	if len(s) < 4 || s[0] != '\\' {
		return 0, false
	}
	v := 0
	for _, c := range []byte(s[1:4]) {
		if c < '0' || c > '7' {
			return 0, false
		}
		v = v<<3 | int(c-'0')
	}
	return byte(v), v < 256
}
