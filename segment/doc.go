// Package segment reads and writes segments: the encrypted files that hold extents and the state changes that refer
// to them, on the local disk and, byte for byte the same, on every node.
//
// A segment is written once, front to back. While it is open it holds frames and grows ([NewWriter], [Writer]); then it is
// sealed by a footer and never changes again ([Writer.Seal]). Nodes hold sealed segments only. Anyone can check a sealed
// segment for decay without a key ([Verify]); a holder of the keys reads only what was written, where it was written
// ([Reader]). After a crash the open segment is cut at its last authentic commit and sealed ([Recover], [Resume]).
//
// # Format, version 1
//
// All numbers are big-endian. uvarint is that of encoding/binary, written the shortest way; varint is its zigzag form.
// Everything marked zero is room for flags: a reader that finds something else there refuses, as it does for a version,
// suite or kind it does not know (ErrUnknown), because it cannot know what it would ignore.
//
//	segment = header  frame …  footer frame  trailer
//
// The header, 192 bytes:
//
//	offset  size  field
//	     0     6  "DFSSEG"
//	     6     2  version, 1
//	     8    16  volume id
//	    24     8  number, 1 …
//	    32     8  epoch, below 2^32
//	    40    16  salt, random; its first 4 bytes are the tag of the segment's frames
//	    56     1  suite: 0 AES-256-GCM, 1 ChaCha20-Poly1305
//	    57     3  zero
//	    60     4  end of the frames of the segment before when this one was started
//	    64     8  number of the first commit this segment may hold, 1 …
//	    72    16  commitment to the segment's key
//	    88    64  SHA-256 of bytes 0 to 88, sealed as kind 0, offset 0, length 32
//	   152    36  zero
//	   188     4  CRC-32C of bytes 0 to 188
//
// A frame, and the next one right behind it:
//
//	offset  size  field
//	     0     4  tag
//	     4     1  kind: 1 extent, 2 commit, 3 page, 4 manifest, 5 footer; retired: none
//	     5     3  zero
//	     8     4  n, length of the plaintext, 1 … 2^28
//	    12     4  CRC-32C of bytes 0 to 12 and of everything from 16 on
//	    16     …  the sealed plaintext (package seal): n + 32·⌈n/65536⌉ bytes, the key bound to kind, offset and length
//
// The offset of a frame, in keys and in a [Location], is that of its tag.
//
// The trailer, 24 bytes, ends the file:
//
//	offset  size  field
//	     0     6  "DFSEND"
//	     6     2  version, 1
//	     8     4  offset of the footer frame
//	    12     4  size of the footer frame
//	    16     4  tag
//	    20     4  CRC-32C of bytes 0 to 20
//
// The plaintext of commits and footers starts with a flag: 0, the body follows; 1, a uvarint (the length of the body, at most
// 2^28 and at most 1024 times what is here) and the body as one zstd frame follow. Only footers from 4 KiB on are compressed, if it
// saves a twentieth: commits stand between a caller and his fsync. The body of a commit:
//
//	uvarint  number
//	varint   time, in seconds since 1970
//	uvarint  nanoseconds of the time
//	uvarint  durable offset: everything before it was known to be synced when the commit was written
//	changes
//
// The body of a footer:
//
//	uvarint  number of the first commit in the segment, 0 if there is none
//	uvarint  number of the last commit in it or before it
//	32       SHA-256 over footer frame and trailer of the segment before; zero for the first
//	uvarint  epoch of the segment before
//	uvarint  segment, uvarint offset, uvarint length of the newest manifest; zero if there is none
//	varint   time of sealing, in seconds since 1970
//	uvarint  nanoseconds of the time
//	uvarint  number of frames; of each, 1 byte kind and a uvarint length of its plaintext: offsets follow
//	changes  of all commits merged, one for each key, in order
//
// Changes:
//
//	uvarint  number of changes; of each:
//	  uvarint  number of bytes its key shares with the key before: as many as there are
//	  uvarint  number of bytes that follow, and those; a key has 1 to 4096 bytes
//	  uvarint  0: the key is deleted; else the length of the value plus 1, and the value
//
// Decoding is strict: bytes that decode (and are not compressed) are those that encoding the result gives. What decoding allocates
// is bounded by the bytes that are there, times a constant.
//
// # What is checked with what
//
// Checksums need no key. They tell a torn write from a whole one, and find decay on nodes. They prove nothing
// against someone who writes.
//
// The key of a frame is derived from the volume's, the segment's number, epoch, salt and suite, and the frame's kind, offset
// and length. A frame that was altered, moved or taken from another segment does not open. The header is
// authenticated by the hash sealed in it, and by the commitment: AES-GCM and ChaCha20-Poly1305 alone would let one who knows two keys
// make a frame that opens under both. The footer is a frame; the trailer only points to it. A whole segment put in the
// place of another epoch's is refused by its epoch; an older one of the same epoch does not exist, since sealing happens once, and the
// chain of footer hashes pins which segment came before.
//
// One place may be sealed twice: the footer's, when a crash came before the first was durable. The first was never
// published then, both say the same of the frames before them, and random nonces keep the two streams apart.
//
// # Invariants
//
// S1. The header is durable before any frame is written. So a bad header with nothing behind it was never acknowledged
// (ErrEmpty), and a bad header with anything behind it is damage.
//
// S2. Frames follow each other without gaps, and the commits in a segment are numbered from the header's number on
// without gaps.
//
// S3. A commit's durable offset was synced before the commit was written, and a footer is written after all frames were synced.
// So what an authentic commit or footer says to be durable, and is not there, is damage and no torn write.
//
// S4. A segment is sealed once its footer was read back from the file.
//
// S5. After a write or sync that failed, the writer acknowledges nothing ever again. Recovery writes again what
// is not known to be durable before it seals, since the page cache may show what the disk does not have.
//
// S6. The last commit that Recover returns, and all before it, are authentic; every commit that Writer.Sync acknowledged is
// among them, unless the error says damage.
//
// # Locks
//
//	Writer.syncing         Sync, Seal; held during the disk's sync
//	  Writer.committing    AppendCommit, Seal; held while a commit is written
//	    Writer.mu          where the next frame goes; no I/O
//
// Readers take none of them.
package segment
