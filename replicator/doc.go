// Package replicator puts sealed segments on nodes, records what they acknowledged, fetches what is not here, and
// recovers a volume from nodes alone.
package replicator
