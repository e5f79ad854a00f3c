package fusefs

import (
	"dfsmount/fs"

	"github.com/hanwen/go-fuse/v2/fuse"
)

func direntOf(d *fs.Dirent) fuse.DirEntry {
	return fuse.DirEntry{Mode: d.Mode, Name: d.Name, Ino: uint64(d.Inode), Off: d.Cookie}
}

// ReadDir lists names after the cookie that the request calls an offset.
func (a *adapter) ReadDir(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	err := a.fs.ReadDir(fs.InodeID(in.NodeId), in.Offset, func(d fs.Dirent) bool {
		return out.AddDirEntry(direntOf(&d))
	})
	return a.status("readdir", in.NodeId, err)
}

// ReadDirPlus lists names with attributes. What did not fit takes no reference, and neither do "." and "..": the kernel does not
// look at their node ids, so nothing would ever give such a reference back.
func (a *adapter) ReadDirPlus(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	err := a.fs.ReadDirPlus(fs.InodeID(in.NodeId), in.Offset, func(d fs.Dirent, attr fs.Attr) (take, more bool) {
		entry := out.AddDirLookupEntry(direntOf(&d))
		if entry == nil {
			return false, false
		}
		if d.Name == "." || d.Name == ".." {
			return false, true
		}
		fillEntry(entry, &attr)
		return true, true
	})
	return a.status("readdirplus", in.NodeId, err)
}
