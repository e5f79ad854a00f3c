// Package seal holds the keys of a volume and is the only code that encrypts or decrypts.
//
// It gives three things: bytes that only a holder of the volume key can read or make (frames of segments, values of
// an index), bound to the place they are kept in; keyed hashes of names; and volume.json, which keeps the volume key
// itself wrapped in key slots. Everything sealed may lie on nodes and disks that are not trusted.
//
// # Keys
//
//	passphrase ── age, scrypt ───┐
//	recovery key ── age, X25519 ─┴─► volume key                           32 random bytes, never written in the clear
//	  HKDF-SHA-256(volume key, salt = volume id, info = label)
//	  ├─ "dfsmount v1 log" ─► log key
//	  │    HKDF-SHA-256(log key, salt = segment salt, info = "dfsmount v1 segment" ‖ BE64 number ‖ BE64 epoch ‖ suite)
//	  │    └─► segment key
//	  │         ├─ HKDF-Expand(segment key, "dfsmount v1 frame" ‖ kind ‖ BE64 offset ‖ BE32 length) ─► frame key
//	  │         └─ HKDF-Expand(segment key, "dfsmount v1 commitment"), 16 bytes ─► commitment
//	  ├─ "dfsmount v1 index" ─► index root
//	  │    └─ HKDF-SHA-256(index root, salt = index salt, info = "dfsmount v1 values") ─► index key
//	  ├─ "dfsmount v1 names" ─► name key:    HMAC-SHA-256(name key, BE64 parent ‖ name), 8 bytes
//	  └─ "dfsmount v1 header" ─► header key: HMAC-SHA-256(header key, volume.json with an empty MAC)
//
// All keys have 32 bytes; kind and suite are one byte; BE64 and BE32 are big-endian. Every input of a derivation is of
// fixed length or last, so no two inputs run together. HKDF-Expand of up to 32 bytes is HMAC-SHA-256(key, info ‖
// 0x01), which is how it is computed: with a keyed HMAC from a pool, in 0.2 µs and without garbage.
//
// The volume key, log key, index root and header key are in locked memory (internal/secret). The others, and copies made while
// deriving, live in the Go heap as state of HMACs and ciphers, where nothing can be locked in part: on a machine that swaps, the
// keys of an index and of segments in use may reach the swap device. Encrypt swap, or run without. The volume key does
// not stay in memory at all if the caller wipes it after Derive.
//
// # Frames
//
// A frame is one DARE 2.0 stream (github.com/minio/sio) under a key of its own:
//
//	stream  = package … package        each but the last holds exactly 65536 bytes of plaintext
//	package = header ‖ ciphertext ‖ tag
//
//	offset  size  field
//	     0     1  0x20, the version of DARE
//	     1     1  suite: 0 AES-256-GCM, 1 ChaCha20-Poly1305
//	     2     2  little-endian length of the plaintext - 1
//	     4    12  random value of the stream; the top bit of the first byte is the final flag, set in the last package
//	    16     n  ciphertext
//	  16+n    16  tag
//
//	nonce = bytes 4 to 16 of the header, the last four XORed with the little-endian number of the package (0, 1, 2 …)
//	associated data = bytes 0 to 4 of the header
//
// What a tag binds: by the key, the volume, the segment's number, epoch, salt and suite, the frame's kind, its offset and the
// length of its plaintext; by nonce and associated data, the number of the package, whether it is the last, and its
// length. So a frame opens in one place of the world, and a package in one place of its frame. Nothing that is cut,
// moved, repeated or put together from two others opens. DARE by itself binds a stream to no place; hence the key for each.
//
// An empty plaintext would be an empty stream without any tag: there are no empty frames.
//
// # Values of an index
//
// XChaCha20-Poly1305 under the index key, see IndexKey. A tag binds the volume, the salt of the index, and the place the value
// is stored under. It does not bind time: an index file put back as it was last week is authentic, whole or value by value.
// The log is the truth, and the index says by a sealed value up to which commit it goes.
//
// # Nonces
//
// The rule: no two messages are ever sealed under one key and one nonce.
//
// Frames. A frame key is made for one place of one segment, and a segment writes a place once; a segment that was open at a crash
// is never appended to. So a frame key seals one stream, whose packages have distinct numbers in their nonces, and the
// rule holds whatever the random value is. Two frame keys are equal only if 256-bit outputs of HMAC collide, or two segments of
// one number and epoch draw the same 128-bit salt: for the latter there must be two of them, which takes
// a broken lock or a copied state directory, and then it is 2^-128 for each pair. Should a caller break its promise and seal n
// streams under one frame key, the random value still keeps them apart, its low 32 bits lost to the package number: 63
// bits, a chance of n²/2^64; confidentiality would hold, but a node could exchange the packages of these streams.
// AES-GCM's bounds are far: one key seals up to 2^15 packages of 2^12 blocks.
//
// Index values. One key seals all values an index ever has, under random nonces of 192 bits. After n values the chance that any
// two nonces were equal is below n²/2^193. A million values a second for a thousand years are 2^55: 2^-83.
// 2^80 values would still stay under 2^-32, the usual bound. A counter would have to survive every crash, and AES-GCM's 96
// bits would have to be watched: 2^32 values are some weeks of a busy volume.
//
// Slots. Every age file has a file key of its own.
//
// # Not committing
//
// AES-GCM and Poly1305 do not commit to a key: whoever knows two keys can make bytes that open under both, to different
// plaintexts. The commitment in the header of each segment closes that for segments: the reader compares it with that of the key it
// derived, and to have two keys with one commitment takes 2^64 evaluations of HKDF for keys made on purpose, by
// someone who then holds both. Index values are local and read under one key only. In volume.json the MAC commits to the
// volume key: HMAC-SHA-256 with 32 bytes of output. So a slot made by an outsider who knows a recipient, and
// holding another key, is found out (ErrHeaderMAC).
//
// # volume.json
//
// The header names format, volume, features and suite, and holds the key slots: headerJSON has the exact text. It is MACed, so nodes
// cannot alter it, take slots away, or talk us into another suite or format. They can show an old one: compare Generation. A slot
// that was removed still opens the old header wherever a copy is left, and the volume key is the same: after a passphrase leaked,
// only a new volume key helps.
//
// ParseHeader expects any bytes at all. It refuses unknown formats, features, kinds of slots and fields, and any text that it
// would not itself have written. Before the MAC can be checked, age has to open slots: their number, size and work factor are
// bounded.
//
// # What is not hidden
//
// Sizes: a frame is as long as its plaintext, plus 32 bytes for every 64 KiB begun; a value 40 bytes longer than its plaintext.
// That a name hash comes again shows that a name in a directory came again, to someone who sees unsealed hashes. In volume.json:
// everything but the volume key, thus also how many passphrases there are, their slots' names, and when they were made.
//
// Against an attacker who is root here while the volume is mounted nothing helps.
//
// # Invariants
//
// K1. Nothing is returned from a failed Open, OpenRange or OpenValue, and no plaintext is left in the caller's memory.
//
// K2. A frame or value opens only in the place it was sealed for.
//
// K3. No key and nonce are used together twice.
//
// K4. A header that Unlock or Verify accepted is, bit for bit, one that a holder of the volume key signed.
//
// K5. Bytes from outside never cause a panic, or a cost beyond the bounds stated.
//
// K6. Key bytes appear in no error, no log line (fmt prints "secret" for all types that hold them), and no core dump after Harden.
package seal
