package main

import (
	"context"
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
		dir := filepath.Join(s.dir, "bombs", name)
		for file, text := range files() {
			if err := write(dir, file, text); err != nil {
				return err
			}
		}
		took, grown, err := s.defuse(ctx, dir)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if took > worst {
			worst, slow = took, name
		}
		if grown > largest {
			largest, big = grown, name
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	note := fmt.Sprintf("of %d", len(bombs))
	s.add(row{what: "costliest hostile commit: CPU", measured: worst, limit: 6, unit: "s", note: slow + ", " + note})
	s.add(row{what: "largest hostile commit: memory", measured: largest, limit: 512, unit: "MiB", note: big + ", " + note})
	return nil
}

// defuse compiles one bomb.
func (s *suite) defuse(ctx context.Context, dir string) (seconds, mebibytes float64, err error) {
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	most, stop := watchHeap()
	began := cpu()
	source, root, err := compile.ReadDirectory(dir)
	if err == nil {
		_, err = compile.New(value.Key("bench")).Compile(ctx, source, root, compile.Against{})
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
