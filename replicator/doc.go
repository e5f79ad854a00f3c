// Package replicator puts sealed segments on nodes, records what they acknowledged, fetches what is not here, and
// recovers a volume from nodes alone.
//
// Each node has one worker with a place of its own in the log: the oldest sealed segment that this node has not
// acknowledged. Nodes wait for each other in nothing. A node that was away for two days goes on where it was, oldest
// first, and a restart knows from the index what is missing where.
//
// # From sealed to safe
//
// A segment has one state per node, and is safe once copies nodes are in the last one:
//
//	                 ┌──────────── any other error: the node rests (backoff, Retry-After), the segment waits ◄─┐
//	                 ▼                                                                                         │
//	sealed ──► waiting ──► verified ──► under way ──► stored ──► unfenced ──► acknowledged (durable record) ──► safe
//	            ▲    │     checksums,     Put           Put        no higher      │      copies nodes
//	            │    │     SHA-256                    said nil     epoch there    │
//	            │    └─► put aside: other bytes under the name, or no copy to send; visible; tried again every 5 minutes
//	            └────── gone, of another size, or bad when read: the acknowledgement is taken back ◄──────────────┘
//
// A crash in any state but the last goes back to waiting. A Put of what is there already is no error, so nothing else is needed.
//
// The bytes of a segment come from its local file, which is verified before they leave. If that is missing because it
// was evicted (or never here, after a clone), or damaged, they come from another node. Damage here is a fault of its own
// in the status, whatever other nodes have.
//
// # Objects on a node
//
//	epoch/%08x          who writes this epoch: JSON of version, epoch, claim (random), host, time. In the clear
//	header/%016x        volume.json; the number is its generation
//	segment/%016x-%08x  a sealed segment, byte for byte: number, epoch (package segment)
//
// All are created if absent and never replaced. A worker makes them in this order: claim, header, segments.
//
// # One writer
//
// A clone claims the highest epoch it saw plus one, on every node it reaches, and lists segments after that. A worker
// looks for higher epochs when contact begins, once a minute while it has nothing to do, when its Put meets another
// object, and between each Put and the record of it. A higher epoch, or its own under another claim, fences this writer
// for good: nothing more is uploaded or acknowledged, Sync fails, status says who. What it had not replicated stays in
// its state directory. A node that lies can fence a writer; it cannot make two writers agree.
//
// # Invariants
//
// R1. A segment that is not acknowledged by a node stays in that node's queue, for ever: no error, no time and no restart takes it out.
//
// R2. An acknowledgement is recorded only after that node's Put of exactly those bytes returned nil (or, by a clone, for
// an object the node lists in its full size), durably, before anything counts it.
//
// R3. What is sent was verified since the replicator was made, and carries the checksum of what was verified.
//
// R4. What this writer records as acknowledged was on the node before any higher epoch was claimed there: whoever claims
// an epoch and lists segments afterwards sees it.
//
// R5. Nodes are sent their oldest missing segment first; no more than Options.Uploads overtake each other.
//
// R6. A copy that turned out missing, short or altered does not count until the node took the segment anew, or was read
// back and compared.
//
// R7. Sync returns nil only if every transaction completed before the call is in segments that are acknowledged by as
// many nodes as were asked for.
//
// R8. Bytes of a node are used only if the caller's accept authenticated them; then they are what was sealed, in the
// place it was sealed for, or the next node is asked.
//
// R9. A clone's head is the newest, by epoch and then by number, whose chain of footers is authentic back to its
// checkpoint, among all that the nodes which answer list. A newer, authentic segment is never passed over unless the
// caller accepts it.
//
// # Locks
//
//	worker.openMu       while a node is opened
//	worker.ackMu        over a change of acknowledgements: index, then RAM
//	  Replicator.mu     everything in RAM; no I/O, no call out of the package but the log
//	digests.mu, sealGroup.mu, place.mu   leaves; nothing is called under them
package replicator
