package api_test

import (
	"strings"
	"testing"

	"github.com/trunkline/trunkline/access"
)

// What environments beyond the grant set is told where it counts, with its commit, and their folders and names are not.
func TestPlacesBeyondTheGrant(t *testing.T) {
	w := begin(t, map[string]string{
		"trunkline.yaml":                     "version: 1\nenvironments: {hidden: {}, shop: {extends: hidden}, other: {}}\n",
		"config/db.yaml":                     "pool: 1\nsize: 1\nown: 1\n",
		"environments/hidden/db/_index.yaml": "pool: 2\n",
		"environments/shop/db.yaml":          "own: 2\n",
		"schemas/db.schema.json":             `{"properties": {"pool": {"type": "integer"}}}`,
	})
	first := w.remote.Head()
	w.push("Beneath", map[string]string{"environments/hidden/db/_index.yaml": "pool: 3\n"})
	misfit := w.push("Misfit", map[string]string{"environments/hidden/db/_index.yaml": "pool: many\n"})
	twice := w.push("Twice", map[string]string{"environments/hidden/db/_index.yaml": "pool: 3\n", "environments/hidden/db.yaml": "pool: 4\n"})
	w.push("Undeclared", map[string]string{"environments/hidden/db.yaml": "-", "environments/hiddenToo/db.yaml": "pool: 4\n"})
	w.push("Circle", map[string]string{
		"environments/hiddenToo/db.yaml": "-", "trunkline.yaml": "version: 1\nenvironments: {hidden: {extends: shop}, shop: {extends: hidden}, other: {}}\n",
	})
	w.push("Removed beneath", map[string]string{
		"trunkline.yaml":                     "version: 1\nenvironments: {hidden: {}, shop: {extends: hidden}, other: {}}\n",
		"environments/hidden/db/_index.yaml": "size: {$patch: delete}\n",
	})

	last := w.remote.Head()
	for path, want := range map[string]string{
		"/v1/blame/**?env=shop&at=" + first:                         `"path":"db.pool","value":2,"file":"","line":0,"column":0,"commit":"` + first,
		"/v1/blame/db.own?env=shop":                                 `"file":"environments/shop/db.yaml"`,
		"/v1/blame/db.size?env=shop&at=" + first:                    `"file":"config/db.yaml"`,
		"/v1/blame/db.size?env=shop":                                `"last":"` + misfit + `","place":{"file":"config/db.yaml","line":2,"column":7}}`,
		"/v1/diff?env=shop&from=" + first:                           `{"path":"db.pool","op":"replace","old":2,"new":1,"newPlace":{"file":"config/db.yaml","line":1,"column":7}}`,
		"/v1/diff?env=shop&format=text&from=" + first:               "db.pool: 2 → 1",
		"/v1/diff?env=shop&format=patch&from=" + first:              `{"op":"replace","path":"/db/pool","value":1}`,
		"/v1/diff?env=shop&path=db.*&from=" + last + "&to=" + first: `"oldPlace":{"file":"config/db.yaml"`,
		"/v1/explain/db.pool?env=shop&at=" + first:                  `"environment":"shop","folder":"","file":"","line":0,"column":0,"op":"replace","value":2,"effective":true`,
		"/v1/explain/db.size?env=shop&at=" + last:                   `"op":"delete"`,
		"/v1/matrix?env=shop&at=" + first:                           `"environments":["shop"]`,
		"/v1/config/db?env=shop&at=" + misfit:                       "does not fit the schemas in shop: error: db.pool: it is a string",
		"/v1/config/db?env=shop&at=" + twice:                        "does not compile for shop: error: db.pool: the path is written by two files of one layer (pathTwice)",
		"/v1/versions?env=shop":                                     `"subject":"Twice"`,
	} {
		for name, who := range map[string]*access.Identity{"all values": reader(t, "shop", "**"), "some": reader(t, "shop", "db.**")} {
			got := w.get(who, path)
			if strings.Contains(got, "hidden") || strings.Contains(got, "other") || !strings.Contains(got, want) {
				t.Errorf("%s, to who sees %s: no %s in %s", path, name, want, got)
			}
		}
	}
	whole := reader(t, "*", "**")
	if got := w.get(whole, "/v1/blame/db.pool?env=shop&at="+first); !strings.Contains(got, `"file":"environments/hidden/db/_index.yaml"`) {
		t.Errorf("to who has all environments: %s", got)
	}
	if got := w.get(whole, "/v1/versions"); !strings.Contains(got, "the other place is environments/hidden/db") {
		t.Errorf("to who has all environments: %s", got)
	}
}
