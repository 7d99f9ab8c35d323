package trunkline_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/trunkline/trunkline"

// knows says which packages of the project each one may import, apart from those of tests. A package that is not named here
// fails the test: settle where it belongs first.
var knows = map[string][]string{
	"value":           {},
	"value/document":  {"value"},
	"value/expr":      {"value"},
	"gitsync":         {},
	"webhook":         {},
	"access":          {"value", "value/document"},
	"client/wire":     {},
	"client":          {"client/wire", "value"},
	"experiment":      {"value", "value/expr"},
	"apply/compile":   {"value", "value/document", "value/expr"},
	"apply/validator": {"apply/compile", "value", "value/document"},
	"apply":           {"apply/compile", "gitsync", "value"},
	"audit":           {"apply", "apply/compile", "gitsync", "value"},
	"notify":          {"access", "apply", "client/wire", "value"},
	"api":             {"access", "apply", "apply/compile", "audit", "gitsync", "value"},
	"server":          {"access", "api", "apply", "apply/compile", "apply/validator", "audit", "gitsync", "notify", "value", "webhook"},
	"cmd/trunkline":   {"", "access", "api", "apply", "apply/compile", "client", "gitsync", "server", "value"},

	"":                  {},
	"notify/notifytest": {"apply", "apply/compile", "gitsync", "value"},
	"internal/gittest":  {},
	"bench":             {"", "apply", "apply/compile", "client", "gitsync", "internal/gittest", "value"},
	"deploy":            {}, // tests alone
}

func TestImportsRunOneWay(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		name := inModule(p.ImportPath)
		allowed, known := knows[name]
		if !known {
			t.Errorf("package %q is not in the table", name)
		}
		for _, imported := range p.Imports {
			if strings.HasPrefix(imported, module) && !slices.Contains(allowed, inModule(imported)) {
				t.Errorf("%q must not import %q", name, inModule(imported))
			}
		}
	}
}

func inModule(path string) string { return strings.TrimPrefix(strings.TrimPrefix(path, module), "/") }

// TestClientIsLight holds what programs that only read take on: neither Git nor the bus, nor anything of the server.
func TestClientIsLight(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "./client").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for path := range strings.Lines(string(out)) {
		path = strings.TrimSpace(path)
		for _, heavy := range []string{"go-git", "nats-io", "prometheus", "yaml.v3", "jsonschema", module + "/apply", module + "/server"} {
			if strings.Contains(path, heavy) {
				t.Errorf("the client depends on %s", path)
			}
		}
	}
}
