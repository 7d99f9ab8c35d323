package ofrep_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/api/ofrep"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/notify/notifytest"
	"github.com/trunkline/trunkline/value"
	"github.com/trunkline/trunkline/value/document"
)

// parsed reads JSON, of any size, or YAML.
func parsed(tb testing.TB, text string) *value.Value {
	tb.Helper()
	if v, err := value.ParseJSON([]byte(text)); err == nil {
		return v
	}
	v, problems := document.Decode(&value.File{Path: "test.yaml"}, document.FormatOf("test.yaml"), []byte(text), document.Limits{})
	if len(problems) > 0 {
		tb.Fatalf("%v: %s", problems, text)
	}
	return v
}

func patterns(tb testing.TB, texts ...string) []value.Pattern {
	tb.Helper()
	list, err := value.ParsePatterns(texts)
	if err != nil {
		tb.Fatal(err)
	}
	return list
}

// content is what a commit holds for an environment.
type content struct {
	values    string
	files     map[string]string // of rollouts, experiments, layers and segments, by path
	flags     []string
	public    []string
	sensitive []string
	stopped   []string // keys
	held      time.Time
}

// definitions reads files as a config repo has them.
func definitions(tb testing.TB, files map[string]string) *experiment.Definitions {
	tb.Helper()
	folders := map[string]map[string]*value.Value{"rollouts": {}, "experiments": {}, "layers": {}, "segments": {}, "metrics": {}}
	for path, text := range files {
		folder, name, _ := strings.Cut(path, "/")
		folders[folder][strings.TrimSuffix(name, ".yaml")] = parsed(tb, text)
	}
	d, problems := experiment.Parse(experiment.Files{
		Rollouts: folders["rollouts"], Experiments: folders["experiments"], Layers: folders["layers"], Segments: folders["segments"], Metrics: folders["metrics"],
	})
	for _, p := range problems {
		tb.Fatal(p)
	}
	return d
}

// compiled is a version of a content.
func compiled(tb testing.TB, env, commit string, c content) *apply.Version {
	tb.Helper()
	values, marks := parsed(tb, c.values), patterns(tb, c.sensitive...)
	redactor := value.NewRedactor(value.Key("test"), value.Delivered)
	s := &compile.Snapshot{
		Environment: env, Values: values, Delivered: redactor.Redact(values, marks),
		Manifest: &compile.Manifest{Flags: patterns(tb, c.flags...), Public: patterns(tb, c.public...)},
	}
	if len(c.files) > 0 {
		s.Definitions = definitions(tb, c.files)
		s.Overrides = s.Definitions.In(env, experiment.Options{Stopped: func(_ experiment.Kind, key string) bool { return slices.Contains(c.stopped, key) }})
		s.DeliveredOverrides = s.Overrides.Redacted(func(path value.Path, v *value.Value) *value.Value { return redactor.RedactAt(path, v, marks) })
		if s.Overrides.Empty() {
			s.Overrides, s.DeliveredOverrides = nil, nil
		}
	}
	return &apply.Version{ID: commit, Snapshot: s, Held: c.held}
}

func grant(tb testing.TB, text string) access.Grant {
	tb.Helper()
	var g access.Grant
	if err := json.Unmarshal([]byte(text), &g); err != nil {
		tb.Fatal(err)
	}
	return g
}

func caller(tb testing.TB, text string) *access.Identity {
	return &access.Identity{Name: "test", Kind: access.KindToken, Grant: grant(tb, text)}
}

var everybody = &access.Identity{Name: "anyone", Kind: access.KindLocal, Grant: access.Whole(access.History)}

// as answers one request of a caller, without a socket.
func as(h http.Handler, who *access.Identity, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r.WithContext(access.NewContext(r.Context(), who)))
	return w
}

const single, bulk = "/ofrep/v1/evaluate/flags/", "/ofrep/v1/evaluate/flags"

// about is a body that tells of somebody.
func about(context string) string { return `{"context": ` + context + `}` }

// flag is one evaluation, or its failure.
type flag struct {
	Key, Reason, Variant, ErrorCode, ErrorDetails string
	Value                                         any
	Metadata                                      map[string]any
}

type flags struct {
	Flags        []flag
	Metadata     map[string]any
	EventStreams []struct {
		Type     string
		Endpoint struct{ RequestURI string }
	}
}

func read[T any](tb interface{ Fatal(...any) }, body io.Reader) T {
	var v T
	if err := json.NewDecoder(body).Decode(&v); err != nil {
		tb.Fatal(err)
	}
	return v
}

// shop is a small world: one value of each kind, a rollout to everybody of a country, one to half of the units, one that rests, and an
// experiment.
var shop = content{
	values: `
checkout: {timeout: 20, ui: {button: {color: blue, size: 2}}, limits: [1, 2], banner: null}
search: {newRanking: false, depth: 1.0}
paused: {x: 1}
secret: {dsn: "postgres://u:p@h/db", pool: 5}
`,
	files: map[string]string{
		"rollouts/ranking.yaml": "environments: [prod]\nunit: accountId\nsalt: ranking1\nset: {search.newRanking: true}\nforce: {vip: true, not: false}\nrules:\n" +
			"  - {name: german, when: 'context.country == \"DE\"'}\n  - {name: half, when: 'context.country == \"FR\"', percentage: 50%}\n",
		"rollouts/off.yaml":    "environments: [prod]\nset: {paused.x: 2}\nrules: [{name: all}]\n",
		"rollouts/secret.yaml": "environments: [prod]\nset: {secret.dsn: 'postgres://other'}\nrules: [{name: german, when: 'context.country == \"DE\"'}]\n",
		"layers/checkout.yaml": "unit: targetingKey\nsalt: layer1\n",
		"experiments/button.yaml": "environments: [prod]\nstatus: running\nlayer: checkout\nsalt: button1\nphase: 2\ntraffic: 100%\n" +
			"targeting: context.country != \"IT\"\nvariants: {control: {weight: 50%}, green: {weight: 50%, set: {checkout.ui.button.color: green}}}\nforce: {qa: green}\n" +
			"metrics: {primary: [m]}\nplan: {unitsTotal: 1000, minimumEffect: {relative: 10%}, alpha: 0.05, power: 0.8, minRuntime: 7d, onInconclusive: rollback}\n",
		"metrics/m.yaml": "name: M\nkind: proportion\nevent: m\n",
	},
	flags: []string{"checkout.**", "search.*", "paused.**"}, stopped: []string{"off"}, sensitive: []string{"secret.dsn"},
}

// counting is a guard that counts what it is told of, by the code.
func counting() (map[string]int, *access.Guard) {
	counted := map[string]int{}
	return counted, access.NewGuard(access.GuardOptions{Observe: func(code string) { counted[code]++ }})
}

// serving is a handler of one environment, prod.
func serving(tb testing.TB, c content) (*ofrep.Handler, *notifytest.Live) {
	tb.Helper()
	l := notifytest.NewLive()
	l.PutVersion("prod", compiled(tb, "prod", "commit1", c))
	return ofrep.New(ofrep.Options{Live: l}), l
}
