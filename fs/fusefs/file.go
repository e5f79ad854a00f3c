package fusefs

import (
	"context"
	"syscall"

	"dfsmount/fs"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// maxCopy bounds what one COPY_FILE_RANGE does: its answer counts in 32 bits, and the caller asks again for the rest.
const maxCopy = 1 << 30

// inPlace is the answer to a READ that was read straight into the reply. It is not fuse.ReadResultData, because that one makes the library
// copy the bytes once more, onto themselves.
type inPlace []byte

func (p inPlace) Bytes([]byte) ([]byte, fuse.Status) { return p, fuse.OK }
func (p inPlace) Size() int                          { return len(p) }
func (p inPlace) Done()                              {}

// Read fills buf, which is part of the reply. It arrives for files opened write-only as well: the kernel completes partial pages.
func (a *adapter) Read(cancel <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	if a.lost.in(in.NodeId, span{int64(in.Offset), int64(in.Offset) + int64(len(buf))}) {
		return nil, fuse.EIO
	}
	ctx := &fuse.Context{Caller: in.Caller, Cancel: cancel}
	n, err := a.fs.Read(ctx, fs.InodeID(in.NodeId), buf, int64(in.Offset))
	if err != nil {
		return nil, a.readStatus(ctx, in.NodeId, err)
	}
	return inPlace(buf[:n]), fuse.OK
}

// Write accepts data. With the writeback cache it comes from a kernel thread, in any order, also after the last close and after unlink;
// an O_APPEND write already has the offset the kernel chose.
func (a *adapter) Write(_ <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	if a.refuse() {
		return 0, fuse.EROFS
	}
	if in.WriteFlags&fuse.WRITE_CACHE != 0 {
		a.stale.add(in.NodeId)
	}
	kill := in.WriteFlags&fuse.WRITE_KILL_SUIDGID != 0
	if kill && a.privileged(in.NodeId) {
		a.dropSetgid(&in.InHeader)
		defer a.kernel.dropAttr(in.NodeId) // a direct write leaves the kernel with the mode from before
	}
	n, err := a.fs.Write(fs.InodeID(in.NodeId), data, int64(in.Offset), kill)
	end := int64(in.Offset) + int64(n)
	a.lost.regain(in.NodeId, span{int64(in.Offset), end})
	if n < len(data) && in.WriteFlags&fuse.WRITE_CACHE != 0 {
		a.lost.add(in.NodeId, span{end, int64(in.Offset) + int64(len(data))})
	}
	return uint32(n), a.status("write", in.NodeId, err)
}

// Fsync returns when the file is durable. No interrupt ends it.
func (a *adapter) Fsync(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	return a.fsync("fsync", in)
}

// FsyncDir is Fsync for a directory.
func (a *adapter) FsyncDir(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	return a.fsync("fsyncdir", in)
}

// fsyncDataOnly is FUSE_FSYNC_FDATASYNC of the protocol.
const fsyncDataOnly = 1

func (a *adapter) fsync(op string, in *fuse.FsyncIn) fuse.Status {
	a.stale.drop(in.NodeId)
	err := a.fs.Fsync(context.Background(), fs.InodeID(in.NodeId), in.FsyncFlags&fsyncDataOnly != 0)
	return a.status(op, in.NodeId, err)
}

// Fallocate reserves, punches or zeroes a range.
func (a *adapter) Fallocate(_ <-chan struct{}, in *fuse.FallocateIn) fuse.Status {
	if a.refuse() {
		return fuse.EROFS
	}
	if err := a.dropPrivileges(&in.InHeader, in.NodeId); err != nil {
		return a.status("fallocate", in.NodeId, err)
	}
	return a.status("fallocate", in.NodeId, a.fs.Fallocate(fs.InodeID(in.NodeId), in.Mode, int64(in.Offset), int64(in.Length)))
}

// Lseek finds data and holes; all other seeking is the kernel's. The kernel does not write its dirty pages before it asks, so what looks like a hole
// here may be data that only it has (of a file mapped into memory, also after the last close): copying programs would leave it out. Unless the
// answer is "data, right there", we make it write them first.
func (a *adapter) Lseek(_ <-chan struct{}, in *fuse.LseekIn, out *fuse.LseekOut) fuse.Status {
	off, err := a.seek(in)
	if err != nil || in.Whence != fs.SeekData || off != int64(in.Offset) {
		a.kernel.writeBack(in.NodeId, int64(in.Offset))
		off, err = a.seek(in)
	}
	if err != nil {
		return a.status("lseek", in.NodeId, err)
	}
	out.Offset = uint64(off)
	return fuse.OK
}

func (a *adapter) seek(in *fuse.LseekIn) (int64, error) {
	return a.fs.Seek(fs.InodeID(in.NodeId), int64(in.Offset), int(in.Whence))
}

// CopyFileRange copies by sharing.
func (a *adapter) CopyFileRange(_ <-chan struct{}, in *fuse.CopyFileRangeIn) (uint32, fuse.Status) {
	if a.refuse() {
		return 0, fuse.EROFS
	}
	if err := a.dropPrivileges(&in.InHeader, in.NodeIdOut); err != nil {
		return 0, a.status("copy_file_range", in.NodeIdOut, err)
	}
	length := min(in.Len, maxCopy)
	n, err := a.fs.CopyRange(fs.InodeID(in.NodeId), int64(in.OffIn), fs.InodeID(in.NodeIdOut), int64(in.OffOut), int64(length))
	return uint32(n), a.status("copy_file_range", in.NodeIdOut, err)
}

// dropPrivileges does what a write by others than root does to setuid and setgid, before the content changes. With HANDLE_KILLPRIV_V2 the kernel
// leaves that to us, but has no flag for it in FALLOCATE and COPY_FILE_RANGE: here root is who has CAP_FSETID.
func (a *adapter) dropPrivileges(caller *fuse.InHeader, node uint64) error {
	if caller.Uid == 0 {
		return nil
	}
	if !a.privileged(node) {
		return nil
	}
	h := *caller
	h.NodeId = node
	a.dropSetgid(&h)
	_, err := a.fs.SetAttr(fs.InodeID(node), fs.SetAttr{KillSUID: true})
	a.kernel.dropAttr(node)
	return err
}

// privileged tells whether a file has a bit that a write by others than root takes away.
func (a *adapter) privileged(node uint64) bool {
	attr, err := a.fs.GetAttr(fs.InodeID(node))
	return err == nil && attr.Mode&(syscall.S_ISUID|syscall.S_ISGID) != 0
}
