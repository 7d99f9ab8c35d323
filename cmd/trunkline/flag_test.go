package main

import (
	"regexp"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// TestWhatIsWrittenIsWhatIsRead: no key and no value of a setting changes on its way through a file.
func TestWhatIsWrittenIsWhatIsRead(t *testing.T) {
	text := rapid.OneOf(
		rapid.String(), rapid.StringMatching(`[ -~]{0,12}`), rapid.SampledFrom([]string{"", "no", "Null", "12", "1e3", "~", "a: b", "it's", "# x", "- a", "{", "é", "\u0085", "a\nb"}),
	).Filter(func(s string) bool { return strings.ToValidUTF8(s, "") == s && !strings.ContainsRune(s, 0) })
	key := text.Filter(func(s string) bool { return strings.IndexFunc(s, unicode.IsControl) < 0 }) // which no document holds
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.OneOf(
			rapid.Map(text, func(s string) *value.Value { return value.NewString(s, value.Place{}) }),
			rapid.Map(rapid.Int64(), func(i int64) *value.Value { return value.NewInt(i, value.Place{}) }),
			rapid.Map(rapid.SliceOfN(key, 0, 3), func(items []string) *value.Value {
				var list []*value.Value
				for _, s := range items {
					list = append(list, value.NewMap([]value.Entry{{Key: s, Value: value.NewString(s, value.Place{})}}, value.Place{}))
				}
				return value.NewList(list, value.Place{})
			}),
		).Draw(t, "value")
		path := value.Path{key.Draw(t, "key"), "b"}
		b := &sheet{}
		b.text("owner", "x"+text.Draw(t, "owner"))
		b.line("set:")
		b.settings("  ", []experiment.Setting{{Path: path, Value: v}})
		doc, err := decode("x.yaml", []byte(b.String()))
		if err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
		got, ok := doc.At(value.Path{"set", path.String()})
		if !ok || !value.Equal(got, v) {
			t.Fatalf("%v was written, %v is read:\n%s", v, got, b)
		}
	})
}

func TestSettingsAreCutAtTheRightSign(t *testing.T) {
	for text, want := range map[string][2]string{
		"a.b=c":            {"a.b", "c"},
		"a=b=c":            {"a", "b=c"},
		`hosts["x=y"].z=1`: {`hosts["x=y"].z`, "1"},
		"a=":               {"a", ""},
	} {
		p, v, err := setting(text)
		if err != nil || p.String() != want[0] || v != want[1] {
			t.Errorf("%s: %s and %q, %v", text, p, v, err)
		}
	}
	for _, text := range []string{"", "a", "=b", "a..b=c"} {
		if p, _, err := setting(text); err == nil {
			t.Errorf("%q is taken for %s", text, p)
		}
	}
}

func TestShares(t *testing.T) {
	for text, want := range map[string]int{"0%": 0, "10%": 1000, "0.25%": 25, "33.33%": 3333, "99.99%": 9999, "100%": 10000} {
		if slots, err := slotsOf(text); err != nil || slots != want || percent(slots) != text {
			t.Errorf("%s: %d, %v", text, slots, err)
		}
	}
	for _, text := range []string{"", "%", "10", "-1%", "100.01%", "NaN%", "1e9%", "0.001%", "Inf%"} {
		if slots, err := slotsOf(text); err == nil {
			t.Errorf("%q is %d", text, slots)
		}
	}
}

func TestMadeUpUnits(t *testing.T) {
	uuids := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[string]bool{}
	for _, ids := range []string{"uuid", "sequence", "email"} {
		for _, seed := range []uint64{1, 2} {
			next := experimentSimulateCmd{IDs: ids, Seed: seed}.names(500)
			for i := range 500 {
				name := next(i)
				if seen[name] {
					t.Fatalf("%s twice", name)
				}
				if seen[name] = true; ids == "uuid" && !uuids.MatchString(name) {
					t.Fatalf("%s is no UUID", name)
				}
			}
		}
	}
}
