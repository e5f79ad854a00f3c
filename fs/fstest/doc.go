// Package fstest is the functional suite of the filesystem: one table of cases, each a small function over a Target.
//
// The same cases run in-process on an fs.FS, through a real mount, and on a plain directory of the kernel. The third run
// proves the suite right: where a kernel filesystem fails a case, the case is wrong.
//
// A case names the area of pjdfstest or the group of xfstests that asks the same question; the code is written fresh. A
// case that the target cannot answer is skipped, with the reason; only a plain directory may lack a feature.
package fstest
