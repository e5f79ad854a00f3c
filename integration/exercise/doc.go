// Package exercise does random work on real mounts of the real program and the same work on a plain directory, and compares. Its tests are all there is
// in it.
//
// TestData works on files: reads, writes, truncates, maps, punches, zeroes, allocates, copies ranges, replaces, syncs, closes and opens again, as
// fsx of the xfstests does. TestTree works on names: several processes, some without rights, create, link, rename and remove, change modes, owners,
// times, attributes and ACLs, as fsstress does; every answer has to be that of the plain directory, and so the whole tree.
//
// In between the volume is unmounted and mounted again, or its process is killed while nobody works and everything was synced, or the index is
// removed after that: whatever happens, both sides stay equal. At the end of an episode a clone made from a node is compared too.
//
// The work follows from a seed, which is printed. What was done, an operation a line, is in bin/exercise as long as a test runs, and stays if it
// fails.
//
//	go test ./integration/exercise -run TestData/writeback -seed 4711      one episode again
//	make soak DURATION=8h                                                  one episode after the other
//	make soak DURATION=8h ARGS='-run TestTree'
package exercise
