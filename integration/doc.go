// Package integration tests dfsmount from outside: real mounts, real node processes, real kills. It needs /dev/fuse, and fusermount3 for a plain
// user; without them its tests skip themselves, aloud, and with DFSMOUNT_NOSKIP=1 (make test) they fail instead.
//
// A mount is always served by another process than the one that uses it: a process that touches its own mount waits for itself. Package
// harness starts and kills those processes, by process id, and leaves none behind.
//
// apps_*_test.go run real applications on a mount; scripts/deps apps installs them. Package exercise, below, does random work.
//
//	go test ./integration -run TestCrash -v          one test
//	DFSMOUNT_CRASH_ROUNDS=200 make crash             crash tests at length
//	DFSMOUNT_BIN=/path/to/dfsmount go test …         test that program, not one built from here
package integration
