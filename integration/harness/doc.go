// Package harness runs dfsmount as people do, as processes of their own, for the tests of package integration: it builds the
// program once, makes volumes, starts and kills nodes and mounts by their process id, and leaves nothing behind: no process, no mount, no
// file, however a test ends.
//
// The program under test is $DFSMOUNT_BIN, or else built from this checkout into bin/test.
package harness
