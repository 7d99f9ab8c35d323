package compile_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/trunkline/trunkline/apply/compile"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Every archive under testdata/problems is a config repo. Files under before/ are the commit that was valid before it. The golden
// file beside it tells what is found, whole.
func TestProblems(t *testing.T) {
	archives, err := filepath.Glob("testdata/problems/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, path := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			before, now := map[string]string{}, map[string]string{}
			for _, f := range archive.Files {
				if name, old := strings.CutPrefix(f.Name, "before/"); old {
					before[name] = string(f.Data)
				} else {
					now[f.Name] = string(f.Data)
				}
			}
			baselines := compile.Baselines{}
			if len(before) > 0 {
				first := compiled(t, before, nil)
				if len(first.Snapshots) != len(first.Environments) {
					t.Fatalf("the commit before is not valid:\n%s", describe(first))
				}
				baselines = first.Snapshots
			}
			golden(t, strings.TrimSuffix(path, ".txtar")+".golden", describe(compiled(t, now, baselines)))
		})
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// describe tells all of a result but its values.
func describe(r *compile.Result) string {
	var b strings.Builder
	for _, env := range r.Environments {
		verdict := "rejected"
		if r.Valid(env) {
			verdict = "valid"
		}
		fmt.Fprintf(&b, "%s: %s, %d errors\n", env, verdict, r.Errors(env))
	}
	if len(r.Retired) > 0 {
		fmt.Fprintf(&b, "retired: %s\n", strings.Join(r.Retired, " "))
	}
	for _, p := range r.Problems {
		fmt.Fprintf(&b, "\n%s %s %s in %s\n", p.Stage, p.Severity, p.Rule, strings.Join(p.Environments, " "))
		if p.File != "" {
			fmt.Fprintf(&b, "  place:   %s:%d:%d\n", p.File, p.Line, p.Column)
		}
		if p.Path != "" || p.Pointer != "" {
			fmt.Fprintf(&b, "  path:    %s %s\n", p.Path, p.Pointer)
		}
		fmt.Fprintf(&b, "  message: %s\n", p.Message)
		if p.Hint != "" {
			fmt.Fprintf(&b, "  hint:    %s\n", p.Hint)
		}
	}
	if r.Omitted > 0 {
		fmt.Fprintf(&b, "\n%d more\n", r.Omitted)
	}
	return b.String()
}
