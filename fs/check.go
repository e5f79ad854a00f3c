package fs

import (
	"context"
	"dfsmount/cache"
	"errors"
	"fmt"
)

// errStop ends a scan whose context ended.
var errStop = errors.New("stopped")

// checker verifies the invariants of doc.go on one state.
type checker struct {
	ctx      context.Context
	f        *FS
	tx       *cache.Tx
	inodes   map[InodeID]*checked
	orphans  map[InodeID]bool
	problems []Problem
}

// checked is what the scan of the tables finds of an inode.
type checked struct {
	rec     record
	entries uint64 // of a directory
	subdirs uint32
	names   uint32 // that lead to it
	parent  InodeID
	alloc   uint64
	end     int64 // of its last extent
	xattrs  uint32
	flags   uint8 // that the attributes stand for
}

// Check verifies the invariants of the state (F1…). Dirty data is not part of it yet. It keeps some 300 bytes for each inode, and no
// transaction goes on while it runs.
func (f *FS) Check(ctx context.Context) ([]Problem, error) {
	c := &checker{ctx: ctx, f: f, inodes: map[InodeID]*checked{}}
	err := f.view(func(tx *cache.Tx) error {
		c.tx = tx
		for _, step := range []func() error{c.readInodes, c.readOrphans, c.readEntries, c.readExtents, c.readXattrs, c.judge, c.judgeCounters} {
			if err := step(); err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return c.problems, fault("check the filesystem", err)
	}
	return c.problems, nil
}

func (c *checker) wrong(rule, format string, a ...any) {
	c.problems = append(c.problems, Problem{rule, fmt.Sprintf(format, a...)})
}

// table calls fn for every entry of a table; an error of fn is a problem of the entry (F1).
func (c *checker) table(table byte, fn func(k, v []byte) error) error {
	err := c.tx.Scan([]byte{table}, tableEnd(table), func(k, v []byte) bool {
		if err := fn(k, v); err != nil {
			c.wrong("F1", "%v", err)
		}
		return c.ctx.Err() == nil
	})
	if err == nil && c.ctx.Err() != nil {
		err = errStop
	}
	return err
}

func (c *checker) readInodes() error {
	return c.table(tableInode, func(k, v []byte) error {
		id, err := parseKey1(tableInode, k)
		if err != nil {
			return err
		}
		rec, err := decodeRecord(v)
		if err != nil {
			return err
		}
		rec.target = ""
		c.inodes[InodeID(id)] = &checked{rec: rec}
		return nil
	})
}

func (c *checker) readOrphans() error {
	ids, err := orphansIn(c.tx)
	c.orphans = map[InodeID]bool{}
	for _, id := range ids {
		c.orphans[id] = true
	}
	return err
}

func (c *checker) readEntries() error {
	return c.table(tableDirent, func(k, v []byte) error {
		parent, cookie, err := parseKey2(tableDirent, k)
		if err != nil {
			return err
		}
		d, err := decodeDirent(v)
		if err != nil {
			return err
		}
		c.entry(InodeID(parent), cookie, d)
		return nil
	})
}

func (c *checker) entry(parent InodeID, cookie uint64, d dirent) {
	first, last := slots(c.f.store.NameHash(uint64(parent), d.name))
	if cookie < first || cookie > last {
		c.wrong("F4", "entry of directory %d for inode %d is not in the place of its name", parent, d.child)
	}
	dir, child := c.inodes[parent], c.inodes[d.child]
	switch {
	case dir == nil || !dir.rec.isDir():
		c.wrong("F2", "entry for inode %d is in %d, which is no directory", d.child, parent)
		return
	case child == nil:
		c.wrong("F2", "entry of directory %d names inode %d, which is not there", parent, d.child)
		return
	case child.rec.kind() != d.kind:
		c.wrong("F2", "entry of directory %d takes inode %d for another kind", parent, d.child)
	}
	dir.entries++
	child.names++
	child.parent = parent
	if child.rec.isDir() {
		dir.subdirs++
	}
}

func (c *checker) readExtents() error {
	return c.table(tableExtent, func(k, v []byte) error {
		id, e, err := decodeExtent(k, v)
		if err != nil {
			return err
		}
		in := c.inodes[id]
		switch {
		case in == nil || !in.rec.isFile():
			c.wrong("F5", "extent of inode %d, which is no file", id)
			return nil
		case e.off < in.end:
			c.wrong("F5", "extents of inode %d overlap at %d", id, e.off)
		case e.end() > int64(in.rec.size) && !c.orphans[id]:
			c.wrong("F5", "extent of inode %d at %d ends behind the file", id, e.off)
		}
		in.end = e.end()
		in.alloc += uint64(e.length)
		return nil
	})
}

func (c *checker) readXattrs() error {
	return c.table(tableXattr, func(k, v []byte) error {
		id, at, err := parseKey2(tableXattr, k)
		if err != nil {
			return err
		}
		x, err := decodeXattr(v)
		if err != nil {
			return err
		}
		if at&^tieMask != c.f.xattrHash(InodeID(id), x.name) {
			c.wrong("F4", "extended attribute of inode %d is not in the place of its name", id)
		}
		if in := c.inodes[InodeID(id)]; in == nil {
			c.wrong("F6", "extended attribute of inode %d, which is not there", id)
		} else {
			in.xattrs++
			in.flags |= flagOf(x.name)
		}
		return nil
	})
}

// judge compares each record with what the tables say.
func (c *checker) judge() error {
	for id, in := range c.inodes {
		c.judgeLinks(id, in)
		if in.rec.isDir() {
			c.judgeDir(id, in)
		}
		if in.alloc != in.rec.alloc {
			c.wrong("F7", "inode %d counts %d mapped bytes, and has %d", id, in.rec.alloc, in.alloc)
		}
		if in.xattrs != in.rec.xattrs {
			c.wrong("F7", "inode %d counts %d extended attributes, and has %d", id, in.rec.xattrs, in.xattrs)
		}
		if in.flags != in.rec.flags&^flagLinkable {
			c.wrong("F6", "inode %d says %b of its extended attributes, and %b is true", id, in.rec.flags, in.flags)
		}
	}
	for id := range c.orphans {
		if c.inodes[id] == nil {
			c.wrong("F3", "orphan %d is not there", id)
		}
	}
	if c.inodes[Root] == nil {
		c.wrong("F2", "there is no root directory")
	}
	return nil
}

func (c *checker) judgeLinks(id InodeID, in *checked) {
	if !in.rec.isDir() && in.rec.nlink != in.names {
		c.wrong("F3", "inode %d counts %d links, and has %d", id, in.rec.nlink, in.names)
	}
	if in.names == 0 && id != Root && (in.rec.nlink != 0 || !c.orphans[id]) {
		c.wrong("F3", "inode %d has no name and is no orphan", id)
	}
}

func (c *checker) judgeDir(id InodeID, in *checked) {
	if in.rec.size != in.entries {
		c.wrong("F7", "directory %d counts %d entries, and has %d", id, in.rec.size, in.entries)
	}
	if in.names == 0 && id != Root {
		return
	}
	if in.rec.nlink != 2+in.subdirs {
		c.wrong("F3", "directory %d counts %d links, and has %d", id, in.rec.nlink, 2+in.subdirs)
	}
	if id == Root {
		return
	}
	if in.names != 1 || in.rec.parent != in.parent {
		c.wrong("F2", "directory %d has %d names, and %d for a parent", id, in.names, in.rec.parent)
	}
	if !c.reachesRoot(id) {
		c.wrong("F2", "directory %d cannot be reached from the root", id)
	}
}

func (c *checker) reachesRoot(id InodeID) bool {
	for range len(c.inodes) {
		in := c.inodes[id]
		if in == nil {
			return false
		}
		if id == Root {
			return true
		}
		id = in.rec.parent
	}
	return false
}

func (c *checker) judgeCounters() error {
	want := counters{inodes: uint64(len(c.inodes))}
	last := Root
	for id, in := range c.inodes {
		want.bytes += in.alloc
		last = max(last, id)
	}
	got, err := getCounters(c.tx)
	if err != nil {
		return err
	}
	if got != want {
		c.wrong("F7", "the state counts %d inodes and %d bytes, and has %d and %d", got.inodes, got.bytes, want.inodes, want.bytes)
	}
	b, err := c.tx.Get(keyNext)
	if err != nil || b == nil {
		return err
	}
	next, err := decodeNext(b)
	if err == nil && next <= last {
		c.wrong("F8", "inode %d is there, and numbers from %d on are to be given", last, next)
	}
	return err
}

// problemsText is for errors and tests.
func problemsText(p []Problem) string {
	s := ""
	for _, q := range p {
		s += q.Rule + ": " + q.Text + "\n"
	}
	return s
}
