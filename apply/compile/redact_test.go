package compile_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/value"
)

// sensitive is a config repo with a value for each reason to hide one, and the paths of what people do not see.
var (
	sensitiveRepo = map[string]string{
		"trunkline.yaml":        "version: 1\nsensitive: [a.marked, a.hosts]\n",
		"config/a.yaml":         "marked: 1\nhosts: [x, y]\nbySchema: 2\npassword: canary77\nplain: 3\nnested: {apiKey: [canary77, 5], url: 'redis://:canary77@host'}\n",
		"config/other.yaml":     "token: canary77\nplain: 1\n",
		"config/sops.json":      `{"v": "ENC[AES256_GCM,data:canary77]", "w": 1, "sops": {"mac": "ENC[x]", "version": "3"}}`,
		"schemas/a.schema.json": `{"properties": {"bySchema": {"x-sensitive": true}}}`,
	}
	sensitivePaths = map[string]bool{
		"a.marked": true, "a.hosts": true, "a.bySchema": true, "a.password": true, "a.plain": false, "a.nested.apiKey[0]": true, "a.nested.apiKey[1]": false,
		"a.nested.url": true, "other.token": true, "other.plain": false, "sops.v": true, "sops.w": true,
	}
)

func expectRedacted(t *testing.T, root *value.Value, want map[string]bool) {
	t.Helper()
	for path, hidden := range want {
		if v, ok := root.Lookup(path); !ok || (v.Kind() == value.Redacted) != hidden {
			t.Errorf("%s is %s; hidden: %t is wanted", path, v, hidden)
		}
	}
}

func TestShown(t *testing.T) {
	result := compiled(t, sensitiveRepo, nil)
	s := result.Snapshots["default"]
	expectRedacted(t, s.Shown(), sensitivePaths)
	for path, hidden := range sensitivePaths {
		v, _ := s.Values.Lookup(path)
		if got := s.ShownAt(parsePath(t, path), v); (got != v) != hidden {
			t.Errorf("%s alone is %s", path, got)
		}
		if shown, _ := s.Shown().Lookup(path); hidden && shown.Fingerprint() != value.Key(key).Fingerprint(v) {
			t.Errorf("%s has the fingerprint %s", path, shown.Fingerprint())
		}
	}
	first := s.Shown()
	if s.Shown() != first {
		t.Error("it is made each time")
	}
}

// What a baseline marks is hidden in the version after it, and what either of two marks in a version that is judged by both.
func TestShownByTheMarksOfBaselines(t *testing.T) {
	bare := map[string]string{"config/a.yaml": sensitiveRepo["config/a.yaml"]}
	marked := compiled(t, sensitiveRepo, nil).Snapshots["default"]
	otherwise := compiled(t, map[string]string{"trunkline.yaml": "version: 1\nsensitive: [a.plain]\n", "config/a.yaml": "plain: 1\n"}, nil).Snapshots["default"]
	want := map[string]bool{"a.marked": true, "a.bySchema": true, "a.plain": false, "a.password": true}
	expectRedacted(t, compiled(t, bare, compile.Baselines{"default": marked}).Snapshots["default"].Shown(), want)
	want["a.plain"] = true
	both := compiled(t, bare, compile.Baselines{"default": marked.MarkedBy(otherwise)}).Snapshots["default"]
	expectRedacted(t, both.Shown(), want)
	expectRedacted(t, both.Delivered, map[string]bool{"a.marked": true, "a.plain": true, "a.password": false})
	expectRedacted(t, compiled(t, bare, nil).Snapshots["default"].Shown(), map[string]bool{"a.marked": false, "a.plain": false, "a.password": true})
}

