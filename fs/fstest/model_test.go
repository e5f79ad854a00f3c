package fstest

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"dfsmount/cache"
	"dfsmount/fs"
	"dfsmount/internal/disk/simdisk"
	"dfsmount/seal"
)

var (
	modelSeed  = flag.Uint64("seed", 0, "run the model test with this seed only")
	modelSteps = flag.Int("steps", 0, "operations of the model test; 0: some hundred")
)

// model runs one sequence of random operations against the reference and a target.
type model struct {
	c   *C
	r   *ref
	rng *rand.Rand
	log []string // operations so far, for the report
}

func (m *model) note(format string, a ...any) {
	m.log = append(m.log, fmt.Sprintf(format, a...))
}

// path is one of few, so that operations meet each other.
func (m *model) path() string {
	var parts []string
	for range 1 + m.rng.IntN(3) {
		parts = append(parts, string(rune('a'+m.rng.IntN(4))))
	}
	return strings.Join(parts, "/")
}

// agree fails if the target's answer is not the reference's.
func (m *model) agree(got, want error) {
	m.c.Helper()
	if got == nil && want == nil {
		return
	}
	if want != nil && errors.Is(got, want) {
		return
	}
	// The kernel looks at the kinds first in some cases, and at the contents in others.
	alike := map[error]error{syscall.ENOTEMPTY: syscall.EEXIST, syscall.EINVAL: syscall.ENOTEMPTY}
	if got != nil && want != nil && m.c.Plain() && (errors.Is(got, alike[want]) || alike[got] == want) {
		return
	}
	m.c.Fatalf("%s: got %v, want %v", m.log[len(m.log)-1], got, want)
}

func (m *model) step() {
	m.c.Helper()
	p, q := m.path(), m.path()
	switch k := m.rng.IntN(100); {
	case k < 10:
		m.note("create %s", p)
		f, err := m.c.Open(p, syscall.O_CREAT|syscall.O_EXCL|rdwr, 0644)
		if err == nil {
			f.Close()
		}
		m.agree(err, m.r.create(p))
	case k < 18:
		m.note("mkdir %s", p)
		m.agree(m.c.Mkdir(p, 0755), m.r.mkdir(p))
	case k < 21:
		q = "nowhere/" + q // leads to nothing, on the way to a name as well
		m.note("symlink %s", p)
		m.agree(m.c.Symlink(q, p), m.r.symlink(q, p))
	case k < 25:
		m.note("link %s %s", q, p)
		m.agree(m.c.Link(q, p), m.r.link(q, p))
	case k < 30:
		m.note("unlink %s", p)
		m.agree(m.c.Unlink(p), m.r.remove(p, false))
	case k < 33:
		m.note("rmdir %s", p)
		m.agree(m.c.Rmdir(p), m.r.remove(p, true))
	case k < 43:
		flags := [...]uint32{0, 0, 0, noReplace, exchange}[m.rng.IntN(5)]
		m.note("rename %s %s %d", p, q, flags)
		m.agree(m.c.Rename(p, q, flags), m.r.rename(p, q, flags))
	case k < 46:
		m.chmod(p)
	case k < 50:
		m.xattr(p)
	default:
		m.data(p, k)
	}
}

func (m *model) chmod(p string) {
	n, err := m.r.get(p)
	if err != nil || n.kind == syscall.S_IFLNK {
		return
	}
	n.mode = m.rng.Uint32N(01000) | 0700
	m.note("chmod %s %o", p, n.mode)
	m.agree(m.c.Chmod(p, n.mode), nil)
}

func (m *model) xattr(p string) {
	n, err := m.r.get(p)
	if err != nil || n.kind == syscall.S_IFLNK {
		return
	}
	name, value := fmt.Sprint("user.", m.rng.IntN(3)), string(pattern(m.rng.Uint64(), m.rng.IntN(100)))
	if m.rng.IntN(3) > 0 {
		m.note("setxattr %s %s", p, name)
		n.xattrs[name] = value
		m.agree(m.c.Setxattr(p, name, []byte(value), 0), nil)
		return
	}
	m.note("removexattr %s %s", p, name)
	_, there := n.xattrs[name]
	delete(n.xattrs, name)
	if err = m.c.Removexattr(p, name); there {
		m.agree(err, nil)
	} else {
		m.agree(err, syscall.ENODATA)
	}
}

// offset and length of data operations: often around the borders of extents, seldom big.
func (m *model) span() (off, n int) {
	off, n = m.rng.IntN(600<<10), 1+m.rng.IntN(8000)
	switch m.rng.IntN(6) {
	case 0:
		off = m.rng.IntN(3)*extent + m.rng.IntN(9) - 4
	case 1:
		n = 1 + m.rng.IntN(400<<10)
	case 2:
		off &^= 4095
		n = 4096
	}
	return max(off, 0), n
}

