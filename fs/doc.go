// Package fs is the filesystem: POSIX semantics as transactions over the state of a cache.Store. It knows nothing of
// FUSE.
//
// # Model
//
// One operation is one transaction. What it changes is visible when it returns, and is durable after the next Sync, or within
// the store's commit interval; a crash leaves the operations up to some moment, each whole.
//
// File bytes take another way. A write is copied into the inode's dirty data, in RAM, after room for it was claimed on the disk and
// in memory. Sealers make extents of it, and one transaction then records the extents together with the size they reach:
//
//	dirty ──launch──▶ flying (todo, sealing, sealed) ──commit──▶ extents and size in the state
//
// Chunks of a stream are launched when the stream has passed them; everything else by fsync, by age, for want of memory,
// before the file takes another's place by rename, and at Close.
//
// # Guarantees
//
//   - The size of a file and its bytes become durable together. Beyond the size that the state knows, a chunk is committed only when
//     all accepted bytes below it are: a crash never leaves the right size with zeros. (A hole is zeros of right.) A new size set by
//     truncation does not get ahead of accepted bytes either.
//   - A file that was written and then renamed over another: after a crash the name has the old content or all of the new.
//   - An error after a write was accepted is returned by every fsync of the file until the bytes are in the log. They stay readable.
//     While the disk is full they are tried again at every fsync and every DirtyAge.
//   - Bytes that are in no extent and not dirty are a hole. Bytes of an extent that the store cannot give are an error, never zeros.
//   - An inode number is never given twice.
//   - Access times are set at creation and by SetAttr only.
//   - A quota bounds the bytes that files take. It refuses (EDQUOT) before anything is accepted, never what was accepted, what lies over bytes that are
//     there, or what gives room back.
//   - POSIX ACLs are stored, follow the mode and change it, and are inherited; obeying them is the kernel's.
//
// # Key space
//
// Integers are big-endian, so what belongs together is neighbours. Every value starts with its version, 1.
//
//	key                      value
//	'I' inode(8)             inode record, below
//	'D' parent(8) cookie(8)  version(1) type bits of the mode >> 12 (1) child(8) name
//	'E' inode(8) offset(8)   version(1) length(4) segment(8) frame offset(4) frame length(4) skip(4): length bytes of the
//	                         file from offset on are those of the frame from skip on
//	'X' inode(8) hash(8)     version(1) length of name(1) name value
//	'O' inode(8)             version(1): an inode without links, or a file with extents behind its end, to be reclaimed
//	'N' 'i'                  version(1) next(8): inode numbers from next on were never given
//	'N' 'c'                  version(1) inodes(8) bytes(8): how many inodes there are, and bytes that extents map
//
// A cookie is the keyed hash of the name shifted to 63 bits, with the low 8 bits for telling names of the same hash apart; never 0,
// 1 or 2. The hash of an extended attribute is that of a zero byte and its name, with the same 8 bits.
//
//	inode record
//	offset  size  field
//	     0     1  version
//	     1     1  flags: 1 made by O_TMPFILE and never linked, 2 has security.capability,
//	           4 has an access ACL, 8 has a default ACL
//	     2     4  mode, as st_mode
//	     6     4  links
//	    10     4  uid
//	    14     4  gid
//	    18     4  device number
//	    22     4  number of extended attributes
//	    26     8  size: bytes of a file or target, entries of a directory
//	    34     8  bytes that extents map
//	    42     8  parent of a directory; 0 for all else
//	    50    12  access time: seconds since 1970, signed (8), nanoseconds (4)
//	    62    12  modification time
//	    74    12  change time
//	    86    12  birth time
//	    98     -  target of a symbolic link
//
// # Lock order
//
//	reclaimer.work
//	    inode.mu (of two, the lower number first; never inside of a transaction)
//	        cache.Store (View, Update)
//	            shard of the table
//	            inode.attr
//	        budget.mu, sealers.mu, ager.mu, reclaimer.mu, numbers.mu (leaves, each alone)
//
// No lock is held across Append, Read, Sync or a wait for memory.
//
// # Invariants
//
// Check verifies them on the state.
//
//	F1. Every key and value decodes.
//	F2. Every entry is in a directory and names an inode of its kind; every directory but the root has one name, in the
//	    directory its record names, and the root is above it.
//	F3. The link count of an inode is the number of its names, that of a directory 2 and its subdirectories. An inode without names
//	    is an orphan.
//	F4. Entries and extended attributes are where the hash of their name says.
//	F5. Extents belong to files, do not overlap, and end at or below the size; behind it only while the file is to be reclaimed.
//	F6. Extended attributes belong to inodes, whose flags tell of those that change how an inode behaves.
//	F7. Counts are right: entries, mapped bytes and attributes in the records, inodes and bytes in the counters.
//	F8. Every inode number is below the next one to be given.
package fs
