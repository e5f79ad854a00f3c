package fs

import (
	"dfsmount/cache"
	"syscall"
)

// batch is how many entries are read in one View: the callback runs outside of it and may do anything.
const batch = 64

type listed struct {
	Dirent
	rec record
	in  *inode
}

// ReadDir calls fn for the entries after cookie (0: from the start, "." and ".." first) until it returns false. Entries that exist all
// the while are told once each, whatever else is made and removed meanwhile.
func (f *FS) ReadDir(dir InodeID, cookie uint64, fn func(Dirent) bool) error {
	for {
		list, err := f.list(dir, cookie, false)
		if err != nil {
			return err
		}
		for _, e := range list {
			if !fn(e.Dirent) {
				return nil
			}
			cookie = e.Cookie
		}
		if len(list) == 0 {
			return nil
		}
	}
}

// ReadDirPlus is ReadDir with attributes; fn takes a reference by answering take.
func (f *FS) ReadDirPlus(dir InodeID, cookie uint64, fn func(Dirent, Attr) (take, more bool)) error {
	for {
		epoch := f.epoch.Load()
		list, err := f.list(dir, cookie, true)
		if err != nil {
			return err
		}
		for i, e := range list {
			f.fill(e.in, e.rec, epoch)
			take, more := fn(e.Dirent, f.attr(e.in, &e.rec))
			if !take {
				f.Forget(e.Inode, 1)
			}
			if !more {
				f.giveBack(list[i+1:])
				return nil
			}
			cookie = e.Cookie
		}
		if len(list) == 0 {
			return nil
		}
	}
}

func (f *FS) giveBack(list []listed) {
	for _, e := range list {
		f.Forget(e.Inode, 1)
	}
}

// list reads the next entries; with attributes and a reference to each inode if plus.
func (f *FS) list(dir InodeID, cookie uint64, plus bool) (list []listed, err error) {
	err = f.view(func(tx *cache.Tx) error {
		d, err := getRecord(tx, dir)
		switch {
		case err != nil:
			return err
		case !d.isDir():
			return syscall.ENOTDIR
		case d.nlink == 0:
			return nil
		}
		if list, err = entriesAfter(tx, dir, d.parent, cookie); err == nil && plus {
			err = f.describe(tx, list)
		}
		return err
	})
	if err != nil {
		list = nil
	}
	return list, err
}

func entriesAfter(tx *cache.Tx, dir, parent InodeID, cookie uint64) (list []listed, err error) {
	list = make([]listed, 0, batch)
	if cookie < cookieDot {
		list = append(list, listed{Dirent: Dirent{".", dir, syscall.S_IFDIR, cookieDot}})
	}
	if cookie < cookieDotDot {
		list = append(list, listed{Dirent: Dirent{"..", parent, syscall.S_IFDIR, cookieDotDot}})
	}
	from := direntKey(dir, max(cookie+1, cookieFirst))
	_, to := rangeOf(tableDirent, dir)
	bad := tx.Scan(from, to, func(k, v []byte) bool {
		var d dirent
		if d, err = decodeDirent(v); err != nil {
			return false
		}
		_, at, _ := parseKey2(tableDirent, k)
		list = append(list, listed{Dirent: Dirent{d.name, d.child, d.kind, at}})
		return len(list) < batch
	})
	if bad != nil {
		err = bad
	}
	return list, err
}

// describe reads the records of a batch and takes a reference to each, inside of the View that read the entries.
func (f *FS) describe(tx *cache.Tx, list []listed) error {
	for i := range list {
		e := &list[i]
		rec, err := getRecord(tx, e.Inode)
		if err != nil {
			f.giveBack(list[:i])
			return dangling(err)
		}
		e.rec, e.in = rec, f.table.ref(e.Inode)
	}
	return nil
}
