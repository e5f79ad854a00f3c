// Package secret holds key bytes in memory that stays out of swap and out of core dumps, as far as the kernel lets it.
//
// A Buffer is pages of its own outside the Go heap: the garbage collector neither moves nor copies them. They are
// locked (mlock), so they are not written to swap, and marked MADV_DONTDUMP, so a core dump of this process, by a
// crash or by gcore, does not hold them. Both are best effort: without them the Buffer still works, and Err tells what
// could not be done.
//
// What it does not do: bytes that leave a Buffer, for example into the state of a cipher, are ordinary memory.
// Hibernation writes all memory to the disk, locked or not. Whoever can ptrace the process or is root reads everything.
package secret
