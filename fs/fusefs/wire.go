package fusefs

import (
	"encoding/binary"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// Opcodes of the protocol that the own loop tells apart (linux/fuse.h; the library keeps its own to itself).
const (
	opForget      = 2
	opRead        = 15
	opWrite       = 16
	opFsync       = 20
	opGetXattr    = 22
	opListXattr   = 23
	opInit        = 26
	opReadDir     = 28
	opFsyncDir    = 30
	opInterrupt   = 36
	opIoctl       = 39
	opBatchForget = 42
	opFallocate   = 43
	opReadDirPlus = 44
	opLseek       = 46
	opCopyRange   = 47
	opSyncFS      = 50

	opCount = 64 // none above is handled
)

// Offsets in requests and replies, in bytes; integers in the machine's order.
//
//	request: 0 length u32, 4 opcode u32, 8 unique u64, 16 node u64, 24 uid u32, 28 gid u32, 32 pid u32, 36 extension u16, 38 pad
//	reply:   0 length u32, 4 minus errno i32, 8 unique u64
const (
	requestHeader = 40
	replyHeader   = 16

	readSizeAt  = requestHeader + 16 // READ, READDIR, READDIRPLUS
	writeSizeAt = requestHeader + 16
	xattrSizeAt = requestHeader
	ioctlSizeAt = requestHeader + 28
)

// request is one request as it was read.
type request []byte

func (r request) opcode() uint32 { return binary.NativeEndian.Uint32(r[4:]) }
func (r request) unique() uint64 { return binary.NativeEndian.Uint64(r[8:]) }
func (r request) node() uint64   { return binary.NativeEndian.Uint64(r[16:]) }

func (r request) u32(at int) int {
	if len(r) < at+4 {
		return 0
	}
	return int(binary.NativeEndian.Uint32(r[at:]))
}

// payload is how many bytes of file the request carries or asks for.
func (r request) payload() int {
	switch r.opcode() {
	case opRead:
		return r.u32(readSizeAt)
	case opWrite:
		return r.u32(writeSizeAt)
	}
	return 0
}

// smallReply holds every reply without a size of its own in the request: READLINK's is the largest, a path.
const smallReply = 8 << 10

// replySize is how much room the reply may need.
func (r request) replySize() int {
	extra := 0
	switch r.opcode() {
	case opRead, opReadDir, opReadDirPlus:
		extra = r.u32(readSizeAt)
	case opGetXattr, opListXattr:
		extra = r.u32(xattrSizeAt)
	case opIoctl:
		extra = r.u32(ioctlSizeAt)
	}
	return smallReply + extra
}

// silent requests have no reply.
func (r request) silent() bool {
	op := r.opcode()
	return op == opForget || op == opBatchForget
}

// errorReply is a reply without content.
func errorReply(unique uint64, code fuse.Status) []byte {
	b := make([]byte, replyHeader)
	binary.NativeEndian.PutUint32(b, replyHeader)
	binary.NativeEndian.PutUint32(b[4:], uint32(-code))
	binary.NativeEndian.PutUint64(b[8:], unique)
	return b
}

// interruptOf is an INTERRUPT for a request, as the kernel would send it.
func interruptOf(unique uint64) request {
	b := make(request, requestHeader+8)
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	binary.NativeEndian.PutUint32(b[4:], opInterrupt)
	binary.NativeEndian.PutUint64(b[8:], unique|1)
	binary.NativeEndian.PutUint64(b[requestHeader:], unique)
	return b
}

// invalidation is a notification that the kernel must drop an inode's attributes and, if off is not negative, its pages from off on; dirty ones are
// written first. A notification has its kind where a reply has its error, and no unique number.
//
//	16 inode u64, 24 offset i64, 32 length i64 (0: to the end)
func invalidation(ino uint64, off int64) []byte {
	const invalInode = 2
	b := make([]byte, replyHeader+24)
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	binary.NativeEndian.PutUint32(b[4:], invalInode)
	binary.NativeEndian.PutUint64(b[16:], ino)
	binary.NativeEndian.PutUint64(b[24:], uint64(off))
	return b
}
