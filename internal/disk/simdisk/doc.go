// Package simdisk is a disk in memory that forgets, for tests: whatever was not made durable before a crash may be
// kept, lost or torn, by a choice that follows from a seed.
//
// # Model
//
// A file has durable bytes and a list of unsynced changes (writes, allocations, truncations). Datasync applies the
// list. A directory tree has durable names and a list of unsynced changes of names; SyncDir applies those that touch
// the directory. Reads see everything. [Disk.Crash] makes a new Disk: each unsynced change is kept or lost on its
// own, in the order they were made, and a write may be torn at the sectors of 512 bytes it covers. A rename happens
// whole or not at all. A directory whose name is lost takes what is in it along.
//
// This is harsher than any one real filesystem (ext4 would keep names in order), which is what a test wants.
//
// After a Datasync that failed, each pending change has reached the disk or never will, and the next Datasync reports
// success all the same: so Linux does it, and who retries loses data here as there.
//
// # Faults
//
// [Disk.StopAt] stops the disk at the k-th mutating operation: it and everything after it fails with [ErrStopped],
// until the crash. The operation itself counts as begun: a write may be there after the crash, or part of it.
// [Disk.Fail] makes chosen operations on chosen paths fail; [Disk.Unmet] tells of faults that never came to be.
// [Disk.SetCapacity] makes the disk fill up; [Disk.FlipBit] damages what is on it.
//
// Everything is deterministic as long as the operations come in the same order.
package simdisk
