package value_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/value"
)

// The order is that of the examples in semver.org, 11.
func TestSemverPrecedence(t *testing.T) {
	order := []string{
		"0.0.0", "0.9.10", "1.0.0-0", "1.0.0-2", "1.0.0-10", "1.0.0-99999999999999999999", "1.0.0--", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta",
		"1.0.0-beta", "v1.0.0-beta.2", "1.0.0-beta.11+x.7", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "99999999999999999999.0.0",
	}
	for i, a := range order {
		for j, b := range order {
			for operator, want := range map[string]bool{"lt": i < j, "eq": i == j, "gt": i > j} {
				if got := asScale(t, "semver", operator, a, b); got != want {
					t.Errorf("%s %s %s: %t", a, operator, b, got)
				}
			}
		}
	}
	for _, bad := range []string{
		"", "1", "1.0", "1.0.0.0", "01.0.0", "1.0.0-", "1.0.0-01", "1.0.0-a..b", "1.0.0+", "1.0.0-a_b", "V1.0.0", " 1.0.0", "1.0.0\n",
		"1.0.0-" + strings.Repeat("a", 300),
	} {
		if asScale(t, "semver", "gte", bad, "0.0.0-0") {
			t.Errorf("%.20q is a version", bad)
		}
	}
}

func TestTextsOfNoScaleHaveNoOrder(t *testing.T) {
	for scale, texts := range map[string][]string{
		"duration": {"1s", "", "1", "s", "1.5d"},
		"size":     {"1B", "", "1", "1mb", "0.5B"},
		"time":     {"2026-01-01T00:00:00Z", "", "2026-01-01", "2026-01-01T00:00:00", "2026-1-1T00:00:00Z", "2026-13-01T00:00:00Z"},
	} {
		for _, text := range texts[1:] {
			for _, operator := range []string{"eq", "lt", "lte", "gt", "gte"} {
				if asScale(t, scale, operator, text, texts[0]) {
					t.Errorf("%q %s %s as %s", text, operator, texts[0], scale)
				}
			}
			if !asScale(t, scale, "ne", text, texts[0]) {
				t.Errorf("%q equals %s as %s", text, texts[0], scale)
			}
		}
	}
}

func asScale(t testing.TB, scale, operator, text, with string) bool {
	t.Helper()
	q := query(t, fmt.Sprintf(`{"pattern": "**", "where": {"as": %q, %q: %q}}`, scale, operator, with))
	return len(run(t, q, value.NewString(text, nowhere), value.QueryBudget{}).Matches) == 1
}
