package value_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/value"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]value.Size{
		"0B": 0, "1B": 1, "512MB": 512_000_000, "512 MB": 512_000_000, "10MiB": 10 << 20, "1.5KiB": 1536, "0.001kB": 1, "1KB": 1000, "1kB": 1000,
		"1GB": 1e9, "1GiB": 1 << 30, "1TB": 1e12, "1TiB": 1 << 40, "1PB": 1e15, "1PiB": 1 << 50, "1EB": 1e18, "7EiB": 7 << 60, "007kB": 7000,
		"9223372036854775807B": math.MaxInt64,
	} {
		if got, err := value.ParseSize(text); err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"": "a number with a unit", "MB": "a number with a unit", ".5MB": "a number with a unit", "5.MB": "a number with a unit", "1.2.3MB": "a number with a unit",
		"-1MB": "a number with a unit", "+1MB": "a number with a unit", " 1MB": "a number with a unit", strings.Repeat("1", 41) + "B": "a number with a unit",
		"1": "its unit is one of B, kB, MB", "1e3B": "its unit", "1mb": "its unit", "1M": "its unit", "1  MB": "its unit", "1MB ": "its unit", "1_000B": "its unit",
		"0.1KiB": "0.1KiB is no whole number of bytes", "1.0001kB": "no whole number", "8EiB": "8EiB is not below 8 EiB", "9223372036854775808B": "not below 8 EiB",
	} {
		if got, err := value.ParseSize(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
}

func TestSizeAsText(t *testing.T) {
	for size, want := range map[value.Size]string{
		0: "0B", 1: "1B", 1000: "1kB", 1024: "1KiB", 1536: "1536B", 512_000_000: "512MB", 10 << 20: "10MiB", 1e18: "1EB", math.MaxInt64: "9223372036854775807B",
	} {
		if size.String() != want {
			t.Errorf("%d: %s", size, size)
		}
	}
	var s struct{ Size value.Size }
	if err := json.Unmarshal([]byte(`{"Size": "10MiB"}`), &s); err != nil || s.Size != 10<<20 {
		t.Errorf("%d, %v", s.Size, err)
	}
	if err := json.Unmarshal([]byte(`{"Size": "10"}`), &s); err == nil || s.Size != 10<<20 {
		t.Errorf("%d, %v", s.Size, err)
	}
	if text, err := json.Marshal(s); err != nil || string(text) != `{"Size":"10MiB"}` {
		t.Errorf("%s, %v", text, err)
	}
	rapid.Check(t, func(t *rapid.T) {
		size := value.Size(rapid.Int64Range(0, math.MaxInt64).Draw(t, "size"))
		if got, err := value.ParseSize(size.String()); err != nil || got != size {
			t.Fatalf("%d is written %s, and read as %d, %v", int64(size), size, got, err)
		}
	})
}
