package value_test

import (
	"testing"
	"time"

	"github.com/trunkline/trunkline/value"
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "1h30m": 90 * time.Minute, "0h": 0, "0": 0, "7d": 7 * 24 * time.Hour, "0d": 0, "-1d": -24 * time.Hour, "106751d": 106751 * 24 * time.Hour,
	} {
		if got, err := value.ParseDuration(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "d", "7", "1.5d", "1d12h", "106752d", "-106752d", "99999999999999999999d", " 1d", "x"} {
		if got, err := value.ParseDuration(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}
