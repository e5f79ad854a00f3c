package fstest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"syscall"
)

const (
	xattrCreate  = 1
	xattrReplace = 2
)

var xattrCases = []testCase{
	{"set, get, list, remove", "xfstests attr", func(c *C) {
		c.file("f", nil)
		c.ok(c.Mkdir("d", 0755))
		for _, path := range []string{"f", "d"} {
			want := map[string][]byte{}
			for i := range 10 {
				name := fmt.Sprintf("user.name %d", i)
				want[name] = pattern(uint64(i), i*20)
				c.feature("user attributes", c.Setxattr(path, name, want[name], 0))
			}
			c.listed(path, want)
			c.ok(c.Removexattr(path, "user.name 3"))
			delete(want, "user.name 3")
			c.listed(path, want)
			c.is(c.Removexattr(path, "user.name 3"), syscall.ENODATA)
			_, err := c.Getxattr(path, "user.name 3")
			c.is(err, syscall.ENODATA)
		}
	}},
	{"create and replace", "xfstests attr", func(c *C) {
		c.file("f", nil)
		err := c.Setxattr("f", "user.a", []byte("1"), xattrReplace)
		if err != syscall.EOPNOTSUPP {
			c.is(err, syscall.ENODATA)
		}
		c.feature("user attributes", c.Setxattr("f", "user.a", []byte("1"), xattrCreate))
		c.is(c.Setxattr("f", "user.a", []byte("2"), xattrCreate), syscall.EEXIST)
		c.ok(c.Setxattr("f", "user.a", []byte("3"), xattrReplace))
		c.listed("f", map[string][]byte{"user.a": []byte("3")})
	}},
	{"empty and big values", "xfstests generic/486", func(c *C) {
		c.file("f", nil)
		c.feature("user attributes", c.Setxattr("f", "user.empty", nil, 0))
		c.listed("f", map[string][]byte{"user.empty": {}})
		if c.Plain() {
			c.Skip("this directory's filesystem may have small attributes only")
		}
		big := pattern(1, 65536)
		c.ok(c.Setxattr("f", "user.big", big, 0))
		c.listed("f", map[string][]byte{"user.empty": {}, "user.big": big})
	}},
	{"limits", "xfstests attr", func(c *C) {
		c.file("f", nil)
		c.feature("user attributes", c.Setxattr("f", "user."+strings.Repeat("n", 250), []byte("x"), 0))
		c.is(c.Setxattr("f", "user."+strings.Repeat("n", 251), []byte("x"), 0), syscall.ERANGE)
		c.is(c.Setxattr("f", "user.x", make([]byte, 65537), 0), syscall.E2BIG)
		c.is(c.Setxattr("f", "unknown.x", []byte("x"), 0), syscall.EOPNOTSUPP)
		c.is(c.Setxattr("f", "user.", []byte("x"), 0), syscall.EINVAL)
		c.is(c.Setxattr("f", "user", []byte("x"), 0), syscall.EOPNOTSUPP)
		c.is(c.Setxattr("f", "", []byte("x"), 0), syscall.ERANGE, syscall.EOPNOTSUPP)
		c.is(c.Setxattr("f", "user.a", []byte("x"), 4), syscall.EINVAL)
		c.is(c.Setxattr("f", "user.a", []byte("x"), xattrCreate|xattrReplace), syscall.ENODATA)
	}},
	{"no more than can be listed", "xfstests generic/486", func(c *C) {
		c.file("f", nil)
		n := 0
		for ; n < 300; n++ {
			err := c.Setxattr("f", fmt.Sprintf("user.%s%03d", strings.Repeat("n", 240), n), nil, 0)
			if err != nil {
				c.is(err, syscall.ENOSPC, syscall.EOPNOTSUPP)
				break
			}
		}
		if !c.Plain() {
			c.equal(n, 65536/249, "number of names")
		}
		names, err := c.Listxattr("f")
		c.ok(err)
		c.equal(len(names), n, "number of names listed")
	}},
	{"trusted and security", "xfstests attr", func(c *C) {
		c.needRoot()
		c.file("f", nil)
		c.ok(c.Symlink("x", "l"))
		for _, path := range []string{"f", "l"} {
			c.feature("trusted attributes", c.Setxattr(path, "trusted.t", []byte("t"), 0))
			c.ok(c.Setxattr(path, "security.s", []byte("s"), 0))
			c.listed(path, map[string][]byte{"trusted.t": []byte("t"), "security.s": []byte("s")})
		}
	}},
	{"links share them", "xfstests attr", func(c *C) {
		c.file("f", nil)
		c.feature("user attributes", c.Setxattr("f", "user.a", []byte("x"), 0))
		c.ok(c.Link("f", "g"))
		c.ok(c.Rename("f", "h", 0))
		c.listed("g", map[string][]byte{"user.a": []byte("x")})
		c.listed("h", map[string][]byte{"user.a": []byte("x")})
	}},
	{"capabilities go with a write", "xfstests generic/093", func(c *C) {
		c.needRoot()
		f := c.create("f")
		// VFS_CAP_REVISION_2 with cap_net_raw permitted: the kernel takes nothing else for one.
		value := []byte{0, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
		c.feature("capabilities", c.Setxattr("f", "security.capability", value, 0))
		c.write(f, []byte("x"), 0)
		_, err := c.Getxattr("f", "security.capability")
		c.is(err, syscall.ENODATA)
	}},
}

func (c *C) listed(path string, want map[string][]byte) {
	c.Helper()
	names, err := c.Listxattr(path)
	c.ok(err)
	slices.Sort(names)
	var sorted []string
	for name, value := range want {
		sorted = append(sorted, name)
		got, err := c.Getxattr(path, name)
		c.ok(err)
		if !bytes.Equal(got, value) {
			c.Fatalf("%s is %d bytes %.20x, want %d bytes %.20x", name, len(got), got, len(value), value)
		}
	}
	slices.Sort(sorted)
	if !slices.Equal(names, sorted) {
		c.Fatalf("attributes are %q, want %q", names, sorted)
	}
}
