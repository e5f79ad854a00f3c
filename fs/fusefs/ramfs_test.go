package fusefs

import (
	"cmp"
	"context"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"dfsmount/fs"
)

// ramFS is the double of *fs.FS: files in RAM, enough of POSIX to test the adapter, and names with special powers.
type ramFS struct {
	mu     sync.Mutex
	inodes map[fs.InodeID]*ramInode
	next   fs.InodeID
	synced int           // calls of Fsync
	slow   int           // reads that began to wait
	broken int           // reads ended by an interrupt
	block  chan struct{} // what slow names wait for
	change *sync.Cond    // broadcast when one of these or a reference changes
}

// Names with powers.
const (
	namePanic  = "panic"     // looking it up panics
	nameFault  = "fault"     // looking it up fails with an error that is no errno
	nameNoSys  = "nosys"     // looking it up answers ENOSYS
	nameStuck  = "stuck"     // looking it up waits until released
	slowPrefix = "slow-read" // reading such a file waits until released, or until interrupted
)

type ramInode struct {
	attr    fs.Attr
	refs    uint64
	name    string // the first it had
	data    []byte
	target  string
	entries map[string]fs.InodeID
	cookies map[string]uint64
	order   []fs.Dirent // every entry there ever was, by cookie
	last    uint64      // cookie given
	parent  fs.InodeID
	xattr   map[string][]byte
}

func newRAMFS() *ramFS {
	r := &ramFS{inodes: map[fs.InodeID]*ramInode{}, next: fs.Root, block: make(chan struct{})}
	r.change = sync.NewCond(&r.mu)
	r.make(fs.Caller{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}, "", syscall.S_IFDIR|0o755, 0)
	root := r.inodes[fs.Root]
	root.attr.Nlink, root.parent = 2, fs.Root
	return r
}

func (r *ramFS) make(c fs.Caller, name string, mode, rdev uint32) *ramInode {
	now := time.Now()
	mode &^= c.Umask
	n := &ramInode{name: name, xattr: map[string][]byte{}}
	n.attr = fs.Attr{Inode: r.next, Mode: mode, Nlink: 1, UID: c.UID, GID: c.GID, Rdev: rdev, Atime: now, Mtime: now, Ctime: now, Btime: now}
	if mode&syscall.S_IFMT == syscall.S_IFDIR {
		n.entries, n.cookies, n.last = map[string]fs.InodeID{}, map[string]uint64{}, 2
		n.attr.Nlink = 2
	}
	r.inodes[r.next] = n
	r.next++
	return n
}

func (r *ramFS) node(ino fs.InodeID) (*ramInode, error) {
	n := r.inodes[ino]
	if n == nil {
		return nil, syscall.ESTALE
	}
	return n, nil
}

func (r *ramFS) add(c fs.Caller, parent fs.InodeID, name string, mode, rdev uint32) (fs.Attr, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	dir, err := r.node(parent)
	if err != nil {
		return fs.Attr{}, err
	}
	if _, taken := dir.entries[name]; taken {
		return fs.Attr{}, syscall.EEXIST
	}
	n := r.make(c, name, mode, rdev)
	if n.entries != nil {
		dir.attr.Nlink++
	}
	r.enter(dir, name, n)
	n.refs++
	return n.attr, nil
}

func (r *ramFS) enter(dir *ramInode, name string, n *ramInode) {
	dir.last++
	dir.entries[name], dir.cookies[name] = n.attr.Inode, dir.last
	dir.order = append(dir.order, fs.Dirent{Name: name, Inode: n.attr.Inode, Mode: n.attr.Mode & syscall.S_IFMT, Cookie: dir.last})
	dir.attr.Mtime, dir.attr.Ctime = time.Now(), time.Now()
	n.parent = dir.attr.Inode
}

func (r *ramFS) leave(dir *ramInode, name string) {
	delete(dir.entries, name)
	delete(dir.cookies, name)
	dir.attr.Mtime, dir.attr.Ctime = time.Now(), time.Now()
}