// Versions that are shown one after the other share what did not change; several may ask at once.
func TestShownIsShared(t *testing.T) {
	s, c := newStore(), compile.New(key)
	files := map[string]string{"config/a.yaml": sensitiveRepo["config/a.yaml"], "config/b.yaml": "password: canary77\n"}
	first := compileTree(t, c, s, s.put(files), nil).Snapshots["default"]
	files["config/a.yaml"] += "more: 1\n"
	second := compileTree(t, c, s, s.put(files), nil).Snapshots["default"]
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { first.Shown() })
		wg.Go(func() { second.Shown() })
		wg.Go(func() { second.ShownAt(value.Path{"b"}, second.Values) })
	}
	wg.Wait()
	was, _ := first.Shown().Get("b")
	if is, _ := second.Shown().Get("b"); was != is {
		t.Error("what did not change was redacted anew")
	}
}

// What is redacted of environments that are no more is not kept.
func TestRedactionOfOldEnvironmentsIsForgotten(t *testing.T) {
	s, c := newStore(), compile.New(key)
	for _, env := range []string{"one", "two", "three"} {
		compileTree(t, c, s, s.put(map[string]string{"environments/" + env + "/a.yaml": "x: 1\n"}), nil)
		if got := c.Redacting(); !slices.Equal(got, []string{env}) {
			t.Errorf("after %s those of %q are kept", env, got)
		}
	}
}

// A snapshot that no Compiler made shows what it delivers, but for what looks secret.
func TestShownWithoutACompiler(t *testing.T) {
	v := value.NewMap([]value.Entry{{Key: "password", Value: value.NewString("canary77", value.Place{})}}, value.Place{})
	s := &compile.Snapshot{Values: v, Delivered: v}
	expectRedacted(t, s.Shown(), map[string]bool{"password": true})
}

// A problem is told without its line when anything stands there that people may not see, be it the value or one beside it.
func TestLinesThatAreHidden(t *testing.T) {
	const schema = `{"properties": {"limit": {"maximum": 1}, "pin": {"x-sensitive": true, "maximum": 1}, "hosts": {"items": {"maxLength": 2}}, "db": {"required": ["user"]},
		"dsn": {"const": "a"}, "harmless": {"type": "string"}}}`
	result := compiled(t, map[string]string{
		"trunkline.yaml":        "version: 1\nsensitive: [a.hosts]\n",
		"schemas/a.schema.json": schema,
		"config/a.yaml": `limit: 5
pin: 5
hosts:
  - abc
  - bcd
db: {port: 5, password: canary77}
dsn: canary77
harmless: 5
`,
	}, nil)
	lines := map[int]bool{}
	for _, p := range result.Problems {
		if p.File == "config/a.yaml" {
			lines[p.Line] = p.Hidden
		}
	}
	for line, hidden := range map[int]bool{1: false, 2: true, 4: true, 5: true, 6: true, 7: true, 8: false} {
		if got, told := lines[line]; !told || got != hidden {
			t.Errorf("line %d is hidden: %t, told of: %t", line, got, told)
		}
	}
	beside := compiled(t, map[string]string{
		"config/a.json":         `{"limit": 5, "pin": 8675309}`,
		"schemas/a.schema.json": schema,
	}, nil)
	for _, p := range beside.Problems {
		if !p.Hidden {
			t.Errorf("the line is shown: %s", p)
		}
	}
}

// A line is hidden when one environment hides it, though others do not: here by what was called sensitive before.
func TestLinesThatOneEnvironmentHides(t *testing.T) {
	const schema = `{"properties": {"pin": {"maximum": 1}, "limit": {"maximum": 1}}}`
	before := compiled(t, map[string]string{
		"trunkline.yaml": "version: 1\nenvironments: {one: {}, two: {}}\nsensitive: [a.pin]\n", "config/a.yaml": "pin: 1\nlimit: 1\n",
	}, nil)
	result := compiled(t, map[string]string{
		"trunkline.yaml": "version: 1\nenvironments: {one: {}, two: {}}\n", "schemas/a.schema.json": schema, "config/a.yaml": "pin: 5\nlimit: 5\n",
	}, compile.Baselines{"two": before.Snapshots["two"]})
	lines := map[int]bool{}
	for _, p := range result.Problems {
		lines[p.Line] = lines[p.Line] || p.Hidden
	}
	if len(lines) != 2 || !lines[1] || lines[2] {
		t.Errorf("hidden by line: %v of %+v", lines, result.Problems)
	}
}
