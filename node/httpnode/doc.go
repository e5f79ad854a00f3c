// Package httpnode is a node on another machine: a server that keeps objects in a node.Host (in practice a directory, package
// dirnode), and a client that is a node.Host.
//
// # Who trusts whom
//
// The server makes a key and a certificate for itself at its first start, and a token. Both are in the one line it prints:
//
//	https://TOKEN@host:port/#PIN
//
// PIN is the SHA-256 of the certificate's SubjectPublicKeyInfo. The client accepts that key and no other; no certificate
// authority, name or expiry is looked at, so the certificate can be renewed under the same key. TOKEN is 32 random bytes; who has it may do
// everything the protocol can. PIN and TOKEN are base64url without padding, 43 characters each. Only TLS 1.3 is spoken, by
// both sides, so the token is seen by nobody but the holder of the pinned key.
//
// The client follows no redirects and uses no proxy, whatever the environment says: a node is addressed directly, and a proxy
// would have to be trusted with when and how much. It never writes the token into an error, a log or String.
//
// # Protocol, version 1
//
// HTTP/1.1 over TLS 1.3. HTTP/2 is not offered: a transfer has a connection of its own, so one that stalls holds up no other, and
// deadlines on connections mean what they say. Every request carries "Authorization: Bearer TOKEN". VOL is 32 lower-case hex digits,
// NAME an object name (node.ValidName). Paths hold no '%' and only the parameters shown; anything else is refused.
//
//	GET    /v1/ping                        200 {"service":"dfsmount-node","protocol":1}
//	GET    /v1/volumes                     200 {"volumes":["VOL",…]}, ascending
//	PUT    /v1/volumes/VOL/objects/NAME    201: the object is there, with exactly these bytes, and survives a loss of power
//	GET    /v1/volumes/VOL/objects/NAME    200, or 206 with Content-Range for one "Range: bytes=A-B" or "bytes=A-"
//	HEAD   /v1/volumes/VOL/objects/NAME    200 with Content-Length and Repr-Digest; the server reads the object to answer
//	DELETE /v1/volumes/VOL/objects/NAME    204, also if it was not there; the removal survives a loss of power
//	GET    /v1/volumes/VOL/objects?prefix=P&after=A&limit=N
//	                                       200 {"objects":[{"name":"…","size":N},…],"more":B}, ascending by bytes;
//	                                       "more" says that a request with after=the last name may have further ones
//
// A PUT needs Content-Length, "If-None-Match: *" and "Repr-Digest: sha-256=:BASE64:" (RFC 9530) of the body. It may ask
// "Expect: 100-continue"; then no byte is sent for an object that is there already. GET tells no digest: readers authenticate.
//
// Answers that are no success have one line of text that says why:
//
//	400  not a request of this protocol           node.ErrPermanent
//	401  token missing or wrong                   node.ErrPermanent
//	404  no such object                           node.ErrNotExist
//	409  refused for good by the host             node.ErrPermanent
//	411  no Content-Length                        node.ErrPermanent
//	412  an object with other bytes has the name  node.ErrExists
//	413  larger than the server accepts           node.ErrPermanent
//	416  the range begins at or after the end     (an empty read)
//	422  the body does not match its digest       node.ErrChecksum
//	429, 503 with Retry-After                     transient, node.RetryAfter
//	507  no room                                  node.ErrFull
//	anything else                                 400 to 499, but 408 and 425: node.ErrPermanent; else transient
//
// # Time
//
// Transfers have no limit as a whole, only parts that must progress. Client: connecting 10 s, TLS 10 s, 30 s without a byte of a body
// in either direction, 30 s for an answer once the request is sent. Server: header 10 s, 30 s without a byte, idle connection 2 min.
//
// # Files of the server
//
// LoadIdentity keeps them in a directory (DIR/.node of a directory node, which no object name reaches), mode 0600, each made whole and
// durable before it is used:
//
//	identity.pem   the private key (PKCS #8) and the certificate
//	token          TOKEN and a newline
//
// The token is kept as it is, not hashed: who reads this directory has the objects and the private key beside it anyway, and so the line to
// paste can be printed at every start.
//
// # Invariants
//
// H1. Nothing is read from or written to the host before the token was verified, in constant time.
//
// H2. 201 is sent only after the host's Put returned nil.
//
// H3. The token is in no log line, error or String of client and server.
//
// H4. A Put of the client reads its body never after it returned, and never past size bytes.
//
// H5. A body of the client ends without error only after exactly the bytes the range has.
package httpnode
