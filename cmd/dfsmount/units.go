package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// bytesText writes a number of bytes as people read it, in powers of 1024.
func bytesText(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, exp := float64(n)/unit, 0
	for value >= unit && exp < 5 {
		value /= unit
		exp++
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTPE"[exp])
}

// parseBytes reads a number of bytes as people write it: 4096, 500G, 1.5T, 20 GiB. Units are powers of 1024.
func parseBytes(text string) (int64, error) {
	number := strings.TrimRight(text, "iBKMGTPE ")
	unit := strings.TrimSuffix(strings.TrimSpace(text[len(number):]), "iB")
	exp := 0
	if unit != "" && unit != "B" {
		exp = strings.Index("KMGTPE", unit) + 1
		if exp == 0 || len(unit) > 1 {
			return 0, fmt.Errorf("%q is no unit of bytes: there are K, M, G, T, P, E", unit)
		}
	}
	value, err := strconv.ParseFloat(number, 64)
	bytes := value * math.Pow(1024, float64(exp))
	switch {
	case err != nil || strings.ContainsAny(number, "+-eExXpP_nN"):
		return 0, fmt.Errorf("%q is no number", number)
	case bytes >= math.MaxInt64:
		return 0, errors.New("it is too large")
	case bytes != math.Trunc(bytes):
		return 0, errors.New("it is no whole number of bytes")
	}
	return int64(bytes), nil
}

// ageText writes a duration with one unit: exact enough for "since when".
func ageText(d time.Duration) string {
	switch {
	case d < time.Second:
		return "under 1 s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
}

// agoText says how long ago something was.
func agoText(d time.Duration) string {
	if d < time.Second {
		return "just now"
	}
	return ageText(d) + " ago"
}
