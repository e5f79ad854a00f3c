// Package cache is the local encrypted store of a volume: the state as an ordered map with transactions, and the log
// that makes it durable.
package cache
