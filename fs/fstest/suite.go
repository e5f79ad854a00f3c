package fstest

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"syscall"
	"testing"
)

// testCase is one question to a filesystem.
type testCase struct {
	name string
	from string // who asks the same: pjdfstest's directory, or a group of xfstests
	run  func(c *C)
}

// Test runs every case on a directory of its own, which target makes.
func Test(t *testing.T, target func(t *testing.T) Target) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	for _, group := range [...]struct {
		name  string
		cases []testCase
	}{
		{"namespace", namespaceCases}, {"rename", renameCases}, {"links", linkCases}, {"open", openCases}, {"data", dataCases},
		{"sparse", sparseCases}, {"attr", attrCases}, {"xattr", xattrCases}, {"readdir", readdirCases}, {"mmap", mmapCases},
		{"acl", aclCases}, {"user", userCases}, {"lock", lockCases}, {"direct", directCases},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, k := range group.cases {
				t.Run(k.name, func(t *testing.T) { k.run(&C{t, target(t)}) })
			}
		})
	}
}

// C is a case under way. Its methods fail the test at once.
type C struct {
	*testing.T
	Target
}

func (c *C) ok(err error) {
	c.Helper()
	if err != nil {
		c.Fatalf("%v", err)
	}
}

// is fails unless err is one of the errnos.
func (c *C) is(err error, want ...syscall.Errno) {
	c.Helper()
	for _, w := range want {
		if errors.Is(err, w) {
			return
		}
	}
	c.Fatalf("got %v, want %v", err, want)
}

// feature is ok for what a plain directory may not have.
func (c *C) feature(what string, err error) {
	c.Helper()
	if c.Plain() && (errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOSYS)) {
		c.Skipf("this directory's filesystem has no %s: %v", what, err)
	}
	c.ok(err)
}

// inKernel skips where there is no path for system calls.
func (c *C) inKernel(why string) {
	if c.Path() == "" {
		c.Skipf("in-process: %s is the kernel's", why)
	}
}

func (c *C) equal(got, want any, what string) {
	c.Helper()
	if got != want {
		c.Fatalf("%s is %v, want %v", what, got, want)
	}
}

func (c *C) open(path string, flags int) File {
	c.Helper()
	f, err := c.Open(path, flags, 0644)
	c.ok(err)
	c.Cleanup(func() { f.Close() })
	return f
}

func (c *C) create(path string) File {
	c.Helper()
	return c.open(path, syscall.O_CREAT|syscall.O_EXCL|syscall.O_RDWR)
}

// file makes a file with content.
func (c *C) file(path string, content []byte) {
	c.Helper()
	f, err := c.Open(path, syscall.O_CREAT|syscall.O_TRUNC|syscall.O_RDWR, 0644)
	c.ok(err)
	c.write(f, content, 0)
	c.ok(f.Close())
}

func (c *C) write(f File, p []byte, off int64) {
	c.Helper()
	for n := 0; n < len(p); {
		m, err := f.WriteAt(p[n:], off+int64(n))
		c.ok(err)
		n += m
	}
}

// read returns n bytes from off, fewer at the end of the file.
func (c *C) read(f File, off int64, n int) []byte {
	c.Helper()
	p := make([]byte, n)
	for at := 0; at < n; {
		m, err := f.ReadAt(p[at:], off+int64(at))
		c.ok(err)
		if m == 0 {
			return p[:at]
		}
		at += m
	}
	return p
}

func (c *C) content(path string) []byte {
	c.Helper()
	f, err := c.Open(path, syscall.O_RDONLY, 0)
	c.ok(err)
	defer f.Close()
	s, err := f.Stat()
	c.ok(err)
	return c.read(f, 0, int(s.Size)+1)
}

func (c *C) holds(path string, want []byte) {
	c.Helper()
	c.same(c.content(path), want, path)
}

func (c *C) same(got, want []byte, what string) {
	c.Helper()
	if bytes.Equal(got, want) {
		return
	}
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	c.Fatalf("%s: %d bytes, want %d; the first difference is at %d", what, len(got), len(want), i)
}

func (c *C) stat(path string) Stat {
	c.Helper()
	s, err := c.Lstat(path)
	c.ok(err)
	return s
}

func (c *C) fstat(f File) Stat {
	c.Helper()
	s, err := f.Stat()
	c.ok(err)
	return s
}

func (c *C) absent(path string) {
	c.Helper()
	_, err := c.Lstat(path)
	c.is(err, syscall.ENOENT)
}

// pattern is n bytes that depend on the seed and are nowhere zero for long.
func pattern(seed uint64, n int) []byte {
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), 1})
	p := make([]byte, n)
	_, _ = r.Read(p)
	return p
}

const (
	rdonly = syscall.O_RDONLY
	rdwr   = syscall.O_RDWR
	ifmt   = syscall.S_IFMT
)
