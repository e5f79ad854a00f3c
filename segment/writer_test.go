package segment_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"dfsmount/internal/disk"
	"dfsmount/internal/disk/simdisk"
	"dfsmount/segment"
)

// TestParallelAppends appends from many goroutines while another commits and syncs, and finds everything in its place.
func TestParallelAppends(t *testing.T) {
	d := simdisk.New()
	f := create(t, d, openName)
	w, err := segment.NewWriter(f, keys, header)
	must(t, err)
	const appenders, each = 8, 30
	locations := make([][]segment.Location, appenders)
	var appending, committing sync.WaitGroup
	for i := range appenders {
		appending.Go(func() {
			for j := range each {
				l, err := w.Append(segment.KindExtent, parallelExtent(i, j))
				if err != nil {
					t.Error(err)
					return
				}
				locations[i] = append(locations[i], l)
				if got, err := w.ReadFrame(nil, segment.KindExtent, l); err != nil || !bytes.Equal(got, parallelExtent(i, j)) {
					t.Errorf("extent %d/%d read back: %v", i, j, err)
				}
			}
		})
	}
	stop := make(chan struct{})
	seq := header.FirstSeq
	committing.Go(func() {
		for ; ; seq++ {
			err := w.AppendCommit(commit(seq, fmt.Sprint("key ", seq%5), "value"))
			if err == nil {
				err = w.Sync()
			}
			if err != nil {
				t.Error(err)
				return
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	appending.Wait()
	close(stop)
	committing.Wait()
	sealed, err := w.Seal(segment.Footer{})
	must(t, err)
	if sealed.Footer.LastSeq != seq {
		t.Errorf("last commit %d, want %d", sealed.Footer.LastSeq, seq)
	}
	_, err = segment.Verify(f)
	must(t, err)
	r, _, err := segment.OpenSealed(f, keys, 7, 3)
	must(t, err)
	for i := range locations {
		for j, l := range locations[i] {
			if got, err := r.ReadFrame(nil, segment.KindExtent, l); err != nil || !bytes.Equal(got, parallelExtent(i, j)) {
				t.Errorf("extent %d/%d: %v", i, j, err)
			}
		}
	}
}

func parallelExtent(i, j int) []byte { return bytes.Repeat([]byte{byte(i), byte(j), 1}, 1+j*100) }

// gate is a file whose writes wait, in order, until they are let through.
type gate struct {
	disk.File
	arrived chan string
	through map[string]chan struct{}
}

func (g *gate) WriteAt(p []byte, off int64) (int, error) {
	name := fmt.Sprint(len(p))
	if ch := g.through[name]; ch != nil {
		g.arrived <- name
		<-ch
	}
	return g.File.WriteAt(p, off)
}

// TestSyncWaitsForEarlierAppends: and not for later ones.
func TestSyncWaitsForEarlierAppends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		size := func(n int) string { return fmt.Sprint(segment.FrameSize(n)) }
		g := &gate{File: create(t, simdisk.New(), openName), arrived: make(chan string), through: map[string]chan struct{}{
			size(10): make(chan struct{}), size(20): make(chan struct{}),
		}}
		w, err := segment.NewWriter(g, keys, header)
		must(t, err)
		add := func(n int) {
			if _, err := w.Append(segment.KindExtent, text(n)); err != nil {
				t.Error(err)
			}
		}
		go add(10)
		<-g.arrived
		synced := false
		done := make(chan error)
		go func() {
			err := w.Sync()
			synced = true
			done <- err
		}()
		synctest.Wait()
		if synced {
			t.Fatal("Sync did not wait for an Append that had begun")
		}
		go add(20)
		<-g.arrived
		close(g.through[size(10)])
		must(t, <-done) // with the later Append still on its way: a deadlock here fails the test
		c := commit(40, "a", "1")
		must(t, w.AppendCommit(c))
		if want := 192 + segment.FrameSize(10); int64(c.Durable) != want {
			t.Errorf("S3: %d bytes are said to be durable, want %d", c.Durable, want)
		}
		again := make(chan error)
		go func() { again <- w.Sync() }()
		synctest.Wait()
		select {
		case err := <-again:
			t.Fatalf("the next Sync did not wait for the later Append: %v", err)
		default:
		}
		close(g.through[size(20)])
		must(t, <-again)
	})
}

func TestDurableOffsetIsTrue(t *testing.T) {
	w, err := segment.NewWriter(create(t, simdisk.New(), openName), keys, header)
	must(t, err)
	c := commit(40, "a", "1")
	must(t, w.AppendCommit(c))
	if c.Durable != 192 {
		t.Errorf("only the header was synced, but %d bytes are said to be", c.Durable)
	}
	end := w.Size()
	must(t, w.Sync())
	c = commit(41, "a", "1")
	must(t, w.AppendCommit(c))
	if int64(c.Durable) != end {
		t.Errorf("%d bytes were synced, but %d are said to be", end, c.Durable)
	}
}

func TestWriterRefuses(t *testing.T) {
	d := simdisk.New()
	for what, h := range map[string]segment.Header{
		"no number": {FirstSeq: 1},
		"epoch":     {Number: 1, FirstSeq: 1, Epoch: 1 << 32},
		"no commit": {Number: 1},
		"suite":     {Number: 1, FirstSeq: 1, Suite: 9},
	} {
		if _, err := segment.NewWriter(create(t, d, what), keys, h); err == nil {
			t.Errorf("%s: a segment was begun", what)
		}
	}
	w, err := segment.NewWriter(create(t, d, openName), keys, header)
	must(t, err)
	for what, err := range map[string]error{
		"empty":         second(w.Append(segment.KindExtent, nil)),
		"commit":        second(w.Append(segment.KindCommit, text(1))),
		"footer":        second(w.Append(segment.KindFooter, text(1))),
		"header":        second(w.Append(0, text(1))),
		"unknown kind":  second(w.Append(6, text(1))),
		"early commit":  w.AppendCommit(commit(41, "a", "b")),
		"late commit":   w.AppendCommit(commit(39, "a", "b")),
		"commit no key": w.AppendCommit(commit(40, "", "b")),
		"long key":      w.AppendCommit(commit(40, strings.Repeat("k", segment.MaxKey+1), "b")),
	} {
		if err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
	must(t, w.AppendCommit(commit(40, "a", "b"))) // none of that was the writer's end
	_, err = w.Seal(segment.Footer{})
	must(t, err)
	for what, err := range map[string]error{
		"append": second(w.Append(segment.KindExtent, text(1))),
		"commit": w.AppendCommit(commit(41, "a", "b")),
		"seal":   second(w.Seal(segment.Footer{})),
	} {
		if !errors.Is(err, segment.ErrSealed) {
			t.Errorf("%s after sealing: %v", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// forgetful is a file that says it wrote, and did not.
type forgetful struct {
	disk.File
	from int64
}

func (f *forgetful) WriteAt(p []byte, off int64) (int, error) {
	if f.from > 0 && off >= f.from {
		return len(p), nil
	}
	return f.File.WriteAt(p, off)
}

// TestSealReadsBack: S4.
func TestSealReadsBack(t *testing.T) {
	f := &forgetful{File: create(t, simdisk.New(), openName)}
	w, err := segment.NewWriter(f, keys, header)
	must(t, err)
	f.from = w.Size()
	if _, err := w.Seal(segment.Footer{}); !errors.Is(err, segment.ErrDamaged) {
		t.Errorf("S4: a footer that is not there was sealed: %v", err)
	}
}

// TestResumedTakesNothing: a recovered segment is never appended to.
func TestResumedTakesNothing(t *testing.T) {
	d := simdisk.New()
	f := create(t, d, openName)
	_, err := segment.NewWriter(f, keys, header)
	must(t, err)
	rec, err := segment.Recover(f, keys, 7)
	must(t, err)
	w, err := segment.Resume(f, keys, rec)
	must(t, err)
	_, err = w.Append(segment.KindExtent, text(1))
	for what, err := range map[string]error{"append": err, "commit": w.AppendCommit(commit(40, "a", "b"))} {
		if !errors.Is(err, segment.ErrSealed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	s, err := w.Seal(segment.Footer{})
	must(t, err)
	if s.Footer.FirstSeq != 0 || s.Footer.LastSeq != 39 || len(s.Footer.Frames) != 0 {
		t.Errorf("an empty segment: %+v", s.Footer)
	}
	rec, err = segment.Recover(f, keys, 7)
	must(t, err)
	if _, err := segment.Resume(f, keys, rec); !errors.Is(err, segment.ErrSealed) {
		t.Errorf("resuming a sealed segment: %v", err)
	}
}

func TestLargeFooter(t *testing.T) {
	d := simdisk.New()
	f := create(t, d, openName)
	w, err := segment.NewWriter(f, keys, header)
	must(t, err)
	c := commit(40)
	for i := range 3000 {
		value := make([]byte, 40)
		for j := range value {
			value[j] = byte((i*j + i*i) % 251 * j) // not easily compressed
		}
		c.Changes = append(c.Changes, segment.Change{Key: fmt.Appendf(nil, "key %d", i), Value: value})
	}
	must(t, w.AppendCommit(c))
	bound := w.Size() + w.FooterSize()
	s, err := w.Seal(segment.Footer{})
	must(t, err)
	if s.Size > bound || len(s.Footer.Changes) != 3000 {
		t.Errorf("%d bytes, bound %d, %d changes", s.Size, bound, len(s.Footer.Changes))
	}
}

func BenchmarkAppendSync(b *testing.B) {
	for _, n := range []int{1 << 10, 64 << 10, 256 << 10} {
		b.Run(fmt.Sprintf("%dKiB", n>>10), func(b *testing.B) {
			benchAppend(b, n, func(w *segment.Writer) error { return w.Sync() })
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1 << 10, 64 << 10, 256 << 10} {
		b.Run(fmt.Sprintf("%dKiB", n>>10), func(b *testing.B) {
			benchAppend(b, n, func(w *segment.Writer) error { return nil })
		})
	}
}

// benchAppend appends to an allocated file on the disk that holds the directory for temporary files, a new one whenever
// it is full.
func benchAppend(b *testing.B, n int, after func(*segment.Writer) error) {
	const size = 64 << 20
	d, err := disk.OS(b.TempDir())
	must(b, err)
	var w *segment.Writer
	var f disk.File
	start := func() {
		if f != nil {
			must(b, f.Close())
			must(b, d.Remove("f"))
		}
		f, err = d.Open("f", disk.Create)
		must(b, err)
		must(b, f.Allocate(0, size))
		w, err = segment.NewWriter(f, keys, header)
		must(b, err)
	}
	start()
	plain := text(n)
	b.SetBytes(int64(n))
	b.ReportAllocs()
	for b.Loop() {
		if w.Size()+int64(2*n) > size {
			b.StopTimer()
			start()
			b.StartTimer()
		}
		_, err := w.Append(segment.KindExtent, plain)
		if err == nil {
			err = after(w)
		}
		must(b, err)
	}
}

func BenchmarkReadFrame(b *testing.B) {
	for _, n := range []int{4 << 10, 64 << 10, 256 << 10} {
		d := simdisk.New()
		f := create(b, d, openName)
		w, err := segment.NewWriter(f, keys, header)
		must(b, err)
		l, err := w.Append(segment.KindExtent, text(n))
		must(b, err)
		r, err := segment.OpenHeader(newSource(all(b, f)), keys, 7, 3)
		must(b, err)
		dst := make([]byte, 0, n)
		b.Run(fmt.Sprintf("%dKiB", n>>10), func(b *testing.B) {
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				_, err := r.ReadFrame(dst, segment.KindExtent, l)
				must(b, err)
			}
		})
	}
}

func BenchmarkRecover(b *testing.B) {
	d := simdisk.New()
	f := create(b, d, openName)
	w, err := segment.NewWriter(f, keys, header)
	must(b, err)
	for seq := header.FirstSeq; w.Size() < 16<<20; seq++ {
		_, err := w.Append(segment.KindExtent, text(64<<10))
		must(b, err)
		must(b, w.AppendCommit(commit(seq, "some key of the state", "some value of it")))
	}
	src := newSource(all(b, f))
	b.SetBytes(src.Reader.Size())
	for b.Loop() {
		_, err := segment.Recover(src, keys, 7)
		must(b, err)
	}
}