func (r *ramFS) Lookup(parent fs.InodeID, name string) (fs.Attr, error) {
	switch name {
	case namePanic:
		panic("asked for")
	case nameFault:
		return fs.Attr{}, errFault
	case nameNoSys:
		return fs.Attr{}, syscall.ENOSYS
	case nameStuck:
		<-r.block
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	dir, err := r.node(parent)
	if err != nil {
		return fs.Attr{}, err
	}
	ino, ok := dir.entries[name]
	if !ok {
		return fs.Attr{}, syscall.ENOENT
	}
	r.inodes[ino].refs++
	return r.inodes[ino].attr, nil
}

func (r *ramFS) Forget(ino fs.InodeID, n uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.inodes[ino]
	if i == nil || i.refs < n {
		panic("forgotten more often than known")
	}
	i.refs -= n
	r.reap(i)
	r.change.Broadcast()
}

func (r *ramFS) reap(n *ramInode) {
	if n.refs == 0 && n.attr.Nlink == 0 {
		delete(r.inodes, n.attr.Inode)
	}
}

// await returns when ok does, or after a while without. It answers what ok says in the end. r.mu is held while ok runs.
func (r *ramFS) await(ok func() bool) bool {
	stop := false
	timer := time.AfterFunc(10*time.Second, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		stop = true
		r.change.Broadcast()
	})
	defer timer.Stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	for !ok() && !stop {
		r.change.Wait()
	}
	return ok()
}

// refsLocked is how many references the kernel holds, but for the root.
func (r *ramFS) refsLocked() (total uint64) {
	for ino, n := range r.inodes {
		if ino != fs.Root {
			total += n.refs
		}
	}
	return total
}

func (r *ramFS) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.inodes)
}

func (r *ramFS) GetAttr(ino fs.InodeID) (fs.Attr, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, err := r.node(ino)
	if err != nil {
		return fs.Attr{}, err
	}
	return n.attr, nil
}

func (r *ramFS) SetAttr(ino fs.InodeID, s fs.SetAttr) (fs.Attr, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, err := r.node(ino)
	if err != nil {
		return fs.Attr{}, err
	}
	now := time.Now()
	n.attr.Ctime = now
	if s.Mode != nil {
		n.attr.Mode = n.attr.Mode&syscall.S_IFMT | *s.Mode
	}
	if s.UID != nil {
		n.attr.UID = *s.UID
	}
	if s.GID != nil {
		n.attr.GID = *s.GID
	}
	if s.Size != nil {
		n.resize(*s.Size)
		n.attr.Mtime = now
	}
	n.attr.Atime = pick(n.attr.Atime, s.Atime, s.AtimeNow, now)
	n.attr.Mtime = pick(n.attr.Mtime, s.Mtime, s.MtimeNow, now)
	n.attr.Ctime = pick(n.attr.Ctime, s.Ctime, false, now)
	if s.KillSUID {
		n.attr.Mode &^= syscall.S_ISUID
	}
	return n.attr, nil
}

func pick(old time.Time, given *time.Time, useNow bool, now time.Time) time.Time {
	if useNow {
		return now
	}
	if given != nil {
		return *given
	}
	return old
}

func (n *ramInode) resize(size uint64) {
	if size <= uint64(len(n.data)) {
		n.data = n.data[:size]
	} else {
		n.data = append(n.data, make([]byte, size-uint64(len(n.data)))...)
	}
	n.attr.Size = size
	n.attr.Blocks = (size + 511) / 512
}

func (r *ramFS) Mkdir(c fs.Caller, parent fs.InodeID, name string, mode uint32) (fs.Attr, error) {
	return r.add(c, parent, name, syscall.S_IFDIR|mode&0o7777, 0)
}

func (r *ramFS) Mknod(c fs.Caller, parent fs.InodeID, name string, mode, rdev uint32) (fs.Attr, error) {
	return r.add(c, parent, name, mode, rdev)
}

func (r *ramFS) Tmpfile(c fs.Caller, _ fs.InodeID, mode uint32) (fs.Attr, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.make(c, "", syscall.S_IFREG|mode&0o7777, 0)
	n.attr.Nlink = 0
	n.refs++
	return n.attr, nil
}

func (r *ramFS) Symlink(c fs.Caller, parent fs.InodeID, name, target string) (fs.Attr, error) {
	attr, err := r.add(c, parent, name, syscall.S_IFLNK|0o777, 0)
	if err != nil {
		return attr, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.inodes[attr.Inode]
	n.target, n.attr.Size = target, uint64(len(target))
	return n.attr, nil
}

func (r *ramFS) Readlink(ino fs.InodeID) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, err := r.node(ino)
	if err != nil {
		return "", err
	}
	return n.target, nil
}

