package fusefs

import (
	"time"

	"dfsmount/fs"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// forever is how long the kernel may believe what it was told: nothing changes the tree but requests that come through the kernel.
const forever = 365 * 24 * time.Hour

// blockSize is st_blksize. Larger values change next to nothing, measured.
const blockSize = 4096

// fillAttr translates attributes. Times are seconds, negative before 1970, and nanoseconds that always count forward: what
// time.Time and the kernel agree on.
func fillAttr(out *fuse.Attr, a *fs.Attr) {
	out.Ino = uint64(a.Inode)
	out.Size = a.Size
	out.Blocks = a.Blocks
	out.Atime, out.Atimensec = uint64(a.Atime.Unix()), uint32(a.Atime.Nanosecond())
	out.Mtime, out.Mtimensec = uint64(a.Mtime.Unix()), uint32(a.Mtime.Nanosecond())
	out.Ctime, out.Ctimensec = uint64(a.Ctime.Unix()), uint32(a.Ctime.Nanosecond())
	out.Mode = a.Mode
	out.Nlink = a.Nlink
	out.Uid, out.Gid = a.UID, a.GID
	out.Rdev = a.Rdev
	out.Blksize = blockSize
}

// fillEntry answers a request that names an inode; with it goes a reference.
func fillEntry(out *fuse.EntryOut, a *fs.Attr) {
	out.NodeId = uint64(a.Inode)
	out.Generation = 1 // inode numbers are never used again
	out.SetEntryTimeout(forever)
	out.SetAttrTimeout(forever)
	fillAttr(&out.Attr, a)
}

func sxTime(t time.Time) fuse.SxTime {
	return fuse.SxTime{Sec: uint64(t.Unix()), Nsec: uint32(t.Nanosecond())}
}

// fillStatx answers statx(2): the one way to a birth time.
func fillStatx(out *fuse.Statx, a *fs.Attr) {
	out.Mask = unix.STATX_BASIC_STATS | unix.STATX_BTIME
	out.Blksize = blockSize
	out.Nlink = a.Nlink
	out.Uid, out.Gid = a.UID, a.GID
	out.Mode = uint16(a.Mode)
	out.Ino = uint64(a.Inode)
	out.Size = a.Size
	out.Blocks = a.Blocks
	out.Atime, out.Btime, out.Ctime, out.Mtime = sxTime(a.Atime), sxTime(a.Btime), sxTime(a.Ctime), sxTime(a.Mtime)
	out.RdevMajor, out.RdevMinor = unix.Major(expandDev(a.Rdev)), unix.Minor(expandDev(a.Rdev))
}

// expandDev widens a device number from the kernel's 32-bit form (which FUSE, and so fs.Attr, carries) to that of unix.Major.
func expandDev(rdev uint32) uint64 {
	major := (rdev & 0xfff00) >> 8
	minor := rdev&0xff | (rdev>>12)&0xfff00
	return unix.Mkdev(major, minor)
}

// setAttrOf translates SETATTR. The kernel sets MTIME_NOW only together with MTIME; either way now is now. A ctime arrives from the
// writeback cache, which keeps it while a file has dirty pages.
func setAttrOf(in *fuse.SetAttrIn) fs.SetAttr {
	var s fs.SetAttr
	if mode, ok := in.GetMode(); ok {
		s.Mode = &mode
	}
	if uid, ok := in.GetUID(); ok {
		s.UID = &uid
	}
	if gid, ok := in.GetGID(); ok {
		s.GID = &gid
	}
	if size, ok := in.GetSize(); ok {
		s.Size = &size
	}
	s.Atime, s.AtimeNow = timeOf(in.Valid, fuse.FATTR_ATIME, fuse.FATTR_ATIME_NOW, in.Atime, in.Atimensec)
	s.Mtime, s.MtimeNow = timeOf(in.Valid, fuse.FATTR_MTIME, fuse.FATTR_MTIME_NOW, in.Mtime, in.Mtimensec)
	s.Ctime, _ = timeOf(in.Valid, fuse.FATTR_CTIME, 0, in.Ctime, in.Ctimensec)
	s.KillSUID = in.Valid&fuse.FATTR_KILL_SUIDGID != 0
	return s
}

func timeOf(valid, given, now uint32, sec uint64, nsec uint32) (*time.Time, bool) {
	if valid&now != 0 {
		return nil, true
	}
	if valid&given == 0 {
		return nil, false
	}
	t := time.Unix(int64(sec), int64(nsec))
	return &t, false
}
