// Package segment reads and writes segments: the encrypted files that hold extents and the state changes that refer
// to them, on the local disk and, byte for byte the same, on every node.
package segment
