package fusefs

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"dfsmount/fs"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// dropSetgid takes setgid from a file whose content another than root changes, where its group may not execute it: Linux does so unless the
// caller is in that group. HANDLE_KILLPRIV_V2 leaves it to us, and a request names the caller's user and first group only; the others are
// asked of /proc. A caller that cannot be seen there counts as a stranger, which takes the bit away.
func (a *adapter) dropSetgid(h *fuse.InHeader) {
	attr, err := a.fs.GetAttr(fs.InodeID(h.NodeId))
	if err != nil || attr.Mode&(syscall.S_IFMT|syscall.S_ISGID|syscall.S_IXGRP) != syscall.S_IFREG|syscall.S_ISGID || inGroup(h, attr.GID) {
		return
	}
	mode := attr.Mode & 07777 &^ syscall.S_ISGID
	if _, err := a.fs.SetAttr(fs.InodeID(h.NodeId), fs.SetAttr{Mode: &mode}); err != nil {
		a.status("drop setgid", h.NodeId, err)
		return
	}
	a.kernel.dropAttr(h.NodeId)
}

func inGroup(h *fuse.InHeader, gid uint32) bool {
	if h.Uid == 0 || h.Gid == gid {
		return true
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.Pid))
	if err != nil {
		return false
	}
	return hasGroup(status, gid)
}

// hasGroup looks for a group in the text of /proc/PID/status (proc_pid_status(5)).
func hasGroup(status []byte, gid uint32) bool {
	for line := range bytes.Lines(status) {
		list, ok := bytes.CutPrefix(line, []byte("Groups:"))
		if !ok {
			continue
		}
		for _, word := range bytes.Fields(list) {
			if n, err := strconv.ParseUint(string(word), 10, 32); err == nil && uint32(n) == gid {
				return true
			}
		}
	}
	return false
}
