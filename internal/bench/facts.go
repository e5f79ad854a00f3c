package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Facts is what a figure means nothing without.
type Facts struct {
	Time       time.Time
	Kernel     string
	CPU        string
	CPUs       int
	MemoryGB   float64
	Filesystem string
	Go         string
	Cold       string // what cold means on this run
}

func facts(dir string) Facts {
	f := Facts{Time: time.Now().UTC().Truncate(time.Second), CPUs: runtime.NumCPU(), Go: runtime.Version(), Filesystem: filesystem(dir), Cold: "caches dropped"}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		f.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	var s unix.Sysinfo_t
	if unix.Sysinfo(&s) == nil {
		f.MemoryGB = float64(s.Totalram) * float64(s.Unit) / (1 << 30)
	}
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
				f.CPU = strings.TrimSpace(value)
				break
			}
		}
	}
	if os.Geteuid() != 0 {
		f.Cold = "mounted again only: dropping caches needs root"
	}
	return f
}

// filesystem names the type of the one that holds dir.
func filesystem(dir string) string {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return "unknown"
	}
	switch uint32(st.Type) {
	case unix.EXT4_SUPER_MAGIC:
		return "ext4"
	case unix.XFS_SUPER_MAGIC:
		return "xfs"
	case unix.BTRFS_SUPER_MAGIC:
		return "btrfs"
	case unix.TMPFS_MAGIC:
		return "tmpfs (in RAM: no figure with fsync means anything; use -dir)"
	case unix.OVERLAYFS_SUPER_MAGIC:
		return "overlayfs"
	}
	return fmt.Sprintf("type %#x", uint32(st.Type))
}

// load is the number of runnable threads of the last minute, to tell a quiet machine from a busy one.
func load() (l float64) {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return -1
	}
	if _, err := fmt.Fscan(bytes.NewReader(b), &l); err != nil {
		return -1
	}
	return l
}

// dropCaches empties the kernel's caches, where that is allowed: facts tell.
func dropCaches() error {
	unix.Sync()
	err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0)
	if errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 {
		return nil
	}
	return err
}
