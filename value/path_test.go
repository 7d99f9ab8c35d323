package value_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/value"
)

func TestParsePath(t *testing.T) {
	for _, c := range []struct {
		text string
		want value.Path
	}{
		{"", nil},
		{"a", value.Path{"a"}},
		{"database.primary.pool", value.Path{"database", "primary", "pool"}},
		{"A-1_z.0", value.Path{"A-1_z", "0"}},
		{"servers[0]", value.Path{"servers", "0"}},
		{"servers[0][10].name", value.Path{"servers", "0", "10", "name"}},
		{"[0]", value.Path{"0"}},
		{`hosts["a.b"]`, value.Path{"hosts", "a.b"}},
		{`["a.b"].c["d"]`, value.Path{"a.b", "c", "d"}},
		{`[""]`, value.Path{""}},
		{`["*"]`, value.Path{"*"}},
		{`["\"]\\\u00e9é"]`, value.Path{`"]\éé`}},
		{"/", value.Path{""}},
		{"//", value.Path{"", ""}},
		{"/hosts/a.b", value.Path{"hosts", "a.b"}},
		{"/a~1b/c~0d/~01", value.Path{"a/b", "c~d", "~1"}},
		{"/*/**", value.Path{"*", "**"}},
		{"/servers/0", value.Path{"servers", "0"}},
	} {
		got, err := value.ParsePath(c.text)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v", c.text, got, err)
		}
	}
}

func TestParsePathErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{".", "at character 1: a segment is empty"},
		{".a", "at character 1: a segment is empty"},
		{"a.", "at character 3: a segment is empty"},
		{"a..b", "at character 3: a segment is empty"},
		{"a.[0]", "at character 3: a segment is empty"},
		{"a b", `at character 2: a key with other characters`},
		{"a.é", `at character 3: a key with other characters`},
		{`["é"].b c`, `at character 8: a key with other characters`},
		{"a.*", "at character 3: a key with other characters"},
		{"a*", "at character 2: a key with other characters"},
		{"a[0]b", "at character 5: a dot or a bracket"},
		{`["a"]b`, "at character 6: a dot or a bracket"},
		{"a[", "at character 2: a bracket is not closed"},
		{"a[0", "at character 2: a bracket is not closed"},
		{"a[]", "at character 2: a bracket holds"},
		{"a[b]", "at character 2: a bracket holds"},
		{"a[-1]", "at character 2: a bracket holds"},
		{"a[01]", "at character 2: a bracket holds"},
		{"a[*]", "at character 2: a bracket holds"},
		{`a["b`, `at character 2: a quoted key is not closed`},
		{`a["b"`, `at character 2: a quoted key is not closed`},
		{`a["b\`, `at character 2: a quoted key is not closed`},
		{`a["\q"]`, "at character 2: a quoted key is not a JSON string"},
		{`a["\ud800"]`, "at character 2: a quoted key is not a JSON string"},
		{"a[\"\xff\"]", "at character 2: a quoted key is not a JSON string"},
		{"/a/b~", "at character 3: in a JSON Pointer"},
		{"/a~2", "at character 1: in a JSON Pointer"},
		{strings.Repeat("a", value.MaxPathBytes+1), "longer than 4096 bytes"},
	} {
		got, err := value.ParsePath(c.text)
		if !errors.Is(err, value.ErrPath) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40s: %q, %v", c.text, got, err)
		}
		if _, ok := parse(t, `{"a":{"b":1,"0":1,"*":1},"*":1}`).Lookup(c.text); ok {
			t.Errorf("%.40s is found", c.text)
		}
	}
}

func TestPathRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		path := value.Path(rapid.SliceOf(rapid.OneOf(rapid.String(), rapid.StringMatching(`[A-Za-z0-9_.~/*\[\]"\\-]*`))).Draw(t, "path"))
		for _, text := range []string{path.String(), path.Pointer()} {
			if len(text) > value.MaxPathBytes {
				continue
			}
			again, err := value.ParsePath(text)
			if err != nil || !slices.Equal(path, again) {
				t.Fatalf("%q is written %s and read %q, %v", []string(path), text, again, err)
			}
		}
	})
}

// drawPathText draws what is a path more often than not.
func drawPathText(t *rapid.T) string {
	parts := rapid.SliceOf(rapid.SampledFrom([]string{
		"a", "b", "c", "0", ".", ".a", ".b", ".0", "[0]", "[1]", `["d.e"]`, `[""]`, `["*"]`, "/a", "/0", "/~0~1", "/", "*", "é", "[", `"`, "]",
	})).Draw(t, "parts")
	return strings.Join(parts, "")
}

func TestPathTextIsStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.Custom(drawPathText), rapid.String()).Draw(t, "text")
		path, err := value.ParsePath(text)
		if err != nil {
			return
		}
		if again, err := value.ParsePath(path.String()); err != nil || !slices.Equal(path, again) {
			t.Fatalf("%q is %q, and written again %q, %v", text, []string(path), again, err)
		}
	})
}

func TestLookupAgreesWithParsePath(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		root := drawMap(t, 4)
		text := rapid.OneOf(rapid.Custom(drawPathText), rapid.String()).Draw(t, "text")
		got, ok := root.Lookup(text)
		path, err := value.ParsePath(text)
		want, there := root, false
		if err == nil {
			want, there = root.At(path)
		}
		if ok != there || ok && got != want {
			t.Fatalf("%s in %s: %v, %t; %v, %t", text, root, got, ok, want, there)
		}
	})
}

// Every value is found again by how its path is written.
func TestPathString(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		root := drawMap(t, 4)
		each(root, nil, func(path value.Path, v *value.Value) {
			for _, text := range []string{path.String(), path.Pointer(), root.PathString(path)} {
				if got, ok := root.Lookup(text); !ok || got != v {
					t.Fatalf("%s in %s: %v", text, root, got)
				}
			}
		})
	})
	root := parse(t, `{"servers":[{"a.b":[1]}],"0":{"0":1}}`)
	for _, c := range []struct {
		path value.Path
		want string
	}{
		{value.Path{"servers", "0", "a.b", "0"}, `servers[0]["a.b"][0]`},
		{value.Path{"0", "0"}, "0.0"},
		{value.Path{"not", "there", "0"}, "not.there.0"},
		{nil, ""},
	} {
		if got := root.PathString(c.path); got != c.want {
			t.Errorf("%q: %s", []string(c.path), got)
		}
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	root := parse(t, `{"checkout":{"ui":{"button":{"color":"green"}},"steps":[1,2]}}`)
	for _, text := range []string{"checkout.ui.button.color", "checkout.steps[1]", "/checkout/ui/button", "checkout.ui.none", ""} {
		if n := testing.AllocsPerRun(100, func() { root.Lookup(text) }); n != 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}

func TestBare(t *testing.T) {
	for key, want := range map[string]bool{"a": true, "A-1_": true, "0": true, "": false, "a.b": false, "é": false, "*": false, "a b": false} {
		if value.Bare(key) != want {
			t.Errorf("%q", key)
		}
	}
}

func FuzzParsePath(f *testing.F) {
	for _, seed := range []string{"", "a.b", `a["b.c"][0]`, "/a/~0~1", `["\u00e9"]`, "a..b", "**.a.*", `["\ud83d\ude00"]`, "a[\"\xff\"]", "/\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if path, err := value.ParsePath(text); err == nil && strings.ToValidUTF8(text, "") == text {
			if again, err := value.ParsePath(path.Pointer()); err != nil && len(path.Pointer()) <= value.MaxPathBytes || err == nil && !slices.Equal(path, again) {
				t.Errorf("%q is %q, and written again %q, %v", text, []string(path), again, err)
			}
		}
		if p, err := value.ParsePattern(text); err == nil {
			p.Match(value.Path{"a", "b"})
			p.Covers(value.Path{"a", "b"})
		}
	})
}
