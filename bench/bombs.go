package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/value"
)

// bombs are config repos made to cost as much as they can within the bounds.
var bombs = map[string]func() map[string]string{
	"aliases": func() map[string]string {
		var b strings.Builder
		b.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x]\n")
		for i := 1; i < 40; i++ {
			fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), ", "))
		}
		return everywhere("yaml", b.String())
	},
	"merge keys": func() map[string]string {
		var b strings.Builder
		b.WriteString("m0: &m0 {a: 1, b: 2}\n")
		for i := 1; i < 2000; i++ {
			fmt.Fprintf(&b, "m%d: &m%d {<<: *m%d, k%d: 1}\n", i, i, i-1, i)
		}
		return everywhere("yaml", b.String())
	},
	"depth": func() map[string]string {
		return everywhere("json", `{"a":`+strings.Repeat("[", 400_000)+strings.Repeat("]", 400_000)+"}")
	},
	"width": func() map[string]string {
		return everywhere("yaml", keyed(50_000, "k%d: %d\n"))
	},
	"many files": func() map[string]string {
		files := map[string]string{}
		for i := range 2000 {
			files[fmt.Sprintf("config/d%d/f%d.yaml", i%40, i)] = keyed(200, "k%d: %d\n")
		}
		return files
	},
	"nine large files": func() map[string]string {
		files := map[string]string{}
		for i := range 9 {
			files[fmt.Sprintf("config/f%d.yaml", i)] = keyed(45_000, "k%d: [%d]\n")
		}
		return files
	},
	"flow lists": func() map[string]string {
		return everywhere("yaml", "a: ["+strings.Repeat("[],", 300_000)+"]\n")
	},
	"recursive schema": func() map[string]string {
		deep := strings.Repeat(`{"a":`, 60) + "1" + strings.Repeat("}", 60)
		return map[string]string{
			"config/a.json":         deep,
			"schemas/a.schema.json": `{"$defs": {"x": {"allOf": [{"properties": {"a": {"$ref": "#/$defs/x"}}}, {"properties": {"a": {"$ref": "#/$defs/x"}}}]}}, "$ref": "#/$defs/x"}`,
		}
	},
	"long enum": func() map[string]string {
		return map[string]string{
			"config/a.json":         `{"items": [` + strings.TrimSuffix(keyed(40_000, `"f%d %d",`), ",") + `]}`,
			"schemas/a.schema.json": `{"properties": {"items": {"items": {"enum": [` + strings.TrimSuffix(keyed(40_000, `"a%d %d",`), ",") + `]}}}}`,
		}
	},
	"regular expressions": func() map[string]string {
		return map[string]string{
			"config/a.json":         `{"s": "` + strings.Repeat("a", 900_000) + `"}`,
			"schemas/a.schema.json": `{"properties": {"s": {"pattern": "^(((a{0,30}){0,30})|(a|b|ab)*)*c$"}}}`,
		}
	},
	"unique items": func() map[string]string {
		return map[string]string{
			"config/a.json":         `{"items": [` + strings.TrimSuffix(keyed(60_000, `[%d,%d],`), ",") + `]}`,
			"schemas/a.schema.json": `{"properties": {"items": {"uniqueItems": true}}}`,
		}
	},
	"policies everywhere": func() map[string]string {
		files := everywhere("yaml", keyed(50_000, "k%d: %d\n"))
		var b strings.Builder
		b.WriteString("policies:\n")
		for i := range 2000 {
			fmt.Fprintf(&b, "  - {id: p%d, match: '**', expression: 'true'}\n", i)
		}
		files["policies/a.yaml"] = b.String()
		return files
	},
	"violations everywhere": func() map[string]string {
		files := map[string]string{"policies/a.yaml": "policies: [{id: never, match: '**', expression: 'false'}]\n"}
		for i := range 1990 {
			files[fmt.Sprintf("config/d%d/f%d.yaml", i%40, i)] = keyed(100, "k%d: %d\n")
		}
		return files
	},
	"rules everywhere": func() map[string]string { return rulesEverywhere(0) },
	"slots twice":      slotsTwice,
	"long conditions": func() map[string]string {
		files := map[string]string{"config/a.yaml": "x: 1\n"}
		for i := range 1900 {
			files[fmt.Sprintf("rollouts/r%d.yaml", i)] = "environments: [default]\nset: {a.x: 2}\nrules: [{name: all, when: '" + strings.Repeat("context.a==1||", 280) + "true'}]\n"
		}
		return files
	},
	"policies of all kinds": func() map[string]string {
		files := map[string]string{"config/a.json": `{"s": "` + strings.Repeat("a", 900_000) + `", "n": [` + strings.TrimSuffix(keyed(2000, "%d%d,"), ",") + `]}`}
		files["policies/a.yaml"] = `policies:
  - {id: nested, match: a.n, expression: "self.all(a, self.all(b, self.all(c, a + b + c > 0)))"}
  - {id: text, match: a, expression: "self.n.all(x, self.s + self.s + self.s + self.s != '')"}
  - {id: match, match: a, expression: "self.n.all(x, self.s.matches('^(a|b|ab)*c$') || true)"}
  - {id: equal, match: a, expression: "self.n.all(x, self.n == self.n + [x])"}
  - {id: lists, match: a, expression: "self.n.map(a, self.n.map(b, self.n.map(c, a))).size() > 0"}
  - {id: explain, match: a.n, expression: "false", messageExpression: "self.map(a, self.map(b, string(a) + string(b))).size() > 0 ? 'x' : 'y'"}
`
		return files
	},
}

