package value_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/value"
)

func TestParseQueryErrors(t *testing.T) {
	long := strings.Repeat("a", value.MaxRegexpBytes+1)
	for _, c := range []struct{ query, pointer, want string }{
		{`{`, "", "unexpected EOF"},
		{`{"pattern": "a", "pattern": "b"}`, "", "duplicate"},
		{`{"pattern": 18446744073709551616}`, "", "beyond 64 bits"},
		{`{"pattern": "` + strings.Repeat("a", value.MaxQueryBytes) + `"}`, "", "longer than 65536 bytes"},
		{`[]`, "", "a query is a map, not an empty list"},
		{`{}`, "", "names no pattern"},
		{`{"where": {"eq": 1}}`, "", "names no pattern"},
		{`{"pattern": ""}`, "/pattern", "** selects everything"},
		{`{"pattern": "a..b"}`, "/pattern", "a segment is empty"},
		{`{"pattern": 1}`, "/pattern", "pattern is a string, not 1"},
		{`{"pattern": "a", "patern": "b"}`, "/patern", `"patern" is no member of a query; did you mean pattern?`},
		{`{"pattern": "a", "limit": 0}`, "/limit", "limit is an integer from 1 to 1000, not 0"},
		{`{"pattern": "a", "limit": 1001}`, "/limit", "not 1001"},
		{`{"pattern": "a", "limit": "5"}`, "/limit", `not the string "5"`},
		{`{"pattern": "a", "limit": 5.0}`, "/limit", "not 5.0"},
		{`{"pattern": "a", "after": 5}`, "/after", "after is a string, not 5"},
		{`{"pattern": "a", "after": "a["}`, "/after", "a bracket is not closed"},
		{where(`[]`), "/where", `a condition is a map, not an empty list; as {"path": "pool.max", "gt": 50}`},
		{where(`{}`), "/where", "names no operator; operators are eq, ne, gt, gte, lt, lte, in, notIn, contains, startsWith, endsWith, matches, exists, type"},
		{where(`{"path": "a", "ignoreCase": true}`), "/where", "names no operator"},
		{where(`{"equals": 1}`), "/where/equals", `"equals" is no operator; operators are`},
		{where(`{"stratsWith": "a"}`), "/where/stratsWith", "did you mean startsWith?"},
		{where(`{"alll": []}`), "/where/alll", "did you mean all?"},
		{where(`{"Path": "a", "eq": 1}`), "/where/Path", "did you mean path?"},
		{where(`{"all": []}`), "/where/all", "all takes a list of at least one condition, not an empty list"},
		{where(`{"any": {"eq": 1}}`), "/where/any", "not a map"},
		{where(`{"not": [{"eq": 1}]}`), "/where/not", "a condition is a map, not a list"},
		{where(`{"not": {"eq": 1}, "gt": 0}`), "/where/gt", `"gt" stands beside not, which must be alone`},
		{where(`{"all": [{"eq": 1}], "any": [{"eq": 1}]}`), "/where/any", `"any" stands beside all`},
		{where(`{"all": [{"eq": 1}, {"any": [{"not": {"gt": []}}]}]}`), "/where/all/1/any/0/not/gt", "gt takes a number or a string, not an empty list"},
		{where(`{"path": "a..b", "eq": 1}`), "/where/path", "a segment is empty"},
		{where(`{"path": 1, "eq": 1}`), "/where/path", "path is a string, not 1"},
		{where(`{"ignoreCase": 1, "eq": "a"}`), "/where/ignoreCase", "ignoreCase takes true or false, not 1"},
		{where(`{"as": "durations", "eq": "a"}`), "/where/as", `as takes what to compare as, not the string "durations"; did you mean duration?`},
		{where(`{"as": 1, "eq": "a"}`), "/where/as", "not 1; one of duration, size, time, semver"},
		{where(`{"as": "size", "contains": "1MB"}`), "/where/contains", "contains does not go with as"},
		{where(`{"as": "duration", "gt": 30}`), "/where/gt", "gt takes a duration, as 90s or 7d, not 30"},
		{where(`{"as": "size", "lt": "1mb"}`), "/where/lt", `lt takes a size, as 512MB or 10MiB, or an integer of bytes, not the string "1mb"`},
		{where(`{"as": "time", "in": ["2026-01-01T00:00:00Z", "2026-01-01"]}`), "/where/in/1", `in takes a time of RFC 3339, as 2026-12-01T09:00:00Z, not the string "2026-01-01"`},
		{where(`{"as": "semver", "eq": "1.0"}`), "/where/eq", "eq takes a semantic version"},
		{where(`{"gt": null}`), "/where/gt", "not null"},
		{where(`{"lte": true}`), "/where/lte", "not true"},
		{where(`{"in": "a"}`), "/where/in", `in takes a list of at least one value, not the string "a"`},
		{where(`{"notIn": []}`), "/where/notIn", "notIn takes a list of at least one value, not an empty list"},
		{where(`{"startsWith": 1}`), "/where/startsWith", "startsWith takes a string, not 1"},
		{where(`{"endsWith": null}`), "/where/endsWith", "endsWith takes a string, not null"},
		{where(`{"matches": 1}`), "/where/matches", "matches takes a regular expression (RE2) in a string, not 1"},
		{where(`{"matches": "a("}`), "/where/matches", "missing closing ): `a(`; the syntax is RE2's"},
		{where(`{"matches": "a(", "ignoreCase": true}`), "/where/matches", "missing closing ): `a(`"},
		{where(`{"matches": "(?=a)"}`), "/where/matches", "invalid or unsupported Perl syntax"},
		{where(`{"matches": "` + long + `"}`), "/where/matches", "at most 1000 bytes, not of 1001"},
		{where(`{"matches": "x{900}y{900}z{900}"}`), "/where/matches", "at most 2000 steps"},
		{where(`{"exists": "yes"}`), "/where/exists", `exists takes true or false, not the string "yes"`},
		{where(`{"type": "sting"}`), "/where/type", `type takes the name of a type, not the string "sting"; did you mean string?`},
		{where(`{"type": 1}`), "/where/type", "not 1; one of null, boolean, integer, number, string, list, map, redacted"},
		{where(`{"eq": "` + strings.Repeat("x", 100) + `", "gt": ["y"]}`), "/where/gt", "not a list"},
		{where(`{"any": [` + strings.Repeat(`{"eq": 1},`, value.MaxQueryConditions) + `{"eq": 1}]}`), fmt.Sprintf("/where/any/%d", value.MaxQueryConditions-1), "at most 200 conditions"},
		{where(`{"a/b~": 1}`), "/where/a~1b~0", "is no operator"},
	} {
		_, err := value.ParseQuery([]byte(c.query))
		var wrong *value.QueryError
		if !errors.As(err, &wrong) || wrong.Pointer != c.pointer || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.80s: %v", c.query, err)
		}
	}
}

