package main

import (
	"context"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"dfsmount/fs/fusefs"
)

// kernelOptions stand in /proc/mounts for every FUSE mount, and mount(8) hands them back with `-o remount`. The kernel has them already.
var kernelOptions = []string{"user_id", "group_id", "max_read", "blksize", "relatime"}

// isKernelOption tells whether a word of a list is one that only a remount may bring.
func isKernelOption(list []string, name string) bool {
	return slices.Contains(kernelOptions, name) && slices.Contains(list, "remount")
}

// remount changes ro, suid and dev of a live mount: the kernel alone looks at them. What its process was started with stays, so a mount that
// was made read-only cannot become writable.
func remount(volume, dir string, o mountOptions) error {
	m, err := fusefs.FindMount(dir)
	if err != nil {
		return fail(exitMountpoint, "mount it first, without remount", "remount %s: %w", dir, err)
	}
	if abs, err := volumeDir(volume); err != nil || abs != m.Source {
		return fail(exitVolume, "", "remount %s: the volume mounted there is %s", dir, m.Source)
	}
	var now statusReport
	if err := ask(context.Background(), m.Source, "status", nil, &now, nil); err != nil {
		return err
	}
	if now.ReadOnly && !o.fuse.ReadOnly {
		return fail(exitMountpoint, "unmount it, and mount it without ro", "remount %s: it was mounted read-only", dir)
	}
	if o.fsyncNodes != (now.Fsync == "nodes") {
		return fail(exitUsage, "unmount it, and mount it anew", "remount cannot change what fsync waits for")
	}
	if os.Geteuid() != 0 {
		return fail(exitMountpoint, "as a plain user unmount it and mount it anew", "remount %s: only root may", dir)
	}
	if err := unix.Mount("", m.Dir, "", unix.MS_REMOUNT|remountFlags(o), ""); err != nil {
		return fail(exitMountpoint, "is a file on it open for writing?", "remount %s: %w", dir, err)
	}
	return nil
}

func remountFlags(o mountOptions) (flags uintptr) {
	if o.fuse.ReadOnly {
		flags |= unix.MS_RDONLY
	}
	if !o.fuse.Suid {
		flags |= unix.MS_NOSUID
	}
	if !o.fuse.Dev {
		flags |= unix.MS_NODEV
	}
	return flags
}
