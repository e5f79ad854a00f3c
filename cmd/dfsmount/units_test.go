package main

import "testing"

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1": 1, "4096": 4096, "5B": 5, "1K": 1 << 10, "3M": 3 << 20, "500G": 500 << 30, "1.5T": 3 << 39, "2P": 2 << 50, "7E": 7 << 60,
		"20GiB": 20 << 30, "20 GiB": 20 << 30,
	} {
		if got, err := parseBytes(text); err != nil || got != want {
			t.Errorf("%q: %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "G", "x", "5X", "5KM", "5k", "-1", "+1", "1e3", "0x10", "1_000", "NaN", "Inf", "9E", "8E", "99999999999999999999", "1.3", "0.0001K", "5 G B"} {
		if got, err := parseBytes(text); err == nil {
			t.Errorf("%q is taken for %d", text, got)
		}
	}
}