func (r *ramFS) Link(ino, parent fs.InodeID, name string) (fs.Attr, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, err := r.node(ino)
	if err != nil {
		return fs.Attr{}, err
	}
	dir, err := r.node(parent)
	if err != nil {
		return fs.Attr{}, err
	}
	if _, taken := dir.entries[name]; taken {
		return fs.Attr{}, syscall.EEXIST
	}
	r.enter(dir, name, n)
	n.attr.Nlink++
	n.refs++
	return n.attr, nil
}

func (r *ramFS) Unlink(parent fs.InodeID, name string) error { return r.remove(parent, name, 1) }
func (r *ramFS) Rmdir(parent fs.InodeID, name string) error  { return r.remove(parent, name, 2) }

func (r *ramFS) remove(parent fs.InodeID, name string, links uint32) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	dir, err := r.node(parent)
	if err != nil {
		return err
	}
	ino, ok := dir.entries[name]
	if !ok {
		return syscall.ENOENT
	}
	n := r.inodes[ino]
	if len(n.entries) > 0 {
		return syscall.ENOTEMPTY
	}
	r.leave(dir, name)
	n.attr.Nlink -= links
	n.attr.Ctime = time.Now()
	if n.entries != nil {
		dir.attr.Nlink--
	}
	r.reap(n)
	return nil
}

func (r *ramFS) Rename(_ fs.Caller, parent fs.InodeID, name string, newParent fs.InodeID, newName string, flags uint32) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	from, to := r.inodes[parent], r.inodes[newParent]
	ino, ok := from.entries[name]
	if !ok {
		return syscall.ENOENT
	}
	old, over := to.entries[newName]
	switch {
	case flags&fs.RenameWhiteout != 0:
		return syscall.EINVAL
	case flags&fs.RenameNoReplace != 0 && over:
		return syscall.EEXIST
	case flags&fs.RenameExchange != 0 && !over:
		return syscall.ENOENT
	case flags&fs.RenameExchange != 0:
		r.enter(from, name, r.inodes[old])
		r.enter(to, newName, r.inodes[ino])
		return nil
	}
	if over && old != ino {
		r.inodes[old].attr.Nlink = 0
		r.reap(r.inodes[old])
	}
	r.leave(from, name)
	r.enter(to, newName, r.inodes[ino])
	return nil
}

func (r *ramFS) Write(ino fs.InodeID, data []byte, off int64, killSUID bool) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, err := r.node(ino)
	if err != nil {
		return 0, err
	}
	if end := uint64(off) + uint64(len(data)); end > n.attr.Size {
		n.resize(end)
	}
	copy(n.data[off:], data)
	n.attr.Mtime, n.attr.Ctime = time.Now(), time.Now()
	if killSUID {
		n.attr.Mode &^= syscall.S_ISUID
	}
	return len(data), nil
}

