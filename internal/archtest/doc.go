// Package archtest holds the architecture of dfsmount by tests: which package may import which, that each has its
// chapter of documentation, that the invariants numbered there are checked somewhere, and that test vectors are run.
//
// The tables of imports are in imports_test.go. A package the tables do not know fails the test: a new package
// decides where it stands.
package archtest
