// Package cache is the local encrypted store of a volume: an ordered key-value state with transactions, and the log of
// segments that makes it durable and carries it, with file data, to nodes.
//
// # Model
//
// The log is the truth. A transaction ([Store.Update]) changes the state in RAM and waits for a commit; a commit is one frame in
// the open segment and one fdatasync, for everyone who waits. File data goes into the log as extents ([Store.Append]) before the
// transaction that refers to it. A segment that is full, or a second old, is sealed: then package replicator sees it.
// The index is a cache of the log: the state up to some commit, in pages, so that mounting replays little. It can be
// deleted.
//
//	Update ──► overlay ──► (frozen) ──► pages in index.db ──► checkpoint frames in the log
//	   └─────► pending ──► commit in the open segment
//	Append ───────────────► extent in the open segment ──► N.seg ──► nodes
//
// # State directory
//
//	volume.json            keys (package seal)
//	lock                   flock(2); names the holder
//	index.db               bbolt
//	segments/N.open        open, or waiting for its footer, or allocated for the next segment; N as 16 hex digits
//	segments/N.seg         sealed, never changed
//	segments/reserve       allocated, empty: the next segment for commits when the disk gives no other
//
// # Guarantees
//
// Update is atomic and isolated; transactions are in commits in the order they completed. When [Store.Sync] returns nil, every Update that
// returned before it was called survives a power cut, with the extents it refers to. Without Sync that is so after
// CommitInterval. After a crash the state is that after some prefix of the transactions. A Read returns the bytes that were appended
// or an error, from here or from a node. An error of an fdatasync is final ([ErrFailed]): the store takes no more changes, since the
// kernel forgets what it could not write. [ErrFull] is not: nothing was accepted, and nothing is lost.
//
// Not promised: Update does not wait for the disk, except when a commit or a flush must catch up; a View holds up Updates.
//
// # Order of a commit, and what a crash leaves
//
//  1. pending changes taken, the overlay frozen if it is to be flushed    nothing of them
//  2. commit frame appended                   nothing, or all of them if the frame and all before it happen to be on disk
//  3. segments closed before it synced        the same
//  4. its segment synced                      all of them
//  5. waiters answered                        all of them
//
// One caller does the work for all who wait (see committer); there is no goroutine between a caller and the disk. A commit that
// finds no room leaves nothing in the log, and its changes pend again.
//
// # Order of a roll
//
// The next segment's file exists, allocated, its name durable, before it is needed. When a frame does not fit, the segment is closed; the
// next one's header, durable before anything follows it, says where the frames of the closed one end (PrevLength) and which commit
// comes first. The sealer then writes footer after footer, in order, each with the hash of the one before: see sealOne. A commit in
// segment N+1 is acknowledged only after N was synced up to its end.
//
// # Room
//
// Every frame pays in advance, from bytes that are allocated, for itself and for its part of the footer. So a full disk shows when a
// segment is wanted, never in the middle of one. If the disk gives none, transactions that grow and extents are refused, and
// those that shrink go on in the reserve, which is refilled before anything else when there is room again.
//
// # Recovery
//
//  1. Lock. 2. Root, directory and segment table of the index: the state as of commit P. If they are missing, damaged, or do
//     not fit together: a new index, from the newest manifest that a footer names, else empty.
//  3. Segments that were open are cut at their last authentic commit, or, if an acknowledged commit may be in a later one, where that one says
//     they ended, and sealed; what is behind is removed: see mendTail.
//  4. The footers from P on, each checked to follow the one before, are applied to the overlay, which is flushed when it is large.
//
// Nothing is appended to a segment that was open at a crash. A sealed segment that is damaged is fetched from a node, or opening
// fails; it is never skipped. A clone ([CreateFromNodes]) does 2 and 4 by ranged reads from nodes.
//
// # Index
//
// bbolt holds four buckets. Every value is sealed by seal.IndexKey for its place: bucket, zero byte, key.
//
//	pages  8-byte page id                    encodePage
//	dir    8-byte page id                    appendRecord: entries, size, checkpoint frame, first key
//	meta   "root"                            16-byte salt in the clear, then the root as JSON
//	local  "s" and 8-byte chunk              segmentTable.save: size, epoch, time of 512 segments
//	       "a" and 8-byte node id            IntervalSet.append: acknowledged segments
//
// A stolen disk shows from it: how many pages there are, how large they are and which were written together, how many nodes and
// segments there are. It shows no key of the state, no order of pages, no name, no inode. Free pages of the file hold
// older sealed values.
//
// Page ids are never used twice under one salt, and the root holds a keyed multiset hash of all directory records: an old
// page or record put back is found. An old index as a whole is an index at an older P, and replay makes it current.
//
// A flush makes the log durable first (the overlay is frozen where a commit ends), merges it into copies of the pages it touches,
// and replaces pages, records and root in one bbolt transaction. Replaced pages are deleted by the next flush. While the index
// cannot be written the overlay keeps growing, up to four times its size: [Store.IndexErr].
//
// # Checkpoints
//
// When the changes since the last one exceed a share of the state, the pages no checkpoint has written are appended to the log as frames of KindPage,
// then parts that list all pages (KindPage too), then the manifest (KindManifest): see manifest and pack for the bytes, and
// writeCheckpoint for the order.
//
// # Keys of the state
//
//	0x01 'e' epoch      where an epoch begins: number of its first segment, both 8 bytes, big endian
//	0x01 'c'            location of the newest manifest
//	'V' …               settings of the volume (package replicator)
//	other capitals      package fs
//
// The first byte 0x01 is this package's; 0x00 and 0xff are nobody's. A key has 1 to 4096 bytes, a value at least one.
//
// # Lock order
//
//	maintenance.work        one flush or checkpoint at a time
//	  committer.mu          not held while a round runs
//	    Store.mu            the state; no write to a disk
//	      log.mu            which segment is open; for reading while a frame is written
//	        preparer.mu     files for segments; the disk is waited for under it
//	  acks.mu               the index is written under it
//	  space.mu              the disk is asked under it; takes log.mu
//	  maintenance.mu        takes Store.mu
//	pageCache.mu, extentCache.mu, handles.mu, segmentTable.mu, epochs.mu, remotes.mu, chainMu: last, nothing under them
//
// A round of the committer takes Store.mu and log.mu one after the other, never both. bbolt's own lock is taken with no other held but
// work, acks.mu and, for reading, Store.mu.
//
// # Invariants
//
// L1. The directory lists every page once, in the order of keys, without overlap, and each page is what its record says.
// L2. The index is never ahead of what is durable in the log.
// L3. A frame is acknowledged only if every frame before it, in its segment and those before, is durable.
// L4. Sealed segments follow each other without a gap, each naming the hash of the one before.
// L5. Only sealed segments are acknowledged by nodes.
// L6. The newest checkpoint and the footers behind it make the state.
// L7. A segment that was open at a crash is never appended to.
//
// [Store.Check] verifies L1, L4, L5 and L6; the tests that crash at every write hold L2, L3 and L7.
package cache