func (r *ramFS) Read(ctx context.Context, ino fs.InodeID, dst []byte, off int64) (int, error) {
	r.mu.Lock()
	n, err := r.node(ino)
	if err != nil {
		r.mu.Unlock()
		return 0, err
	}
	slow := strings.HasPrefix(n.name, slowPrefix)
	if slow {
		r.slow++
		r.change.Broadcast()
	}
	r.mu.Unlock()
	if slow {
		select {
		case <-r.block:
		case <-ctx.Done():
			r.mu.Lock()
			r.broken++
			r.change.Broadcast()
			r.mu.Unlock()
			return 0, ctx.Err()
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if off >= int64(len(n.data)) {
		return 0, nil
	}
	return copy(dst, n.data[off:]), nil
}

func (r *ramFS) Fsync(context.Context, fs.InodeID, bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.synced++
	return nil
}

func (r *ramFS) SyncAll(ctx context.Context) error { return r.Fsync(ctx, fs.Root, false) }

func (r *ramFS) Fallocate(ino fs.InodeID, mode uint32, off, length int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, err := r.node(ino)
	if err != nil {
		return err
	}
	const keepSize, punchHole = 1, 2
	if mode&punchHole != 0 {
		clear(n.data[min(off, int64(len(n.data))):min(off+length, int64(len(n.data)))])
	}
	if end := uint64(off + length); mode&keepSize == 0 && end > n.attr.Size {
		n.resize(end)
	}
	return nil
}

func (r *ramFS) Seek(ino fs.InodeID, off int64, whence int) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, err := r.node(ino)
	if err != nil {
		return 0, err
	}
	if off >= int64(n.attr.Size) {
		return 0, syscall.ENXIO
	}
	if whence == 4 {
		return int64(n.attr.Size), nil
	}
	return off, nil
}

func (r *ramFS) CopyRange(in fs.InodeID, inOff int64, out fs.InodeID, outOff, length int64) (int64, error) {
	buf := make([]byte, length)
	n, err := r.Read(context.Background(), in, buf, inOff)
	if err != nil || n == 0 {
		return 0, err
	}
	n, err = r.Write(out, buf[:n], outOff, false)
	return int64(n), err
}

func (r *ramFS) SetXattr(ino fs.InodeID, name string, value []byte, flags uint32) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, err := r.node(ino)
	if err != nil {
		return err
	}
	_, there := n.xattr[name]
	switch {
	case flags == 1 && there:
		return syscall.EEXIST
	case flags == 2 && !there:
		return syscall.ENODATA
	}
	n.xattr[name] = value
	return nil
}

func (r *ramFS) GetXattr(ino fs.InodeID, name string) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, err := r.node(ino)
	if err != nil {
		return nil, err
	}
	v, there := n.xattr[name]
	if !there {
		return nil, syscall.ENODATA
	}
	return v, nil
}

func (r *ramFS) ListXattr(ino fs.InodeID) ([]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, err := r.node(ino)
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(n.xattr)), nil
}

func (r *ramFS) RemoveXattr(ino fs.InodeID, name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, err := r.node(ino)
	if err != nil {
		return err
	}
	if _, there := n.xattr[name]; !there {
		return syscall.ENODATA
	}
	delete(n.xattr, name)
	return nil
}

// ReadDirPlus holds the lock while it calls fn, as a transaction would.
func (r *ramFS) ReadDirPlus(dir fs.InodeID, cookie uint64, fn func(fs.Dirent, fs.Attr) (take, more bool)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, err := r.node(dir)
	if err != nil {
		return err
	}
	dots := []fs.Dirent{
		{Name: ".", Inode: dir, Mode: syscall.S_IFDIR, Cookie: 1},
		{Name: "..", Inode: n.parent, Mode: syscall.S_IFDIR, Cookie: 2},
	}
	for _, d := range dots[min(cookie, 2):] {
		if _, more := fn(d, r.inodes[d.Inode].attr); !more {
			return nil
		}
	}
	first, _ := slices.BinarySearchFunc(n.order, cookie, func(d fs.Dirent, c uint64) int { return cmp.Compare(d.Cookie, c+1) })
	for _, d := range n.order[first:] {
		if n.cookies[d.Name] != d.Cookie {
			continue // gone since
		}
		i := r.inodes[d.Inode]
		take, more := fn(d, i.attr)
		if take {
			i.refs++
		}
		if !more {
			return nil
		}
	}
	return nil
}

func (r *ramFS) ReadDir(dir fs.InodeID, cookie uint64, fn func(fs.Dirent) bool) error {
	return r.ReadDirPlus(dir, cookie, func(d fs.Dirent, _ fs.Attr) (take, more bool) { return false, fn(d) })
}

// fill makes n files in the root, without the kernel's knowledge.
func (r *ramFS) fill(n int) {
	for i := range n {
		attr, err := r.Mknod(fs.Caller{}, fs.Root, strconv.Itoa(i), syscall.S_IFREG|0o600, 0)
		if err != nil {
			panic(err)
		}
		r.Forget(attr.Inode, 1)
	}
}

func (r *ramFS) Statfs() (fs.Statfs, error) {
	return fs.Statfs{BlockSize: 4096, Blocks: 1 << 30, Free: 1 << 29, Avail: 1 << 29, Files: 1 << 30, FilesFree: 1 << 29, NameMax: 255}, nil
}
