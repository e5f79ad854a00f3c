package fusefs

import (
	"reflect"
	"testing"
	"time"

	"dfsmount/fs"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

func ptr[T any](v T) *T { return &v }

func TestSetAttrOf(t *testing.T) {
	old := time.Unix(-2, 999_999_999) // 1 ns before -1 s
	secs := func(s int64) uint64 { return uint64(s) }
	for _, c := range []struct {
		name string
		in   fuse.SetAttrInCommon
		want fs.SetAttr
	}{
		{"nothing", fuse.SetAttrInCommon{Mode: 0o777, Size: 5, Atime: 1}, fs.SetAttr{}},
		{"chmod", fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE, Mode: unix.S_IFREG | 0o4755}, fs.SetAttr{Mode: ptr(uint32(0o4755))}},
		{"chown", fuse.SetAttrInCommon{Valid: fuse.FATTR_UID, Owner: fuse.Owner{Uid: 7, Gid: 8}}, fs.SetAttr{UID: ptr(uint32(7))}},
		{"chgrp", fuse.SetAttrInCommon{Valid: fuse.FATTR_GID, Owner: fuse.Owner{Uid: 7, Gid: 8}}, fs.SetAttr{GID: ptr(uint32(8))}},
		{"truncate to nothing", fuse.SetAttrInCommon{Valid: fuse.FATTR_SIZE}, fs.SetAttr{Size: ptr(uint64(0))}},
		{"truncate by another", fuse.SetAttrInCommon{Valid: fuse.FATTR_SIZE | fuse.FATTR_KILL_SUIDGID, Size: 1 << 40},
			fs.SetAttr{Size: ptr(uint64(1 << 40)), KillSUID: true}},
		{"touch", fuse.SetAttrInCommon{Valid: fuse.FATTR_ATIME | fuse.FATTR_ATIME_NOW | fuse.FATTR_MTIME | fuse.FATTR_MTIME_NOW, Mtime: 5},
			fs.SetAttr{AtimeNow: true, MtimeNow: true}},
		{"before 1970", fuse.SetAttrInCommon{Valid: fuse.FATTR_ATIME, Atime: secs(-2), Atimensec: 999_999_999}, fs.SetAttr{Atime: &old}},
		{"writeback of times", fuse.SetAttrInCommon{Valid: fuse.FATTR_MTIME | fuse.FATTR_CTIME, Mtime: 3, Mtimensec: 4, Ctime: 5, Ctimensec: 6},
			fs.SetAttr{Mtime: ptr(time.Unix(3, 4)), Ctime: ptr(time.Unix(5, 6))}},
		{"atime now, mtime given", fuse.SetAttrInCommon{Valid: fuse.FATTR_ATIME | fuse.FATTR_ATIME_NOW | fuse.FATTR_MTIME, Mtime: 9},
			fs.SetAttr{AtimeNow: true, Mtime: ptr(time.Unix(9, 0))}},
	} {
		got := setAttrOf(&fuse.SetAttrIn{SetAttrInCommon: c.in})
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestFillAttrTimes(t *testing.T) {
	for _, when := range []time.Time{
		time.Unix(0, 0), time.Unix(-1, 1), time.Unix(-62135596800, 0), time.Unix(1<<33, 999_999_999), time.Date(2446, 5, 10, 22, 38, 55, 7, time.UTC),
	} {
		var out fuse.Attr
		fillAttr(&out, &fs.Attr{Atime: when, Mtime: when, Ctime: when})
		for name, got := range map[string]time.Time{"atime": out.AccessTime(), "mtime": out.ModTime(), "ctime": out.ChangeTime()} {
			if !got.Equal(when) {
				t.Errorf("%s of %v arrives as %v", name, when, got)
			}
		}
	}
}

func TestExpandDev(t *testing.T) {
	for _, c := range []struct{ major, minor uint32 }{{1, 3}, {0xfff, 0xff}, {8, 0xfffff}, {0xfff, 0xfffff}} {
		rdev := c.minor&0xff | c.major<<8 | (c.minor&^0xff)<<12
		if got := expandDev(rdev); unix.Major(got) != c.major || unix.Minor(got) != c.minor {
			t.Errorf("device %d:%d arrives as %d:%d", c.major, c.minor, unix.Major(got), unix.Minor(got))
		}
	}
}
