package simdisk

import (
	"fmt"
	"path"
	"slices"
)

// Op is an operation that can be made to fail.
type Op string

// The operations. All but ReadAt and Open are mutating and counted; Open is that of an existing file.
const (
	Create   Op = "create"
	Mkdir    Op = "mkdir"
	Rename   Op = "rename" // its path is the new name
	Remove   Op = "remove"
	SyncDir  Op = "syncdir"
	WriteAt  Op = "write"
	Allocate Op = "allocate"
	Truncate Op = "truncate"
	Datasync Op = "datasync"
	Open     Op = "open"
	ReadAt   Op = "read"
)

// Fault makes operations fail without effect (a Datasync: see the package's model).
type Fault struct {
	Op    Op
	Path  string // as path.Match takes it; empty: any
	Skip  int    // let so many pass first
	Times int    // fail so many, then no more; 0: ever after
	Err   error
	met   bool
	spent bool
}

// Fail adds a fault.
func (d *Disk) Fail(f Fault) {
	if _, err := path.Match(f.Path, ""); err != nil || f.Err == nil {
		panic(fmt.Sprintf("simdisk: fault %+v needs a pattern and an error", f))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = append(d.faults, &f)
}

// Unmet returns the faults that never made an operation fail.
func (d *Disk) Unmet() []Fault {
	d.mu.Lock()
	defer d.mu.Unlock()
	var unmet []Fault
	for _, f := range d.faults {
		if !f.met {
			unmet = append(unmet, *f)
		}
	}
	return unmet
}

// Heal removes all faults.
func (d *Disk) Heal() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = nil
}

// StopAt stops the disk at the k-th mutating operation from now on; 0 takes that back.
func (d *Disk) StopAt(k int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopAt = d.ops + k; k == 0 {
		d.stopAt = 0
	}
}

// Stopped tells whether the disk was stopped.
func (d *Disk) Stopped() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stopped
}

// Ops is the number of mutating operations so far.
func (d *Disk) Ops() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ops
}

// SetCapacity sets how many bytes all files together may take; what is there stays. A file takes its size, also
// where nothing was written, until no name and no handle is left.
func (d *Disk) SetCapacity(bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.capacity = bytes
}

// mutateLocked is a mutating operation: counted, stopped at or failed, and done otherwise. The one the disk stops at
// is begun: a crash may have it or not.
func (d *Disk) mutateLocked(op Op, name string, do func()) error {
	err := d.beginLocked(op, name)
	if err == nil || d.stopped {
		do()
	}
	return err
}

func (d *Disk) beginLocked(op Op, name string) error {
	if d.stopped {
		return ErrStopped
	}
	if d.ops++; d.ops == d.stopAt {
		d.stopped = true
		return fmt.Errorf("%s %s: %w", op, name, ErrStopped)
	}
	return d.faultLocked(op, name)
}

func (d *Disk) faultLocked(op Op, name string) error {
	i := slices.IndexFunc(d.faults, func(f *Fault) bool { return f.matches(op, name) })
	if i < 0 {
		return nil
	}
	f := d.faults[i]
	if f.Skip > 0 {
		f.Skip--
		return nil
	}
	f.met = true
	if f.Times > 0 {
		f.Times--
		f.spent = f.Times == 0
	}
	return fail(string(op), name, f.Err)
}

func (f *Fault) matches(op Op, name string) bool {
	if f.spent || f.Op != op {
		return false
	}
	ok, _ := path.Match(f.Path, name) // the pattern was checked when it was set
	return ok || f.Path == ""
}
