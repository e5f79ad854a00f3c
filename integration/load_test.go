package integration

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// load is a number of writers in directories of their own below a mount that may die at any moment. Each knows what it was told is
// durable, and can tell whether what is there after a crash is allowed.
type load struct {
	root    string
	ready   bool // the writers' directories exist
	writers []writer
	steps   []atomic.Int64 // that each writer has done
	stop    atomic.Bool    // ends run on a directory that does not die
}

// writer does one kind of work, step by step, until the mount dies.
type writer interface {
	name() string
	// step does one thing in dir. An error means that the mount is gone, or else it is a fault.
	step(dir string) error
	// verify compares what is in dir with what was acknowledged, and settles what was not.
	verify(dir string) error
	done() int // what was acknowledged
}

func newLoad(root string, seed uint64) *load {
	random := func(i uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, i)) }
	seq := new(sequence)
	writers := []writer{
		&appender{r: random(1), others: seq}, &replacer{r: random(2)}, &replacer{r: random(3), sync: true}, &patcher{r: random(4), file: map[int64]versions{}},
		seq, &mover{}, &builder{r: random(5)}, &bulk{r: random(6)},
	}
	return &load{root: root, writers: writers, steps: make([]atomic.Int64, len(writers))}
}

// run lets all writers work while during runs, and until the mount is gone.
func (l *load) run(t *testing.T, during func()) {
	t.Helper()
	var wg sync.WaitGroup
	for i, w := range l.writers {
		dir := filepath.Join(l.root, fmt.Sprintf("%d-%s", i, w.name()))
		if !l.ready {
			if err := durableMkdir(dir); err != nil {
				t.Fatal(err)
			}
		}
		wg.Go(func() {
			for {
				err := w.step(dir)
				if err == nil {
					l.steps[i].Add(1)
				}
				if err == nil && !l.stop.Load() {
					continue
				}
				if err != nil && !gone(err) && !l.dead() {
					t.Errorf("%s: %v", w.name(), err)
				}
				return
			}
		})
	}
	l.ready = true
	during()
	wg.Wait()
	if !l.stop.Load() && !l.dead() {
		t.Error("the killed mount answers")
	}
}

// dead tells whether the mount's process was killed: a plain EIO is allowed then, for the kernel says so at an fsync of pages it could not
// write. statfs is the one question it never answers from its cache.
func (l *load) dead() bool {
	var st unix.Statfs_t
	return gone(unix.Statfs(l.root, &st))
}

func (l *load) verify(t *testing.T) {
	t.Helper()
	if !l.ready {
		return
	}
	for i, w := range l.writers {
		dir := filepath.Join(l.root, fmt.Sprintf("%d-%s", i, w.name()))
		if err := w.verify(dir); err != nil {
			t.Errorf("%s: %v", w.name(), err)
		}
	}
}

func (l *load) summary() (s string) {
	for _, w := range l.writers {
		s += fmt.Sprintf("%s %d, ", w.name(), w.done())
	}
	return s + "all acknowledged and all there"
}

// gone tells whether an error is that of a mount whose process was killed.
func gone(err error) bool {
	return errors.Is(err, syscall.ENOTCONN) || errors.Is(err, syscall.ECONNABORTED)
}

