// Package nodetest holds whoever claims to be a node to the contract of package node, and has the doubles that tests of
// others use: Memory, a host in RAM, and Faulty, a wrapper that fails as networks and disks do.
//
// # Lock order
//
//	Memory.mu   guards the map of objects; nothing is called while it is held
//	Faulty.mu   guards the faults; nothing is called while it is held
package nodetest