// former are the commits before those bombs that cost by what they change.
var former = map[string]func() map[string]string{
	"rules everywhere": func() map[string]string { return rulesEverywhere(1) },
}

// rulesEverywhere is as many rules and settings as there may be, in as many environments; another shift changes all of them.
func rulesEverywhere(shift int) map[string]string {
	const rollouts = 99
	manifest, names := manyEnvironments()
	files := map[string]string{"trunkline.yaml": manifest}
	var base strings.Builder
	for i := range rollouts {
		fmt.Fprintf(&base, "f%d: {%s}\n", i, keyed(200, "k%d: %d, "))
		var b strings.Builder
		fmt.Fprintf(&b, "environments: [%s]\nset: {", names)
		for k := range 200 {
			fmt.Fprintf(&b, "f%d.k%d: -1, ", (i+shift)%rollouts, k)
		}
		b.WriteString("}\nrules:\n")
		for n := range 50 {
			fmt.Fprintf(&b, "- {name: r%d, when: 'segment(\"s9\") && context.a == %d'}\n", n, shift)
		}
		files[fmt.Sprintf("rollouts/r%d.yaml", i)] = b.String()
	}
	files["config/_index.yaml"] = base.String()
	for i := range 10 {
		files[fmt.Sprintf("segments/s%d.yaml", i)] = fmt.Sprintf("when: context.s%d == %d\n", i, shift)
	}
	return files
}

func manyEnvironments() (manifest, names string) {
	names = strings.TrimSuffix(keyed(compile.MaxEnvironments, "e%[1]d, "), ", ")
	return "version: 1\nenvironments: {" + strings.TrimSuffix(keyed(compile.MaxEnvironments, "e%[1]d: {}, "), ", ") + "}\n", names
}