func durableMkdir(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return syncPath(filepath.Dir(dir))
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// record is content that describes itself: who, which version, how long; and no two bytes of two records are alike by chance.
func record(id, version uint64, size int) []byte {
	b := make([]byte, max(size, 24))
	binary.LittleEndian.PutUint64(b, id)
	binary.LittleEndian.PutUint64(b[8:], version)
	binary.LittleEndian.PutUint64(b[16:], uint64(len(b)))
	var seed [32]byte
	copy(seed[:], b[:24])
	rand.NewChaCha8(seed).Read(b[24:])
	return b
}

// versionOf checks that b is one whole record of id, and tells which version.
func versionOf(b []byte, id uint64) (uint64, error) {
	if len(b) < 24 {
		return 0, fmt.Errorf("torn: %d bytes", len(b))
	}
	v, n := binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint64(b[16:])
	if n != uint64(len(b)) || !bytes.Equal(b, record(id, v, len(b))) {
		return 0, fmt.Errorf("torn or wrong: %d bytes, of which %d are zero, that begin %x", len(b), bytes.Count(b, []byte{0}), b[:24])
	}
	return v, nil
}

// versions are what a place may hold after a crash: at least the acknowledged one, at most the last one tried.
type versions struct{ acked, tried uint64 }

func (v versions) allow(found uint64) error {
	if found < v.acked || found > v.tried {
		return fmt.Errorf("holds version %d, acknowledged was %d, last tried %d", found, v.acked, v.tried)
	}
	return nil
}

// appender appends records to one file and syncs each: a write-ahead log. Its fsync makes durable what others had completed, too.
type appender struct {
	r      *rand.Rand
	others *sequence
	sizes  []int // of the records acknowledged
	next   int   // size of the one being written
}

func (a *appender) name() string { return "appender" }
func (a *appender) done() int    { return len(a.sizes) }

func (a *appender) step(dir string) error {
	f, err := os.OpenFile(filepath.Join(dir, "log"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	a.next = 24 + a.r.IntN(20<<10)
	if _, err := f.Write(record(1, uint64(len(a.sizes)), a.next)); err != nil {
		return err
	}
	completed := a.others.completed.Load()
	if err := f.Sync(); err != nil {
		return err
	}
	a.others.durable.Store(completed)
	a.sizes = append(a.sizes, a.next)
	a.next = 0
	return nil
}

func (a *appender) verify(dir string) error {
	path := filepath.Join(dir, "log")
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && len(a.sizes) == 0 {
		return nil
	} else if err != nil {
		return err
	}
	at := 0
	for i, size := range a.sizes {
		if at+size > len(b) {
			return fmt.Errorf("record %d of %d acknowledged is not there: %d bytes", i, len(a.sizes), len(b))
		}
		if v, err := versionOf(b[at:at+size], 1); err != nil || v != uint64(i) {
			return fmt.Errorf("record %d of %d acknowledged: version %d, %w", i, len(a.sizes), v, err)
		}
		at += size
	}
	// What follows was never acknowledged, but it is what was written, or its beginning: never zeros.
	if rest := b[at:]; a.next == 0 && len(rest) > 0 || !bytes.HasPrefix(record(1, uint64(len(a.sizes)), max(a.next, 24)), rest) {
		return fmt.Errorf("%d bytes nobody wrote after the last record", len(rest))
	}
	a.next = 0
	return errors.Join(os.Truncate(path, int64(at)), syncPath(path))
}

// replacer replaces one file by renaming another over it, as editors do; with sync, it syncs file and directory.
type replacer struct {
	r    *rand.Rand
	sync bool
	v    versions
}

func (p *replacer) name() string {
	if p.sync {
		return "replacer-synced"
	}
	return "replacer"
}

func (p *replacer) done() int { return int(p.v.tried) }

func (p *replacer) step(dir string) error {
	next := p.v.tried + 1
	tmp := filepath.Join(dir, "tmp")
	f, err := os.Create(tmp)
	if err != nil {
		return err
	}
	_, err = f.Write(record(2, next, 24+p.r.IntN(100<<10)))
	if err == nil && p.sync {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	p.v.tried = next
	if err := os.Rename(tmp, filepath.Join(dir, "file")); err != nil {
		return err
	}
	if p.sync {
		if err := syncPath(dir); err != nil {
			return err
		}
		p.v.acked = next
	}
	return nil
}

func (p *replacer) verify(dir string) error {
	b, err := os.ReadFile(filepath.Join(dir, "file"))
	if errors.Is(err, os.ErrNotExist) && p.v.acked == 0 {
		return nil
	} else if err != nil {
		return err
	}
	found, err := versionOf(b, 2)
	if err == nil {
		err = p.v.allow(found)
	}
	p.v.acked = found // it is durable now: recovery made it so
	return err
}

// patcher writes blocks of one file in place, and syncs now and then: a database.
type patcher struct {
	r     *rand.Rand
	file  map[int64]versions // by block
	count int
}

const patchBlock, patchBlocks = 4 << 10, 256

func (p *patcher) name() string { return "patcher" }
func (p *patcher) done() int    { return p.count }

func (p *patcher) step(dir string) error {
	f, err := os.OpenFile(filepath.Join(dir, "db"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	var touched []int64
	for range 1 + p.r.IntN(8) {
		i := p.r.Int64N(patchBlocks)
		v := p.file[i]
		v.tried++
		p.file[i] = v
		if _, err := f.WriteAt(record(uint64(i), v.tried, patchBlock), i*patchBlock); err != nil {
			return err
		}
		touched = append(touched, i)
	}
	if err := unix.Fdatasync(int(f.Fd())); err != nil {
		return err
	}
	for _, i := range touched {
		p.file[i] = versions{p.file[i].tried, p.file[i].tried}
	}
	p.count++
	return nil
}

func (p *patcher) verify(dir string) error {
	b, err := os.ReadFile(filepath.Join(dir, "db"))
	if errors.Is(err, os.ErrNotExist) && p.count == 0 {
		return nil
	} else if err != nil {
		return err
	}
	if len(b) > patchBlocks*patchBlock {
		return fmt.Errorf("%d bytes, longer than ever written", len(b))
	}
	for i := range int64(patchBlocks) {
		v := p.file[i] // of a block never written: nothing but a hole
		block, found := []byte(nil), uint64(0)
		if at := int(i * patchBlock); at+patchBlock <= len(b) {
			block = b[at:][:patchBlock]
		}
		if len(bytes.Trim(block, "\x00")) > 0 { // else never written: version 0
			if found, err = versionOf(block, uint64(i)); err != nil {
				return fmt.Errorf("block %d (%+v): %w", i, v, err)
			}
		}
		if err := v.allow(found); err != nil {
			return fmt.Errorf("block %d: %w", i, err)
		}
		p.file[i] = versions{found, max(found, v.tried)}
	}
	return nil
}

// sequence makes numbered files, and syncs the directory rarely: after a crash there is no gap, and nothing is missing that was made
// before the sync.
type sequence struct {
	made, acked int
	completed   atomic.Int64 // creations that returned
	durable     atomic.Int64 // of them, those before an fsync that somebody else did
}

func (s *sequence) name() string { return "sequence" }
func (s *sequence) done() int    { return s.acked }

func (s *sequence) step(dir string) error {
	s.made++ // it may happen although nobody is told
	f, err := os.OpenFile(filepath.Join(dir, fmt.Sprint(s.made-1)), os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	f.Close()
	s.completed.Store(int64(s.made))
	if s.made%16 == 0 {
		if err := syncPath(dir); err != nil {
			return err
		}
		s.acked = s.made
	}
	return nil
}

func (s *sequence) verify(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for i := range entries { // n names, and each of 0 … n-1 is one
		if _, err := os.Lstat(filepath.Join(dir, fmt.Sprint(i))); err != nil {
			return fmt.Errorf("%d files, and a gap: %w", len(entries), err)
		}
	}
	others := int(s.durable.Load())
	if n := len(entries); n < s.acked || n > s.made || n < others {
		return fmt.Errorf("%d files, acknowledged %d, made before the fsync of another file %d, made %d", n, s.acked, others, s.made)
	}
	s.made = len(entries)
	s.acked = s.made
	s.completed.Store(int64(s.made))
	return nil
}

// mover renames one file from number to number, between two directories: there is always exactly one of it.
type mover struct {
	started bool
	v       versions
}

func (m *mover) name() string { return "mover" }
func (m *mover) done() int    { return int(m.v.acked) }

func (m *mover) path(dir string, n uint64) string {
	return filepath.Join(dir, []string{"left", "right"}[n%2], fmt.Sprint(n))
}

func (m *mover) step(dir string) error {
	if !m.started {
		if err := m.begin(dir); err != nil {
			return err
		}
	}
	from := m.v.tried
	m.v.tried++
	if err := os.Rename(m.path(dir, from), m.path(dir, from+1)); err != nil {
		return err
	}
	if m.v.tried%8 == 0 {
		if err := syncPath(filepath.Dir(m.path(dir, m.v.tried))); err != nil {
			return err
		}
		m.v.acked = m.v.tried
	}
	return nil
}

func (m *mover) begin(dir string) error {
	for _, name := range []string{"left", "right"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	if err := os.WriteFile(m.path(dir, 0), nil, 0o644); err != nil {
		return err
	}
	if err := errors.Join(syncPath(m.path(dir, 0)), syncPath(filepath.Join(dir, "left")), syncPath(dir)); err != nil {
		return err
	}
	m.started = true
	return nil
}

func (m *mover) verify(dir string) error {
	if !m.started {
		return nil
	}
	var found []uint64
	for n := m.v.acked; n <= m.v.tried; n++ {
		if _, err := os.Lstat(m.path(dir, n)); err == nil {
			found = append(found, n)
		}
	}
	left, err1 := os.ReadDir(filepath.Join(dir, "left"))
	right, err2 := os.ReadDir(filepath.Join(dir, "right"))
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if len(left)+len(right) != 1 || len(found) != 1 {
		return fmt.Errorf("%d names instead of one, and %v of %+v", len(left)+len(right), found, m.v)
	}
	m.v = versions{found[0], found[0]}
	return nil
}

// builder makes and removes directories, links and attributes, each acknowledged by a sync of the directory.
type builder struct {
	r     *rand.Rand
	have  []bool // by number: what is acknowledged to exist, or not
	doubt int    // the number being changed; -1 if none
	count int
}

func (b *builder) name() string { return "builder" }
func (b *builder) done() int    { return b.count }

func (b *builder) step(dir string) error {
	if b.have == nil {
		b.have, b.doubt = make([]bool, 40), -1
	}
	i := b.r.IntN(len(b.have))
	b.doubt = i
	var err error
	if b.have[i] {
		err = b.remove(dir, i)
	} else {
		err = b.make(dir, i)
	}
	if err == nil {
		err = syncPath(dir)
	}
	if err != nil {
		return err
	}
	b.have[i], b.doubt = !b.have[i], -1
	b.count++
	return nil
}

// make makes a directory, a symbolic link, a hard link or a fifo, by number; the last thing done is what verify looks for.
func (b *builder) make(dir string, i int) error {
	path := filepath.Join(dir, fmt.Sprint(i))
	switch i % 4 {
	case 0:
		return os.Mkdir(path, 0o750)
	case 1:
		return os.Symlink(fmt.Sprintf("target of %d", i), path)
	case 2:
		anchor := filepath.Join(dir, "anchor")
		f, err := os.OpenFile(anchor, os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		return errors.Join(f.Close(), os.Link(anchor, path))
	default:
		return unix.Mkfifo(path, 0o640)
	}
}

func (b *builder) remove(dir string, i int) error {
	return os.Remove(filepath.Join(dir, fmt.Sprint(i)))
}

func (b *builder) verify(dir string) error {
	links := uint64(1)
	for i, want := range b.have {
		path := filepath.Join(dir, fmt.Sprint(i))
		fi, err := os.Lstat(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		have := err == nil
		if have != want && i != b.doubt {
			return fmt.Errorf("%d exists: %v, acknowledged: %v", i, have, want)
		}
		b.have[i] = have
		if !have {
			continue
		}
		kind := []os.FileMode{os.ModeDir, os.ModeSymlink, 0, os.ModeNamedPipe}[i%4]
		if fi.Mode().Type() != kind {
			return fmt.Errorf("%d is %v", i, fi.Mode())
		}
		if i%4 == 1 {
			if target, err := os.Readlink(path); err != nil || target != fmt.Sprintf("target of %d", i) {
				return fmt.Errorf("link %d leads to %q, %w", i, target, err)
			}
		}
		if i%4 == 2 {
			links++
		}
	}
	b.doubt = -1
	var st unix.Stat_t
	err := unix.Lstat(filepath.Join(dir, "anchor"), &st)
	if err == unix.ENOENT && links == 1 {
		return nil
	}
	if err == nil && uint64(st.Nlink) != links {
		err = fmt.Errorf("anchor has %d links, and %d names lead to it", st.Nlink, links)
	}
	return err
}

// bulk writes large files without any sync: what is there of them is never of the right size and wrong.
type bulk struct {
	r     *rand.Rand
	count int
}

func (b *bulk) name() string { return "bulk" }
func (b *bulk) done() int    { return b.count }

func (b *bulk) step(dir string) error {
	b.count++
	data := record(8, uint64(b.count), 1<<20+b.r.IntN(1<<19))
	return os.WriteFile(filepath.Join(dir, fmt.Sprint(b.count%8)), data, 0o644)
}

func (b *bulk) verify(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		// Any length up to the record's is allowed, as on any filesystem; any other byte is not.
		if len(data) < 24 {
			continue
		}
		version, size := binary.LittleEndian.Uint64(data[8:]), binary.LittleEndian.Uint64(data[16:])
		if version > uint64(b.count) || size > 2<<20 || uint64(len(data)) > size || !bytes.HasPrefix(record(8, version, int(size)), data) {
			return fmt.Errorf("file %s: %d of %d bytes of version %d are not what was written (%d zeros)",
				e.Name(), len(data), size, version, bytes.Count(data, []byte{0}))
		}
	}
	return nil
}