func where(condition string) string { return `{"pattern": "**", "where": ` + condition + `}` }

func FuzzParseQuery(f *testing.F) {
	for _, seed := range []string{
		`{"pattern": "services.*", "where": {"all": [{"path": "timeout", "gt": "30s", "as": "duration"}, {"not": {"path": "owner", "startsWith": "team-", "ignoreCase": true}}]}, "limit": 50, "after": "services.billing"}`,
		where(`{"any": [{"eq": [1, {"a": null}]}, {"in": ["a", 1.5]}, {"matches": "^a+$"}]}`), where(`{"as": "semver", "gte": "1.0.0-rc.1+b"}`),
		where(`{"contains": "k", "ignoreCase": true, "type": "string", "exists": true}`), where(`{"as": "size", "lt": "1.5GiB"}`),
		`{"pattern": "**.a.**", "after": ""}`, `{"pattern": "/list/0"}`, where(`{"eq": {"$redacted": true, "fp": ""}}`),
	} {
		f.Add([]byte(seed))
	}
	root := parse(f, kinds)
	f.Fuzz(func(t *testing.T, data []byte) {
		q, err := value.ParseQuery(data)
		if err != nil {
			if wrong := new(value.QueryError); !errors.As(err, &wrong) || wrong.Message == "" {
				t.Fatalf("%T", err)
			}
			return
		}
		whole := run(t, q, root, value.QueryBudget{})
		part, err := q.Run(root, value.QueryBudget{Work: 200})
		if err == nil && len(part.Matches) > len(whole.Matches) {
			t.Fatalf("less work finds more: %q, %q", paths(part), paths(whole))
		}
		for i := range part.Matches {
			if part.Matches[i] != whole.Matches[i] {
				t.Fatalf("less work finds other: %q, %q", paths(part), paths(whole))
			}
		}
	})
}