// slotsTwice are experiments of one layer that all own the same slots, beside many others.
func slotsTwice() map[string]string {
	manifest, names := manyEnvironments()
	files := map[string]string{
		"trunkline.yaml": manifest, "layers/l.yaml": "unit: u\nsalt: l\n",
		"metrics/m.yaml": "name: m\nkind: proportion\nevent: e\nbetter: higher\n",
	}
	var base strings.Builder
	for i := range 1900 {
		fmt.Fprintf(&base, "k%d: 0\n", i)
		var slots strings.Builder
		for n := range 190 {
			fmt.Fprintf(&slots, ", %[1]d-%[1]d", i%20*400+n*2)
		}
		files[fmt.Sprintf("experiments/x%d.yaml", i)] = fmt.Sprintf(`environments: [%s]
status: running
layer: l
phase: 1
salt: s%[2]d
slots: [9000-9009%[3]s]
variants:
  a: {slots: [0-4999], set: {k%[2]d: 1}}
  b: {slots: [5000-9999], set: {k%[2]d: 2}}
control: a
metrics: {primary: [m]}
plan: {unitsTotal: 120000, minimumEffect: {relative: 10%%}}
`, names, i, slots.String())
	}
	files["config/_index.yaml"] = base.String()
	return files
}

// everywhere puts one document into the base and into environments that extend each other.
func everywhere(ext, text string) map[string]string {
	return map[string]string{
		"trunkline.yaml":  "version: 1\nenvironments: {a: {}, b: {extends: a}, c: {extends: b}}\n",
		"config/x." + ext: text, "environments/a/x." + ext: text, "environments/b/x." + ext: text, "environments/c/x." + ext: text,
	}
}

func keyed(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i, i)
	}
	return b.String()
}

// hostileCommits measures what the costliest of the bombs takes: processor time, and memory beyond what was there before.
func (s *suite) hostileCommits(ctx context.Context) error {
	var worst, largest float64
	var slow, big string
	for name, files := range bombs {
		dir, before := filepath.Join(s.dir, "bombs", name), filepath.Join(s.dir, "bombs", name+" before")
		if err := lay(dir, files); err != nil {
			return err
		}
		c, against := compile.New(value.Key("bench")), compile.Against{}
		if files := former[name]; files != nil {
			if err := lay(before, files); err != nil {
				return err
			}
			source, root, err := compile.ReadDirectory(before)
			if err != nil {
				return err
			}
			result, err := c.Compile(ctx, source, root, against)
			if err != nil {
				return err
			}
			against.Baselines = result.Snapshots
		}
		took, grown, err := s.defuse(ctx, dir, c, against)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if took > worst {
			worst, slow = took, name
		}
		if grown > largest {
			largest, big = grown, name
		}
		if err := errors.Join(os.RemoveAll(dir), os.RemoveAll(before)); err != nil {
			return err
		}
	}
	note := fmt.Sprintf("of %d", len(bombs))
	s.add(row{what: "costliest hostile commit: CPU", measured: worst, limit: 6, unit: "s", note: slow + ", " + note})
	s.add(row{what: "largest hostile commit: memory", measured: largest, limit: 512, unit: "MiB", note: big + ", " + note})
	return nil
}

func lay(dir string, files func() map[string]string) error {
	for file, text := range files() {
		if err := write(dir, file, text); err != nil {
			return err
		}
	}
	return nil
}

// defuse compiles one bomb.
func (s *suite) defuse(ctx context.Context, dir string, c *compile.Compiler, against compile.Against) (seconds, mebibytes float64, err error) {
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	most, stop := watchHeap()
	began := cpu()
	source, root, err := compile.ReadDirectory(dir)
	if err == nil {
		_, err = c.Compile(ctx, source, root, against)
	}
	seconds = (cpu() - began).Seconds()
	stop()
	return seconds, (float64(*most) - float64(before.HeapAlloc)) / (1 << 20), err
}

// watchHeap follows the size of the heap until it is stopped.
func watchHeap() (most *uint64, stop func()) {
	most = new(uint64)
	done, ended := make(chan struct{}), make(chan struct{})
	look := func() {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		*most = max(*most, m.HeapAlloc)
	}
	go func() {
		defer close(ended)
		for {
			look()
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return most, func() { close(done); <-ended }
}
