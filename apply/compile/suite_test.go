package compile_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/apply/compile"
)

// departure are cases of the suite that are not judged as it says.
type departure struct {
	cases string // how their names begin
	got   outcome
	why   string
}

// outcome is what becomes of a case.
type outcome string

const (
	fits       outcome = "the value fits"
	misfits    outcome = "the value does not fit"
	unreadable outcome = "a file is refused before a schema is asked"
	unusable   outcome = "the schema is refused"
	foreign    outcome = "the schema is refused because it refers to the network"
)

const (
	annotation    = "formats are asserted; to the suite they are annotations unless a dialect says otherwise"
	noControl     = "keys hold no control characters"
	noBigIntegers = "integers have at most 64 bits"
	unknownFormat = "the library does not know the format, and what it does not know it does not assert"
	noNetwork     = "nothing is fetched; the same cases run with their remotes as files under schemas/"
	asciiSpace    = "to RE2 white space is ASCII, and a vertical tab is none"
)

// departures is the whole list: a case that is judged as the suite says fails the test where something else is expected here. Those of
// the named cases for which suite and outcome agree are held to it like all others.
var departures = []departure{
	{"dependentRequired.json: dependencies with escaped characters", unreadable, noControl},
	{"dependentSchemas.json: dependencies with escaped characters", unreadable, noControl},
	{"dynamicRef.json: $ref and $dynamicAnchor are independent of order", foreign, noNetwork},
	{"dynamicRef.json: $ref to $dynamicRef finds detached $dynamicAnchor", foreign, noNetwork},
	{"dynamicRef.json: strict-tree schema", foreign, noNetwork},
	{"dynamicRef.json: tests for implementation dynamic anchor and reference link", foreign, noNetwork},
	{"format.json: date format: invalid", misfits, annotation},
	{"format.json: date-time format: invalid", misfits, annotation},
	{"format.json: duration format: invalid", misfits, annotation},
	{"format.json: email format: invalid", misfits, annotation},
	{"format.json: hostname format: invalid", misfits, annotation},
	{"format.json: ipv4 format: invalid", misfits, annotation},
	{"format.json: ipv6 format: invalid", misfits, annotation},
	{"format.json: iri format: invalid", misfits, annotation},
	{"format.json: iri-reference format: invalid", misfits, annotation},
	{"format.json: json-pointer format: invalid", misfits, annotation},
	{"format.json: regex format: invalid", misfits, annotation},
	{"format.json: relative-json-pointer format: invalid", misfits, annotation},
	{"format.json: time format: invalid", misfits, annotation},
	{"format.json: uri format: invalid", misfits, annotation},
	{"format.json: uri-reference format: invalid", misfits, annotation},
	{"format.json: uri-template format: invalid", misfits, annotation},
	{"format.json: uuid format: invalid", misfits, annotation},
	{"optional/bignum.json: integer: a bignum", unreadable, noBigIntegers},
	{"optional/bignum.json: integer: a negative bignum", unreadable, noBigIntegers},
	{"optional/bignum.json: maximum integer comparison", unreadable, noBigIntegers},
	{"optional/bignum.json: minimum integer comparison", unreadable, noBigIntegers},
	{"optional/bignum.json: number", unreadable, noBigIntegers},
	{"optional/bignum.json: string", unreadable, noBigIntegers},
	{"optional/dependencies-compatibility.json: dependencies with escaped characters", unreadable, noControl},
	{"optional/dependencies-compatibility.json: schema dependencies with escaped characters", unreadable, noControl},
	{`optional/ecmascript-regex.json: ECMA 262 \s matches whitespace: Line tabulation`, misfits, asciiSpace},
	{`optional/ecmascript-regex.json: ECMA 262 \s matches whitespace: latin-1 non-breaking-space`, misfits, asciiSpace},
	{`optional/ecmascript-regex.json: ECMA 262 \s matches whitespace: zero-width whitespace`, misfits, asciiSpace},
	{`optional/ecmascript-regex.json: ECMA 262 \s matches whitespace: paragraph separator`, misfits, asciiSpace},
	{`optional/ecmascript-regex.json: ECMA 262 \s matches whitespace: EM SPACE`, misfits, asciiSpace},
	{`optional/ecmascript-regex.json: ECMA 262 \S matches everything but whitespace: Line tabulation`, fits, asciiSpace},
	{`optional/ecmascript-regex.json: ECMA 262 \S matches everything but whitespace: latin-1 non-breaking-space`, fits, asciiSpace},
	{`optional/ecmascript-regex.json: ECMA 262 \S matches everything but whitespace: zero-width whitespace`, fits, asciiSpace},
	{`optional/ecmascript-regex.json: ECMA 262 \S matches everything but whitespace: paragraph separator`, fits, asciiSpace},
	{`optional/ecmascript-regex.json: ECMA 262 \S matches everything but whitespace: EM SPACE`, fits, asciiSpace},
	{`optional/ecmascript-regex.json: ECMA 262 regex escapes control codes`, unusable, `RE2 has no \c`},
	{`optional/ecmascript-regex.json: \a is not an ECMA 262 control escape`, fits, `RE2 has \a`},
	{"optional/format-assertion.json", foreign, noNetwork},
	{"optional/format/idn-email.json", fits, unknownFormat},
	{"optional/format/idn-hostname.json", fits, unknownFormat},
	{"properties.json: properties with escaped characters", unreadable, noControl},
	{"refRemote.json", foreign, noNetwork},
	{"required.json: required with escaped characters", unreadable, noControl},
	{"vocabulary.json", foreign, noNetwork},
}

