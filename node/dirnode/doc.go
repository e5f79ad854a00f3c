// Package dirnode is a node in a directory: a USB disk, a network filesystem, the disk of a node server.
//
// # Layout, format 1
//
//	DIR/dfsmount-node            the marker: says that DIR is a node, of which format, and which one
//	DIR/<volume id>/<name>       the objects, each a plain file with exactly its bytes, mode 0600
//	DIR/.node/tmp/<random>       bodies on their way in
//	DIR/.node/…                  the rest of .node belongs to package httpnode (certificate, token)
//
// The marker is text, two lines: "dfsmount-node 1" and "id " with 32 hex digits, random. Any other first line is refused. No
// volume id and no name can say dfsmount-node or .node where they stand, so an object cannot reach either.
//
// Directories of a volume stay when their last object goes. An empty volume is not told by Volumes.
//
// # A disk that is not there
//
// Nothing is kept open between operations, so that a disk can be unmounted and pulled while a replicator waits for work. Every
// operation opens DIR anew and looks at the marker first. If it is missing, which is how a mount point without its disk looks,
// the operation fails with a sentence (transient: the disk may come back) and nothing is made. Only Options.Create makes a node.
//
// # Order of a Put
//
//  1. an object of that name, if there is one, is read and hashed; other bytes: ErrExists (its own doc below)
//  2. body → DIR/.node/tmp/<random>, hashed on its way, its size and sum verified, fdatasync
//  3. missing directories of the name are made
//  4. link(2) of the temporary file to the name, which fails if the name is taken (then step 1 decides)
//  5. fsync of every directory from the object's up to DIR
//  6. the temporary name goes; nil is returned
//
// A crash after 1–3 leaves a temporary file; after 4, the whole object, perhaps not yet durable; after 5, the durable object. A
// second Put finds it, syncs file and directories (for the first one may not have come to that) and returns nil. All directories
// up to DIR are synced each time, also those that were there: whoever made them may have died before syncing.
//
// Temporary files left behind are removed by a Put of any process an hour after the last write to them. Should one be of a
// writer that is still alive (clocks of a network filesystem differ), its step 4 finds no file and its Put fails, to be tried again.
//
// If link(2) is not supported (FAT, exFAT, some FUSE and SMB mounts) renameat2(2) with RENAME_NOREPLACE takes its place. Where both
// are missing Put fails with ErrPermanent: there is no other way to never replace an object.
//
// On NFS an fsync is a COMMIT and names are synchronous on the server; what survives its power loss is up to its export options
// (never "async"). A link whose answer was lost looks like a taken name, and step 1 sorts it out.
//
// # Which bytes an object has
//
// No sum is stored beside an object: it would tell what was put, not what is there. Put compares with, and Stat tells, the
// SHA-256 of the bytes read at that moment. Stat asks the kernel to forget cached pages first, so that it is the disk that
// is asked where that is possible. An object that was torn or rotted therefore answers ErrExists to the Put that would mend it:
// who mends must Delete first, knowing that another good copy exists.
//
// # Invariants
//
// D1. A name under a volume is a whole object whose bytes matched the sum of its Put, at any instant, whatever dies when.
//
// D2. When Put has returned nil, the bytes, the name and every directory above it are on stable storage.
//
// D3. Nothing outside of DIR, and in an operation on one volume nothing of another, is read or written, whatever symlinks say.
//
// D4. Without its marker a directory is not touched.
//
// # Locks
//
// None. Processes and goroutines meet in the filesystem: O_EXCL, link(2), rename.
package dirnode