func (m *model) data(p string, k int) {
	n, err := m.r.file(p)
	if err != nil {
		return
	}
	f, err := m.c.Open(p, rdwr, 0)
	m.c.ok(err)
	defer f.Close()
	off, size := m.span()
	switch {
	case k < 70:
		m.note("write %s %d %d", p, off, size)
		b := pattern(m.rng.Uint64(), size)
		n.write(b, off)
		m.c.write(f, b, int64(off))
	case k < 76:
		m.note("append %s %d at %d", p, size, len(n.data))
		b := pattern(m.rng.Uint64(), size)
		m.c.write(f, b, int64(len(n.data)))
		n.write(b, len(n.data))
	case k < 81:
		m.note("truncate %s %d", p, off)
		n.truncate(off)
		m.agree(f.Truncate(int64(off)), nil)
	case k < 85:
		m.note("punch %s %d %d", p, off, size)
		n.zero(off, off+size, false)
		m.c.feature("holes", f.Fallocate(punchHole|keepSize, int64(off), int64(size)))
	case k < 87:
		m.note("zero %s %d %d", p, off, size)
		n.zero(off, off+size, true)
		m.c.feature("zeroed ranges", f.Fallocate(zeroRange, int64(off), int64(size)))
	case k < 90:
		m.note("fsync %s", p)
		m.agree(f.Sync(), nil)
	case k < 94:
		m.copyRange(f, n, off, size)
	default:
		m.note("read %s %d %d", p, off, size)
		want := n.data[min(off, len(n.data)):min(off+size, len(n.data))]
		m.c.same(m.c.read(f, int64(off), size), want, m.log[len(m.log)-1])
	}
}

func (m *model) copyRange(f File, n *node, off, size int) {
	q := m.path()
	to, err := m.r.file(q)
	if err != nil || to == n {
		return
	}
	g, err := m.c.Open(q, rdwr, 0)
	m.c.ok(err)
	defer g.Close()
	toOff := m.rng.IntN(500 << 10)
	size = max(min(size, len(n.data)-off), 0)
	m.note("copy %d from %d to %s at %d", size, off, q, toOff)
	if size > 0 {
		to.write(n.data[off:off+size], toOff)
		copyAll(m.c, f, g, int64(off), int64(toOff), int64(size))
	}
}

func (m *model) run(steps int, between func()) {
	m.c.Helper()
	defer func() {
		if m.c.Failed() {
			m.c.Logf("last operations:\n%s", strings.Join(m.log[max(len(m.log)-40, 0):], "\n"))
		}
	}()
	for i := range steps {
		m.step()
		if i%50 == 49 {
			m.r.same(m.c)
			between()
		}
	}
	m.r.same(m.c)
}

func seeds(n int) (list []uint64) {
	if *modelSeed != 0 {
		return []uint64{*modelSeed}
	}
	base := uint64(time.Now().UnixNano())
	for i := range n {
		list = append(list, base+uint64(i)*7919)
	}
	return list
}

func stepsOf(n int) int {
	if *modelSteps > 0 {
		return *modelSteps
	}
	return n
}

// TestModelOnPlainDirectory proves the reference right.
func TestModelOnPlainDirectory(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	for _, seed := range seeds(2) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			m := &model{c: &C{t, Plain(t.TempDir())}, r: newRef(), rng: rand.New(rand.NewPCG(seed, 1))}
			m.run(stepsOf(400), func() {})
		})
	}
}

// mounted is a filesystem on a simulated disk that can be closed and opened again.
type mounted struct {
	t    *testing.T
	disk *simdisk.Disk
	so   cache.Options
	fo   fs.Options
	s    *cache.Store
	f    *fs.FS
}

func (m *mounted) open() {
	m.t.Helper()
	m.so.Disk = m.disk
	var err error
	if m.s == nil {
		m.s, err = cache.Create(ctx, "", seal.TestKeys(), m.so)
	} else {
		m.s, err = cache.Open(ctx, "", seal.TestKeys(), m.so)
	}
	if err != nil {
		m.t.Fatal(err)
	}
	if m.f, err = fs.New(m.s, m.fo); err != nil {
		m.t.Fatal(err)
	}
}

func (m *mounted) close() {
	m.t.Helper()
	if err := m.f.Close(); err != nil {
		m.t.Fatal(err)
	}
	p, err := m.f.Check(ctx)
	if err != nil || len(p) > 0 {
		m.t.Fatalf("check: %v %v", err, p)
	}
	if err := m.s.Close(); err != nil {
		m.t.Fatal(err)
	}
}

// TestModel runs random operations under varied options, closing and opening in between.
func TestModel(t *testing.T) {
	tiny := cache.Options{
		SegmentSize: 64 << 10, MaxSegmentSize: 1 << 20, SealAge: 2 * time.Millisecond, CommitInterval: 3 * time.Millisecond,
		OverlayBytes: 24 << 10, PageCacheBytes: 16 << 10, ExtentBytes: 64 << 10, OpenSegments: 3, CheckpointMin: 16 << 10,
	}
	for _, k := range []struct {
		name string
		so   cache.Options
		fo   fs.Options
	}{
		{"defaults", cache.Options{}, fs.Options{}},
		{"tiny", tiny, fs.Options{DirtyBytes: 1 << 20, DirtyAge: time.Millisecond}},
		{"lazy", tiny, fs.Options{DirtyBytes: 1 << 20, DirtyAge: time.Hour, Sealers: 1}},
		{"writeback", cache.Options{}, fs.Options{DirtyBytes: 2 << 20, DirtyAge: 10 * time.Millisecond, NoMtimeWrite: true}},
	} {
		for _, seed := range seeds(2) {
			t.Run(fmt.Sprintf("%s,seed=%d", k.name, seed), func(t *testing.T) {
				d := &mounted{t: t, disk: simdisk.New(), so: k.so, fo: k.fo}
				d.open()
				m := &model{c: &C{t, InProcess(d.f)}, r: newRef(), rng: rand.New(rand.NewPCG(seed, 1))}
				m.run(stepsOf(600), func() {
					if m.rng.IntN(3) == 0 {
						d.close()
						d.open()
						m.c.Target = InProcess(d.f)
						m.note("closed and opened")
						m.r.same(m.c)
					}
				})
				d.close()
			})
		}
	}
}
