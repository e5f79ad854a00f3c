package seal

import "fmt"

// Formats of a volume, one constant for each incompatible change. They are on other people's disks: a number is never
// used again, and one that was retired stays here as a blank.
const (
	// Format1 is the first: keys and sealed bytes as the package comment has them, volume.json as in header.go.
	Format1 = 1

	// FormatNewest is what new volumes get, and the newest format this version opens.
	FormatNewest = Format1
)

// knownFeatures are the feature flags this version understands. A flag is for a change that an older version must not
// meet by surprise, in a volume that uses it, while all others stay as they are. There is none yet.
var knownFeatures = map[string]bool{}

// checkFormat refuses formats this version does not know.
func checkFormat(format int) error {
	if format < Format1 || format > FormatNewest {
		return fmt.Errorf("%w: format %d, known are %d to %d", ErrVersion, format, Format1, FormatNewest)
	}
	return nil
}

// checkFeatures refuses features this version does not know.
func checkFeatures(features []string) error {
	for _, f := range features {
		if !knownFeatures[f] {
			return fmt.Errorf("%w: %.64q", ErrFeature, f)
		}
	}
	return nil
}