// The official test suite of JSON Schema 2020-12 through the whole way of a commit: each case is a config repo with a schema, and a
// value at the place that the schema is bound to.
func TestSuite(t *testing.T) {
	cases, departed := 0, map[departure]int{}
	eachSuiteFile(t, "draft2020-12", func(path, text string) {
		var groups []suiteGroup
		if err := json.Unmarshal([]byte(text), &groups); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for _, g := range groups {
			g.name = path + ": " + g.Description
			cases += g.run(t, departed)
			if strings.Contains(string(g.Schema), suiteHost) {
				cases += g.withRemotes(t).run(t, departed)
			}
		}
	})
	total := 0
	for _, d := range departures {
		total += departed[d]
		if departed[d] == 0 {
			t.Errorf("no case departs as listed: %+v", d)
		}
	}
	t.Logf("%d cases, %d of which are listed as departing from the suite", cases, total)
}

// suiteGroup are the cases of one schema.
type suiteGroup struct {
	Description string
	Schema      json.RawMessage
	Tests       []struct {
		Description string
		Data        json.RawMessage
		Valid       bool
	}

	name    string
	remotes map[string]string // what the schema refers to, as files of the config repo
}

// run judges the cases, one commit after the other, and counts them.
func (g suiteGroup) run(t *testing.T, departed map[departure]int) int {
	repo := maps.Clone(g.remotes)
	if repo == nil {
		repo = map[string]string{}
	}
	repo["schemas/value.schema.json"] = g.schema()
	c, s := compile.New(key), newStore()
	for _, test := range g.Tests {
		name, want := g.name+": "+test.Description, misfits
		if test.Valid {
			want = fits
		}
		i := slices.IndexFunc(departures, func(d departure) bool { return strings.HasPrefix(name, d.cases) })
		if i >= 0 && departures[i].got != want {
			departed[departures[i]]++
			want = departures[i].got
		}
		repo["config/_index.json"] = fmt.Sprintf(`{"value": %s}`, test.Data)
		result := compileTree(t, c, s, s.put(repo), nil)
		if got := outcomeOf(result); got != want {
			t.Errorf("%s:\n%s; the test expects that %s\n%s", name, got, want, describe(result))
		}
	}
	return len(g.Tests)
}

// schema is the schema as a file can hold it: true and false, which are no maps, stand in one.
func (g suiteGroup) schema() string {
	if text := string(g.Schema); text != "true" && text != "false" {
		return text
	}
	return fmt.Sprintf(`{"allOf": [%s]}`, g.Schema)
}

// suiteHost is where the suite wants its remotes served, suiteFiles where the files under schemas/ are to be found.
const (
	suiteHost  = "http://localhost:1234/"
	suiteFiles = "trunkline://config/schemas/"
)

// withRemotes is the group with its remotes as files under schemas/, and what refers to them changed to there.
func (g suiteGroup) withRemotes(t *testing.T) suiteGroup {
	g.name = "with its remotes, " + g.name
	g.Schema = json.RawMessage(strings.ReplaceAll(string(g.Schema), suiteHost, suiteFiles))
	g.remotes = map[string]string{}
	eachSuiteFile(t, "remotes", func(path, text string) {
		g.remotes["schemas/"+path] = strings.ReplaceAll(text, suiteHost, suiteFiles)
	})
	return g
}

func eachSuiteFile(t *testing.T, dir string, visit func(path, text string)) {
	t.Helper()
	files := os.DirFS("testdata/suite/" + dir)
	err := fs.WalkDir(files, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, path)
		visit(path, string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func outcomeOf(r *compile.Result) outcome {
	if r.Valid(compile.DefaultEnvironment) {
		return fits
	}
	for _, p := range r.Problems {
		switch {
		case p.Severity == compile.Warning:
		case p.Stage != compile.StageSchemas:
			return unreadable
		case p.Rule == "schemaInvalid" && strings.Contains(p.Message, "refers to "+suiteHost):
			return foreign
		case p.Rule == "schemaInvalid" || p.Rule == "schemaTooCostly":
			return unusable
		}
	}
	return misfits
}
