package nodetest_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dfsmount/node"
	"dfsmount/node/nodetest"
)

var errDown = errors.New("down")

func newFaulty(t testing.TB) *nodetest.Faulty {
	return nodetest.NewFaulty(t, nodetest.NewMemory().Volume(nodetest.VolumeID))
}

func TestFaultyWithoutFault(t *testing.T) {
	nodetest.Test(t, func(t *testing.T) node.Node { return newFaulty(t) })
}

func TestFaultyFail(t *testing.T) {
	f := newFaulty(t)
	r := f.On(nodetest.Put, "a", "segment/*").Times(2).Fail(errDown)
	nodetest.MustPut(t, f, "b", nil)
	select {
	case <-r.Met():
		t.Error("met by another object")
	default:
	}
	for _, name := range []string{"segment/1", "a"} {
		if err := put(f, name, "x"); !errors.Is(err, errDown) {
			t.Errorf("put %s: %v", name, err)
		}
		if _, err := f.Stat(context.Background(), name); !errors.Is(err, node.ErrNotExist) {
			t.Errorf("stat %s: %v", name, err)
		}
	}
	<-r.Met()
	nodetest.MustPut(t, f, "a", nil)
	if got := f.Calls(nodetest.Put); got != 4 {
		t.Errorf("%d calls of Put, want 4", got)
	}
}

func TestFaultyEveryOp(t *testing.T) {
	f := newFaulty(t)
	nodetest.MustPut(t, f, "a", []byte("x"))
	for op, call := range map[nodetest.Op]func(context.Context) error{
		nodetest.Put:    func(ctx context.Context) error { return f.Put(ctx, "a", nil, 1, sha256.Sum256([]byte("x"))) },
		nodetest.Get:    func(ctx context.Context) error { _, err := f.Get(ctx, "a", 0, -1); return err },
		nodetest.Stat:   func(ctx context.Context) error { _, err := f.Stat(ctx, "a"); return err },
		nodetest.List:   func(ctx context.Context) error { return f.List(ctx, "", "", func(node.Info) error { return nil }) },
		nodetest.Delete: func(ctx context.Context) error { return f.Delete(ctx, "b") },
	} {
		f.On(op).Fail(errDown)
		f.On(op).ApplyThenFail(errDown)
		f.On(op).RetryAfter(time.Minute)
		f.On(op).Hang()
		for range 2 {
			if err := call(t.Context()); !errors.Is(err, errDown) {
				t.Errorf("%s: %v", op, err)
			}
		}
		var ra node.RetryAfter
		if err := call(t.Context()); !errors.As(err, &ra) || ra.RetryAfter() != time.Minute {
			t.Errorf("%s: %v", op, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", op, err)
		}
		cancel()
		if err := call(t.Context()); err != nil {
			t.Errorf("%s: %v", op, err)
		}
	}
}

func TestFaultyApplyThenFail(t *testing.T) {
	f := newFaulty(t)
	f.On(nodetest.Put).ApplyThenFail(errDown)
	if err := put(f, "a", "x"); !errors.Is(err, errDown) {
		t.Error(err)
	}
	if got, err := nodetest.Read(f, "a", 0, -1); err != nil || string(got) != "x" {
		t.Errorf("get: %q, %v", got, err)
	}
}

func TestFaultyBytes(t *testing.T) {
	f := newFaulty(t)
	f.On(nodetest.Put).Truncate(1)
	f.On(nodetest.Put).FlipBit()
	if err := put(f, "a", "good"); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
	if err := put(f, "a", "good"); !errors.Is(err, node.ErrChecksum) {
		t.Error(err)
	}
	nodetest.MustPut(t, f, "a", []byte("good"))
	f.On(nodetest.Get).Times(2).Truncate(1)
	f.On(nodetest.Get).Times(2).FlipBit()
	for _, c := range []struct {
		offset, length int64
		want           string
	}{{0, -1, "goo"}, {1, 2, "o"}, {0, -1, "wood"}, {3, 9, "t"}} {
		if got, err := nodetest.Read(f, "a", c.offset, c.length); err != nil || string(got) != c.want {
			t.Errorf("get %d+%d: %q, %v; want %q", c.offset, c.length, got, err, c.want)
		}
	}
}

func TestFaultyHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFaulty(t)
		f.On(nodetest.Stat).Hang()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		start := time.Now()
		if _, err := f.Stat(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Hour {
			t.Errorf("stat: %v after %v", err, time.Since(start))
		}
	})
}

func TestFaultyPartition(t *testing.T) {
	f := newFaulty(t)
	nodetest.MustPut(t, f, "a", []byte("x"))
	r, err := f.Get(context.Background(), "a", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	f.Partition(true)
	if _, err := io.ReadAll(r); !errors.Is(err, nodetest.ErrPartition) {
		t.Errorf("read: %v", err)
	}
	if err := put(f, "b", "x"); !errors.Is(err, nodetest.ErrPartition) {
		t.Errorf("put: %v", err)
	}
	f.Partition(false)
	nodetest.MustPut(t, f, "b", []byte("x"))
}

// recorder is a testing.TB that keeps what a Faulty says at the end.
type recorder struct {
	testing.TB
	errors   []string
	cleanups []func()
}

func (r *recorder) Cleanup(fn func())         { r.cleanups = append(r.cleanups, fn) }
func (r *recorder) Errorf(s string, a ...any) { r.errors = append(r.errors, fmt.Sprintf(s, a...)) }

func TestFaultyUnmet(t *testing.T) {
	r := &recorder{TB: t}
	f := newFaulty(r)
	f.On(nodetest.Put, "a").Fail(errDown)
	f.On(nodetest.Stat, "s*").Times(2).Fail(errDown)
	f.On(nodetest.Delete).Always().Fail(errDown)
	f.On(nodetest.Get).Always().Fail(errDown)
	_, _ = f.Stat(context.Background(), "s1")
	_ = f.Delete(context.Background(), "a")
	f.Partition(true)
	for _, fn := range r.cleanups {
		fn()
	}
	want := []string{"no call met the partition", "Fail on Put a was met 0 times of 1", "Fail on Stat s* was met 1 times of 2", "Fail on Get  was met 0 times of 1"}
	if got := strings.Join(r.errors, "\n"); got != "nodetest: "+strings.Join(want, "\nnodetest: ") {
		t.Errorf("said:\n%s", got)
	}
}

func put(n node.Node, name, data string) error {
	return n.Put(context.Background(), name, bytes.NewReader([]byte(data)), int64(len(data)), sha256.Sum256([]byte(data)))
}
