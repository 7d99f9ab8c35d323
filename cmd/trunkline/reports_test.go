package main

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/trunkline/trunkline/internal/gittest"
)

// A SARIF log fits the schema of OASIS, and has what GitHub asks beyond it, whatever is wrong with a repo and however it is judged. The
// repos are those of the compiler's own tests, one of each kind of problem, and what is special to a report.
func TestSARIF(t *testing.T) {
	remote := gittest.NewRemote(t)
	repos := sarifRepos(t)
	for name, files := range repos {
		remote.Write(within(name, files.before))
	}
	remote.Commit("Begin")
	for name, files := range repos {
		remote.Remove(folderOf(name))
		remote.Write(within(name, files.now))
	}
	remote.Commit("Break")
	schema := oasisSchema(t)
	for name := range repos {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told := 0
			for _, args := range [][]string{nil, {"--baseline", "HEAD~1"}, {"--commit", "HEAD~1.."}} {
				text := sarifOf(t, append(args, filepath.Join(remote.Work(), folderOf(name))))
				document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
				if err != nil {
					t.Fatal(err)
				}
				if err := schema.Validate(document); err != nil {
					t.Errorf("%v: %v", args, err)
				}
				var log sarifLog
				if err := json.Unmarshal(text, &log); err != nil {
					t.Fatal(err)
				}
				told += len(log.Runs[0].Results)
				checkForGitHub(t, log.Runs[0], remote.Work())
			}
			if (told == 0) != (name == "nothing wrong") {
				t.Errorf("%d results", told)
			}
		})
	}
}

type sarifRepo struct{ before, now map[string]string }

func sarifRepos(t *testing.T) map[string]sarifRepo {
	valid := map[string]string{"environments/prod/a.yaml": "x: 1\n", "config/a.yaml": "y: 1\n"}
	repos := map[string]sarifRepo{
		"nothing wrong":           {now: valid},
		"no file to point at":     {before: valid, now: map[string]string{"environments/prod/.keep": "", "config/.keep": ""}},
		"a folder that is no URI": {now: map[string]string{"config/50% of a:b/ü#?&+ [1] \"é.yaml": "a: 1\na: 2\n"}},
		"columns":                 {now: map[string]string{"config/a.yaml": "{\"😀é\": 1, \"😀é\": 2}\n", "config/b.json": "{\"😀é\":\t[1, 2,, 3]}"}},
		"more than are told":      {now: map[string]string{"config/a.yaml": strings.Repeat("a: 1\n", 300)}},
	}
	archives, err := filepath.Glob("../../apply/compile/testdata/problems/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, path := range archives {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		repo := sarifRepo{map[string]string{}, map[string]string{}}
		for _, f := range archive.Files {
			if name, old := strings.CutPrefix(f.Name, "before/"); old {
				repo.before[name] = string(f.Data)
			} else {
				repo.now[f.Name] = string(f.Data)
			}
		}
		repos[strings.TrimSuffix(filepath.Base(path), ".txtar")] = repo
	}
	return repos
}

func folderOf(name string) string { return "config repos/" + name }

func within(name string, files map[string]string) map[string]string {
	all := map[string]string{}
	for path, text := range files {
		all[folderOf(name)+"/"+path] = text
	}
	return all
}

func oasisSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile("testdata/sarif/sarif-schema-2.1.0.json")
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(sarifSchema, document); err != nil {
		t.Fatal(err)
	}
	return c.MustCompile(sarifSchema)
}

func sarifOf(t *testing.T, args []string) []byte {
	t.Helper()
	var out, talk bytes.Buffer
	code := execute(t.Context(), append([]string{"validate", "--sarif"}, args...), &streams{out: &out, err: &talk})
	if out.Len() == 0 {
		t.Fatalf("%v: exit code %d, nothing written: %s", args, code, &talk)
	}
	return out.Bytes()
}

// checkForGitHub holds a run to what code scanning needs of it: every result of a rule that is listed, at a place of the repository.
func checkForGitHub(t *testing.T, run sarifRun, root string) {
	t.Helper()
	rules := map[string]bool{}
	for _, rule := range run.Tool.Driver.Rules {
		if rules[rule.ID] {
			t.Errorf("the rule %s is listed twice", rule.ID)
		}
		rules[rule.ID] = true
	}
	for _, result := range run.Results {
		if !rules[result.RuleID] || result.Message.Text == "" || len(result.Locations) != 1 {
			t.Errorf("%+v", result)
			continue
		}
		place := result.Locations[0].Physical
		uri, err := url.Parse(place.Artifact.URI)
		if err != nil || uri.IsAbs() || uri.RawQuery != "" || uri.Fragment != "" {
			t.Errorf("%s is no path: %v", place.Artifact.URI, err)
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(uri.Path)))
		if err != nil && place.Region == (sarifRegion{1, 1}) {
			continue // it concerns a folder, or what is not there
		}
		lines := strings.Split(string(text), "\n")
		if at := place.Region; err != nil || at.StartLine < 1 || at.StartLine > len(lines) ||
			at.StartColumn < 1 || at.StartColumn > utf8.RuneCountInString(lines[at.StartLine-1])+1 {
			t.Errorf("%s:%d:%d is not there: %v (%s)", uri.Path, at.StartLine, at.StartColumn, err, result.Message.Text)
		}
	}
}
