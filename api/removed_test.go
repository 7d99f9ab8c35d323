package api_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/api"
)

// Blame of what is gone tells who took it away, and where it can still be read.
func TestBlameOfWhatIsGone(t *testing.T) {
	w := begin(t, map[string]string{
		"trunkline.yaml": "version: 1\nenvironments: {prod: {}, staging: {}}\n", "config/db.yaml": "pool: 1\nsize: 1\n", "schemas/db.schema.json": `{"properties": {"pool": {"type": "integer"}}}`,
	})
	first := w.remote.Head()
	gone := w.push("Drop the pool", map[string]string{"config/db.yaml": "size: 1\n"})
	w.push("Misfit", map[string]string{"config/db.yaml": "size: 1\npool: many\nlate: 1\n"})
	mended := w.push("Mend", map[string]string{"config/db.yaml": "size: 1\n"})
	all := reader(t, "*", "**")

	status, body, _ := strings.Cut(w.get(all, "/v1/blame/db.pool?env=prod&at="+gone), " ")
	var answer struct {
		Error struct {
			Code, Message, Hint string
			Removed             *api.Removed
		}
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.Error.Removed == nil {
		t.Fatalf("%s %s: %v", status, body, err)
	}
	e := answer.Error
	if status != "404" || e.Code != "pathNotFound" || e.Message != "db.pool holds no value" {
		t.Errorf("%s %+v", status, e)
	}
	if r := e.Removed; r.Commit != gone || r.Subject != "Drop the pool" || r.Author.Name != "Ada" || r.Verdict != "valid" || r.Last != first || r.Overlay != nil ||
		r.Place == nil || r.Place.String() != "config/db.yaml:1:7" {
		t.Errorf("removed: %s", body)
	}
	for _, part := range []string{gone[:12] + ` "Drop the pool" of Ada, 2026-01-01T`, "removed it from config/db.yaml:1:7", "--at " + first[:12], "under db there are size"} {
		if !strings.Contains(e.Hint, part) {
			t.Errorf("no %s in the hint %s", part, e.Hint)
		}
	}
	for path, want := range map[string]string{
		"/v1/blame/db.late?env=prod":   mended[:12] + ` \"Mend\" of Ada`,
		"/v1/blame/db.never?env=prod":  `"hint":"under db there are size"`,
		"/v1/blame/db.pol?env=prod":    `"hint":"under db there are size"`,
		"/v1/blame/db.pool.x?env=prod": `"hint":"under db there are size"`,
		"/v1/blame/db%00?env=prod":     "badPath",
	} {
		if got := w.get(all, path); !strings.Contains(got, want) || strings.Contains(got, "db.late") && strings.Contains(got, "--at") {
			t.Errorf("%s: %s, want %s", path, got, want) // what was never valid cannot be read
		}
	}
	if got := w.get(reader(t, "*", "db.size"), "/v1/blame/db.pool?env=prod"); strings.Contains(got, "Mend") || !strings.Contains(got, "404") {
		t.Errorf("to who does not see it: %s", got)
	}
}

// A version that its schemas reject has no values: the answer names the place and where to find one that has.
func TestVersionsThatDoNotFit(t *testing.T) {
	w := begin(t, map[string]string{"config/db.yaml": "pool: 1\n", "schemas/db.schema.json": `{"properties": {"pool": {"type": "integer"}}}`})
	misfit := w.push("Misfit", map[string]string{"config/db.yaml": "pool: many\n"})
	broken := w.push("Broken", map[string]string{"config/db.yaml": "pool: [\n"})
	for commit, want := range map[string]string{
		misfit: "does not fit the schemas in default: config/db.yaml:1:7: error: db.pool: it is a string; it must be an integer", broken: "does not compile for default: config/db.yaml:",
	} {
		for _, path := range []string{"/v1/config/db", "/v1/diff", "/v1/blame/db", "/v1/explain/db"} {
			got := w.get(reader(t, "*", "**"), path+"?toEnv=default&at="+commit)
			for _, part := range []string{`409 {"error":{"code":"unfit"`, want, "/v1/versions?env=default", "trunkline history --env default --verdict valid"} {
				if !strings.Contains(strings.ReplaceAll(got, `\u0026`, "&"), part) {
					t.Errorf("%s: no %s in %s", path, part, got)
				}
			}
		}
	}
}
