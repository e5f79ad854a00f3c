package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"dfsmount/internal/disk"
	"dfsmount/internal/disk/simdisk"
	"dfsmount/seal"
	"dfsmount/segment"
)

// nodes serves sealed segments from disks, as nodes would: the first that accept agrees with. Broken ones flip a bit of all they give.
type nodes struct {
	disks  []*simdisk.Disk
	broken map[int]bool
	bad    int // answers that accept refused
	asked  int
}

func (n *nodes) Fetch(_ context.Context, number segment.ID, epoch uint64, off, length int64, accept func([]byte) error) error {
	errs := []error{fmt.Errorf("segment %d", number)}
	n.asked++
	for i, d := range n.disks {
		b, err := readRange(d, number, epoch, off, length)
		if err == nil {
			if n.broken[i] {
				b[len(b)/2] ^= 1
			}
			if err = accept(b); err == nil {
				return nil
			}
			n.bad++
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (n *nodes) Size(_ context.Context, number segment.ID, epoch uint64) (int64, error) {
	for _, d := range n.disks {
		f, err := openObject(d, number, epoch)
		if err == nil {
			defer f.Close()
			return f.Size()
		}
	}
	return 0, errors.New("no node has it")
}

// openObject opens a segment if it is of this epoch: on a node both are its name.
func openObject(d *simdisk.Disk, number segment.ID, epoch uint64) (disk.File, error) {
	f, err := d.Open(sealedName(number), disk.Read)
	if err != nil {
		return nil, err
	}
	if h, err := segment.PeekHeader(f); err != nil || h.Epoch != epoch {
		return nil, errors.Join(fmt.Errorf("epoch %d", h.Epoch), err, f.Close())
	}
	return f, nil
}

func readRange(d *simdisk.Disk, number segment.ID, epoch uint64, off, length int64) ([]byte, error) {
	f, err := openObject(d, number, epoch)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, length)
	_, err = f.ReadAt(b, off)
	return b, err
}

// TestClone recovers a store from what nodes keep, one of which gives nothing but bad bytes, writes on in a new epoch, and recovers
// that one again, without its index too.
func TestClone(t *testing.T) {
	for _, checkpoints := range []int{0, 1, 3} {
		t.Run(fmt.Sprintf("after %d checkpoints", checkpoints), func(t *testing.T) { testClone(t, checkpoints) })
	}
}

func testClone(t *testing.T, checkpoints int) {
	keys := seal.TestKeys()
	d := simdisk.New()
	s, err := Create(ctx, "", keys, tiny(d))
	if err != nil {
		t.Fatal(err)
	}
	m := newModel(9)
	n := &nodes{disks: []*simdisk.Disk{d, d}, broken: map[int]bool{0: true}}
	for epoch := uint64(2); epoch < 5; epoch++ {
		for range checkpoints {
			if err := errors.Join(m.work(s, 40), s.Checkpoint(ctx)); err != nil {
				t.Fatal(err)
			}
		}
		if err := m.work(s, 40); err != nil {
			t.Fatal(err)
		}
		if _, err := s.SealNow(ctx); err != nil {
			t.Fatal(err)
		}
		head := s.Head()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		m.acked = len(m.states) - 1

		d = simdisk.New()
		if s, err = CreateFromNodes(ctx, "", keys, head, epoch, n, tiny(d)); err != nil {
			t.Fatalf("clone for epoch %d: %v", epoch, err)
		}
		m.adopt(t, s)
		m.check(t, s)
		if err := errors.Join(m.work(s, 30), s.Close()); err != nil {
			t.Fatal(err)
		}
		m.acked = len(m.states) - 1
		if err := d.Remove(memIndexFile); err != nil {
			t.Fatal(err)
		}
		o := tiny(d)
		o.Fetcher = n
		if s, err = Open(ctx, "", keys, o); err != nil {
			t.Fatalf("open a clone without its index: %v", err)
		}
		m.adopt(t, s)
		m.check(t, s)
		for i, info := range s.Segments(1) {
			if int(info.Number) != i+1 || info.Epoch == 0 || info.Size == 0 || info.Local != (info.Epoch == epoch) {
				t.Errorf("segment %d: %+v", i+1, info)
			}
		}
		n.disks = append(n.disks, d)
	}
	if n.bad == 0 {
		t.Error("the node with bad bytes was never asked")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestDamagedSegment: a local segment whose bytes decayed is read from a node, and if no node has it the error says so; never
// other bytes.
func TestDamagedSegment(t *testing.T) {
	d := simdisk.New()
	s := open(t, d)
	data := extentBytes(1, 5000)
	l, err := s.Append(data)
	if err != nil {
		t.Fatal(err)
	}
	put := func(tx *Tx) error { tx.Put([]byte("A"), []byte("x")); return nil }
	if err := s.Update(put); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SealNow(ctx); err != nil {
		t.Fatal(err)
	}
	good, err := readWhole(d, l.Segment)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.FlipBit(sealedName(l.Segment), int64(l.Offset)+2000, 3); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 100)
	if err := s.Read(ctx, l, 1000, got); !errors.Is(err, ErrDamaged) {
		t.Errorf("read of a damaged segment without nodes: %v", err)
	}
	s.SetFetcher(good)
	if err := s.Read(ctx, l, 1000, got); err != nil || !bytes.Equal(got, data[1000:1100]) {
		t.Errorf("read of a damaged segment with a node: %v", err)
	}
	problems, err := s.Check(ctx, CheckOptions{Data: true})
	if err != nil || len(problems) != 1 || problems[0].Rule != "L4" {
		t.Errorf("check finds %v, %v", problems, err)
	}
}

// TestDamagedFooter: a sealed segment that replay needs and that decayed is fetched from a node; without one, opening fails and says
// which. It is never skipped.
func TestDamagedFooter(t *testing.T) {
	keys, d := seal.TestKeys(), simdisk.New()
	s, err := Create(ctx, "", keys, slow(d))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := putOne(s, "A", "1"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.SealNow(ctx); err != nil {
			t.Fatal(err)
		}
	}
	s.abandon()
	d = d.Crash(0)
	good, err := readWhole(d, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.FlipBit(sealedName(2), int64(len(good.b))-60, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(ctx, "", keys, slow(d)); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "segment 2") {
		t.Fatalf("open with a damaged segment returned %v", err)
	}
	o := slow(d)
	o.Fetcher = good
	if s, err = Open(ctx, "", keys, o); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, s); got["A"] != "1" {
		t.Errorf("state is %v", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// oneSegment is a node in RAM with one segment.
type oneSegment struct{ b []byte }

func (o *oneSegment) Fetch(_ context.Context, _ segment.ID, _ uint64, off, length int64, accept func([]byte) error) error {
	return accept(bytes.Clone(o.b[off : off+length]))
}

func readWhole(d *simdisk.Disk, id segment.ID) (*oneSegment, error) {
	n := &nodes{disks: []*simdisk.Disk{d}}
	size, err := n.Size(ctx, id, 1)
	if err != nil {
		return nil, err
	}
	b, err := readRange(d, id, 1, 0, size)
	return &oneSegment{b}, err
}
