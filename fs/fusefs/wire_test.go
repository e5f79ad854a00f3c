package fusefs

import (
	"testing"
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// TestWireOffsets holds our offsets to the library's structures.
func TestWireOffsets(t *testing.T) {
	for _, c := range []struct {
		name string
		got  uintptr
		want uintptr
	}{
		{"request header", requestHeader, unsafe.Sizeof(fuse.InHeader{})},
		{"reply header", replyHeader, unsafe.Sizeof(fuse.OutHeader{})},
		{"READ size", readSizeAt, unsafe.Offsetof(fuse.ReadIn{}.Size)},
		{"WRITE size", writeSizeAt, unsafe.Offsetof(fuse.WriteIn{}.Size)},
		{"GETXATTR size", xattrSizeAt, unsafe.Offsetof(fuse.GetXAttrIn{}.Size)},
		{"IOCTL size", ioctlSizeAt, unsafe.Offsetof(fuse.IoctlIn{}.OutSize)},
		{"unique", 8, unsafe.Offsetof(fuse.InHeader{}.Unique)},
		{"node", 16, unsafe.Offsetof(fuse.InHeader{}.NodeId)},
	} {
		if c.got != c.want {
			t.Errorf("%s is at %d, want %d", c.name, c.got, c.want)
		}
	}
}

func TestReplySizeHoldsEveryFixedReply(t *testing.T) {
	if need := int(unsafe.Sizeof(fuse.CreateOut{})) + replyHeader; smallReply < need || smallReply < 4096+replyHeader {
		t.Errorf("room for %d bytes, need %d, and a path for READLINK", smallReply, need)
	}
}

func TestInvalidation(t *testing.T) {
	b := invalidation(0x1234, -1)
	h := (*fuse.OutHeader)(unsafe.Pointer(&b[0]))
	n := (*fuse.NotifyInvalInodeOut)(unsafe.Pointer(&b[replyHeader]))
	if int(h.Length) != len(b) || h.Status != -fuse.NOTIFY_INVAL_INODE || h.Unique != 0 || n.Ino != 0x1234 || n.Off != -1 || n.Length != 0 {
		t.Errorf("invalidation is %+v %+v", *h, *n)
	}
}

func TestErrorReply(t *testing.T) {
	b := errorReply(0x1234, fuse.EIO)
	h := (*fuse.OutHeader)(unsafe.Pointer(&b[0]))
	if h.Length != replyHeader || h.Status != -5 || h.Unique != 0x1234 {
		t.Errorf("error reply is %+v", *h)
	}
}
