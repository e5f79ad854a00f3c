package fs

import (
	"dfsmount/cache"
	"errors"
	"strings"
	"syscall"
)

// Cookies: the keyed hash of a name gives the place of its entry, and the low bits tell names apart whose hashes agree. An entry
// keeps its place for life, so a position in a directory means the same whatever else comes and goes.
const (
	cookieDot    = 1
	cookieDotDot = 2
	cookieFirst  = 3
	tieMask      = 0xff
)

// slots returns the first and last cookie that an entry of this hash can have.
func slots(hash uint64) (first, last uint64) {
	base := hash >> 1 &^ tieMask
	return max(base, cookieFirst), base | tieMask
}

func validName(name string) error {
	switch {
	case name == "":
		return syscall.ENOENT
	case len(name) > MaxName:
		return syscall.ENAMETOOLONG
	case strings.ContainsAny(name, "/\x00"):
		return syscall.EINVAL
	}
	return nil
}

// newName is validName for a name to be made.
func newName(name string) error {
	if isDot(name) {
		return syscall.EEXIST
	}
	return validName(name)
}

func isDot(name string) bool { return name == "." || name == ".." }

// findEntry looks for name in dir; ENOENT if it is not there.
func findEntry(tx *cache.Tx, hash uint64, dir InodeID, name string) (d dirent, cookie uint64, err error) {
	first, last := slots(hash)
	bad := tx.Scan(direntKey(dir, first), direntKey(dir, last+1), func(k, v []byte) bool {
		if d, err = decodeDirent(v); err != nil || d.name == name {
			_, cookie, _ = parseKey2(tableDirent, k)
			return false
		}
		return true
	})
	switch {
	case bad != nil:
		return dirent{}, 0, bad
	case err != nil:
		return dirent{}, 0, err
	case cookie == 0:
		return dirent{}, 0, syscall.ENOENT
	}
	return d, cookie, nil
}

// entry is findEntry in a transaction.
func (t *txn) entry(dir InodeID, name string) (dirent, uint64, error) {
	return findEntry(t.Tx, t.f.store.NameHash(uint64(dir), name), dir, name)
}

var errTies = errors.New("256 names of one directory have the same hash")

// vacancy returns the place that an entry for name would take; EEXIST if dir has one.
func (t *txn) vacancy(dir InodeID, name string) (cookie uint64, err error) {
	first, last := slots(t.f.store.NameHash(uint64(dir), name))
	cookie = first
	bad := t.Scan(direntKey(dir, first), direntKey(dir, last+1), func(k, v []byte) bool {
		var d dirent
		if d, err = decodeDirent(v); err == nil && d.name == name {
			err = syscall.EEXIST
		}
		if _, at, _ := parseKey2(tableDirent, k); at == cookie {
			cookie++
		}
		return err == nil
	})
	switch {
	case bad != nil:
		return 0, bad
	case err == nil && cookie > last:
		return 0, errTies
	}
	return cookie, err
}

// link puts an entry at a vacancy and counts it in the directory's record.
func (t *txn) link(dir InodeID, parent *record, cookie uint64, d dirent) {
	t.Put(direntKey(dir, cookie), d.encode())
	parent.size++
	t.touchDir(parent)
}

// unlink removes an entry.
func (t *txn) unlink(dir InodeID, parent *record, cookie uint64) {
	t.Delete(direntKey(dir, cookie))
	parent.size--
	t.touchDir(parent)
}

func (t *txn) touchDir(parent *record) { parent.mtime, parent.ctime = t.now, t.now }

// Lookup, Create, Mkdir, Mknod, Symlink, Link and each entry of ReadDirPlus that is taken add one reference to the inode; Forget
// gives n back. An inode without links lives while it has references.
func (f *FS) Lookup(parent InodeID, name string) (Attr, error) {
	if err := validName(name); err != nil {
		return Attr{}, err
	}
	epoch, hash := f.epoch.Load(), f.store.NameHash(uint64(parent), name)
	var rec record
	var in *inode
	err := f.view(func(tx *cache.Tx) error {
		id, err := f.resolve(tx, hash, parent, name)
		if err != nil {
			return err
		}
		if rec, err = getRecord(tx, id); err != nil {
			return dangling(err)
		}
		in = f.table.ref(id) // inside of the View: no transaction can have unlinked it and found it unreferenced
		return nil
	})
	if err != nil {
		return Attr{}, err
	}
	f.fill(in, rec, epoch)
	return f.attr(in, &rec), nil
}

func (f *FS) resolve(tx *cache.Tx, hash uint64, parent InodeID, name string) (InodeID, error) {
	if !isDot(name) {
		d, _, err := findEntry(tx, hash, parent, name)
		if err == syscall.ENOENT {
			return 0, f.whyAbsent(tx, parent)
		}
		return d.child, err
	}
	dir, err := getRecord(tx, parent)
	switch {
	case err != nil:
		return 0, err
	case name == ".":
		return parent, nil // of any inode: so the kernel finds one again that it knows by its number (open_by_handle_at, NFS)
	case !dir.isDir():
		return 0, syscall.ENOTDIR
	}
	return dir.parent, nil
}

// whyAbsent tells a name that is not there from a parent that is no directory.
func (f *FS) whyAbsent(tx *cache.Tx, parent InodeID) error {
	if dir, err := getRecord(tx, parent); err != nil {
		return err
	} else if !dir.isDir() {
		return syscall.ENOTDIR
	}
	return syscall.ENOENT
}

// dangling is the fault of an entry without an inode: ENOENT would be a lie.
func dangling(err error) error {
	if err == syscall.ENOENT {
		return errors.New("a directory entry names an inode that is not there")
	}
	return err
}

// attr is what stat shows of an inode whose record was read just now.
func (f *FS) attr(in *inode, rec *record) Attr {
	in.attr.Lock()
	defer in.attr.Unlock()
	return attrOf(in.id, rec, &in.pend)
}
