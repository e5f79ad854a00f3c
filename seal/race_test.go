//go:build race

package seal

// The race detector makes sync.Pool drop items at random: allocations cannot be counted then.
const raceEnabled = true
