package fusefs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// readAheadKiB makes sequential reads as large as a request may be; INIT can only lower the kernel's 128 KiB.
const readAheadKiB = DefaultMaxWrite >> 10

// maxDirtyPercent is our share of the dirty pages the kernel allows before it makes writers wait. FUSE mounts get 1 %, strictly, because a
// mount that stops answering would otherwise hold the machine's memory; some hundred MiB in a second's burst need more. Not all of it:
// our own writes to the log need room too.
const maxDirtyPercent = 50

// tune sets what the kernel lets only root set, and only after mounting. It returns what could not be set: the mount works without.
func tune(device string) (warnings []string) {
	dir := filepath.Join("/sys/class/bdi", device)
	for _, s := range []struct {
		file  string
		value int
	}{
		{"read_ahead_kb", readAheadKiB},
		{"strict_limit", 0},
		{"max_ratio", maxDirtyPercent},
	} {
		err := os.WriteFile(filepath.Join(dir, s.file), fmt.Append(nil, s.value), 0)
		if err != nil {
			warnings = append(warnings, fmt.Sprintf("set %s of the mount: %v", s.file, err))
		}
	}
	return warnings
}

// timeouts warns of the kernel's request timeouts: with one set, an fsync that takes longer ends the whole mount.
func timeouts(dir string) (warnings []string) {
	for _, name := range []string{"default_request_timeout", "max_request_timeout"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		value := strings.TrimSpace(string(b))
		if err != nil || value == "0" {
			continue // kernels before 6.14 have none
		}
		warnings = append(warnings, fmt.Sprintf("fs.fuse.%s is %s s: an operation that takes longer ends the mount; set it to 0", name, value))
	}
	return warnings
}
