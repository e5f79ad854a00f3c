package nodetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"dfsmount/node"
)

// Op is a method of node.Node.
type Op string

// The operations a fault can be set on.
const (
	Put    Op = "Put"
	Get    Op = "Get"
	Stat   Op = "Stat"
	List   Op = "List"
	Delete Op = "Delete"
)

// ErrPartition is what every call gets while the node is partitioned away. It is transient.
var ErrPartition = errors.New("node is partitioned away")

// Faulty is a node that fails where it is told to, and is the node it wraps otherwise. Faults are addressed by operation and
// object. A fault that was set and not met as often as it says fails the test when it ends.
type Faulty struct {
	t    testing.TB
	node node.Node

	mu          sync.Mutex
	faults      []*Fault
	calls       map[Op]int
	partitioned bool
	partitions  int // calls met since the partition began
}

// NewFaulty wraps n.
func NewFaulty(t testing.TB, n node.Node) *Faulty {
	f := &Faulty{t: t, node: n, calls: map[Op]int{}}
	t.Cleanup(f.verify)
	return f
}

// On makes a fault for calls of op on one of names, each an object's name, or a prefix of names if it ends in '*'; for List it is
// the prefix listed that counts. No names: every call. It is met once unless Times or Always say otherwise; the effect is named last:
//
//	f.On(nodetest.Put, "segment/*").Times(2).Fail(errDown)
//
// Of several faults that match, the one set first counts until it is used up.
func (f *Faulty) On(op Op, names ...string) *Fault {
	return &Fault{f: f, op: op, names: names, times: 1, met: make(chan struct{})}
}

// Partition cuts the node off, or joins it again: calls, and reads of bodies already open, fail with ErrPartition.
func (f *Faulty) Partition(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.partitioned && f.partitions == 0 {
		f.t.Errorf("nodetest: no call met the partition")
	}
	f.partitioned, f.partitions = on, 0
}

// Calls is how often op was called so far, whatever came of it.
func (f *Faulty) Calls(op Op) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[op]
}

func (f *Faulty) verify() {
	f.Partition(false)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.faults {
		if want := max(r.times, 1); r.hits < want {
			f.t.Errorf("nodetest: %s was met %d times of %d", r, r.hits, want)
		}
	}
}

// Fault is one rule of a Faulty.
type Fault struct {
	f     *Faulty
	op    Op
	names []string
	times int // 0: always
	met   chan struct{}
	kind  effect
	err   error
	cut   int64
	hits  int // guarded by f.mu
}

type effect string

const (
	fail          effect = "Fail"
	applyThenFail effect = "ApplyThenFail"
	truncate      effect = "Truncate"
	flipBit       effect = "FlipBit"
	hang          effect = "Hang"
)

// Times makes the fault count for the first n calls that match, and fail the test if there are fewer.
func (r *Fault) Times(n int) *Fault {
	if n < 1 {
		r.f.t.Fatalf("nodetest: Times(%d)", n)
	}
	r.times = n
	return r
}

// Always makes the fault count for every call that matches; at least one must come.
func (r *Fault) Always() *Fault { r.times = 0; return r }

// Fail answers err; the node never sees the call.
func (r *Fault) Fail(err error) *Fault { return r.set(fail, err, 0) }

// ApplyThenFail lets the node do it, then answers err: an answer that was lost.
func (r *Fault) ApplyThenFail(err error) *Fault { return r.set(applyThenFail, err, 0) }

// RetryAfter answers an error that asks for a pause of d.
func (r *Fault) RetryAfter(d time.Duration) *Fault { return r.set(fail, retryAfter(d), 0) }

// Truncate cuts the last n bytes off, without any error to tell: of a Put's body before the node gets it, of what a Get returns.
func (r *Fault) Truncate(n int64) *Fault { return r.set(truncate, nil, n) }

// FlipBit changes one bit of the first byte: of a Put's body before the node gets it, of what a Get returns.
func (r *Fault) FlipBit() *Fault { return r.set(flipBit, nil, 0) }

// Hang answers nothing until the call's context ends.
func (r *Fault) Hang() *Fault { return r.set(hang, nil, 0) }

// Met is closed when the fault is met for the first time.
func (r *Fault) Met() <-chan struct{} { return r.met }

// String says what the fault is, for messages.
func (r *Fault) String() string {
	return fmt.Sprintf("%s on %s %s", r.kind, r.op, strings.Join(r.names, " "))
}

// set arms the fault.
func (r *Fault) set(kind effect, err error, cut int64) *Fault {
	r.kind, r.err, r.cut = kind, err, cut
	if (kind == truncate || kind == flipBit) && r.op != Put && r.op != Get {
		r.f.t.Fatalf("nodetest: %s: there are no bytes to change", r)
	}
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	r.f.faults = append(r.f.faults, r)
	return r
}

func (r *Fault) matches(op Op, name string) bool {
	if op != r.op || r.times > 0 && r.hits >= r.times {
		return false
	}
	for _, n := range r.names {
		if prefix, ok := strings.CutSuffix(n, "*"); n == name || ok && strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return len(r.names) == 0
}

type retryAfter time.Duration

func (d retryAfter) Error() string             { return "node asks for a pause of " + time.Duration(d).String() }
func (d retryAfter) RetryAfter() time.Duration { return time.Duration(d) }

// meet counts a call, and finds the fault it runs into, if any. An error ends the call at once.
func (f *Faulty) meet(ctx context.Context, op Op, name string) (*Fault, error) {
	r, err := f.find(op, name)
	switch {
	case err != nil || r == nil:
		return nil, err
	case r.kind == fail:
		return nil, r.err
	case r.kind == hang:
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return r, nil
}

func (f *Faulty) find(op Op, name string) (*Fault, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[op]++
	if f.partitioned {
		f.partitions++
		return nil, ErrPartition
	}
	for _, r := range f.faults {
		if r.matches(op, name) {
			if r.hits++; r.hits == 1 {
				close(r.met)
			}
			return r, nil
		}
	}
	return nil, nil
}

// after is the answer to a call the node has done.
func (r *Fault) after(err error) error {
	if err == nil && r != nil && r.kind == applyThenFail {
		return r.err
	}
	return err
}
