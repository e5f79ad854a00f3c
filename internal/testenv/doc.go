// Package testenv is what tests need of the machine: loud skips where something is missing, and mounts that are served by another process than
// the one that uses them.
//
// A process that touches a mount it serves itself can wait for itself for ever, so a test binary starts itself again for that: TestMain calls
// Role first, and serves if there is one.
//
//	func TestMain(m *testing.M) {
//		if role := testenv.Role(); role != nil {
//			os.Exit(role.Run(serveMine))
//		}
//		os.Exit(m.Run())
//	}
//
// Where a skip must not happen (the build's own run), DFSMOUNT_NOSKIP=1 makes it a failure.
package testenv
