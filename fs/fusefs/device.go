package fusefs

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

const devFuse = "/dev/fuse"

// attach mounts on dir and returns the descriptor through which its requests come: with mount(2) as root, else with fusermount3.
func attach(dir string, o Options) (int, error) {
	if os.Geteuid() == 0 {
		return attachDirect(dir, o)
	}
	return attachHelper(dir, o)
}

func (o Options) mountFlags() uintptr {
	var flags uintptr
	if !o.Suid {
		flags |= unix.MS_NOSUID
	}
	if !o.Dev {
		flags |= unix.MS_NODEV
	}
	if o.ReadOnly {
		flags |= unix.MS_RDONLY
	}
	return flags
}

// kernelOptions are those that the kernel itself understands.
func (o Options) kernelOptions() []string {
	opts := []string{"default_permissions", fmt.Sprintf("max_read=%d", o.maxWrite())}
	if o.allowOther() {
		opts = append(opts, "allow_other")
	}
	return opts
}

func attachDirect(dir string, o Options) (int, error) {
	fd, err := unix.Open(devFuse, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open %s (is the kernel's fuse module loaded?): %w", devFuse, err)
	}
	opts := append([]string{
		fmt.Sprintf("fd=%d", fd),
		fmt.Sprintf("rootmode=%o", unix.S_IFDIR),
		fmt.Sprintf("user_id=%d", os.Geteuid()),
		fmt.Sprintf("group_id=%d", os.Getegid()),
	}, o.kernelOptions()...)
	if err := unix.Mount(o.source(), dir, Type, o.mountFlags(), strings.Join(opts, ",")); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("mount on %s: %w", dir, err)
	}
	return fd, nil
}

// helperOptions are those of fusermount3, which splits at commas that no backslash hides.
func (o Options) helperOptions() string {
	flags := []string{"rw", "nosuid", "nodev"}
	if o.ReadOnly {
		flags[0] = "ro"
	}
	escaped := strings.NewReplacer(`\`, `\\`, `,`, `\,`).Replace(o.source())
	opts := append(flags, "subtype="+subtype, "fsname="+escaped)
	return strings.Join(append(opts, o.kernelOptions()...), ",")
}

// attachHelper lets fusermount3 mount, which sends the descriptor through a socket it finds by _FUSE_COMMFD.
func attachHelper(dir string, o Options) (int, error) {
	helper, err := findHelper()
	if err != nil {
		return -1, err
	}
	if o.AllowOther && !mayAllowOther() {
		return -1, errors.New("allow_other is for root only, unless /etc/fuse.conf has the line user_allow_other")
	}
	if o.Suid || o.Dev { // fusermount3 would mount without, and say so to nobody
		return -1, errors.New("suid and dev are for root only")
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("make a socket for fusermount3: %w", err)
	}
	local, remote := os.NewFile(uintptr(pair[0]), "local"), os.NewFile(uintptr(pair[1]), "remote")
	defer local.Close()
	cmd := exec.Command(helper, "-o", o.helperOptions(), "--", dir)
	cmd.Env = append(os.Environ(), "_FUSE_COMMFD=3")
	cmd.ExtraFiles = []*os.File{remote}
	out, err := cmd.CombinedOutput()
	remote.Close()
	if err != nil {
		return -1, fmt.Errorf("mount on %s: %s: %w", dir, strings.TrimSpace(string(out)), err)
	}
	return receiveFD(pair[0])
}

func findHelper() (string, error) {
	for _, name := range []string{"fusermount3", "/bin/fusermount3", "/usr/bin/fusermount3", "fusermount"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("a plain user needs fusermount3 to mount: install the package fuse3")
}

func mayAllowOther() bool {
	conf, err := os.ReadFile("/etc/fuse.conf")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(conf)) {
		if strings.TrimSpace(line) == "user_allow_other" {
			return true
		}
	}
	return false
}

func receiveFD(socket int) (int, error) {
	oob := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(socket, make([]byte, 1), oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("receive from fusermount3: %w", err)
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(messages) != 1 {
		return -1, fmt.Errorf("receive from fusermount3: no descriptor: %w", err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return -1, fmt.Errorf("receive from fusermount3: no descriptor: %w", err)
	}
	return fds[0], nil
}
