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
	"value":              {},
	"value/document":     {"value"},
	"value/expr":         {"value"},
	"gitsync":            {},
	"webhook":            {},
	"access":             {"value", "value/document"},
	"client/wire":        {},
	"client":             {"client/wire", "internal/atomicfile", "value"},
	"experiment":         {"value", "value/expr"},
	"apply/compile":      {"experiment", "value", "value/document", "value/expr"},
	"apply/validator":    {"apply/compile", "value", "value/document"},
	"apply":              {"apply/compile", "experiment", "gitsync", "value"},
	"follow":             {"apply", "apply/compile", "client", "client/local", "experiment", "gitsync", "internal/atomicfile", "value"},
	"audit":              {"apply", "apply/compile", "experiment", "gitsync", "value"},
	"web":                {},
	"notify":             {"access", "apply", "client/wire", "experiment", "gitsync", "value"},
	"history":            {"apply", "apply/compile", "gitsync", "value"},
	"api":                {"access", "apply", "apply/compile", "audit", "experiment", "gitsync", "history", "value"},
	"api/ofrep":          {"access", "apply", "experiment", "value"},
	"client/local":       {"client", "client/wire", "experiment", "value"},
	"client/openfeature": {"client", "client/local", "value"},
	"server":             {"access", "api", "api/ofrep", "apply", "apply/compile", "apply/validator", "audit", "experiment", "gitsync", "history", "internal/atomicfile", "notify", "value", "web", "webhook"},
	"cmd/trunkline":      {"", "access", "api", "apply", "apply/compile", "audit", "client", "experiment", "experiment/stats", "gitsync", "internal/atomicfile", "server", "value", "value/document"},

	"":                    {},
	"notify/notifytest":   {"apply", "apply/compile", "experiment", "gitsync", "value"},
	"experiment/stats":    {},
	"internal/gittest":    {},
	"internal/atomicfile": {},
	"client/clienttest":   {"client", "value"},
	"examples":            {}, // tests alone
	"examples/client":     {"client"},
	"examples/inprocess":  {"client", "follow"},
	"bench":               {"", "access", "api/ofrep", "apply", "apply/compile", "audit", "client", "client/local", "experiment", "gitsync", "internal/gittest", "notify", "notify/notifytest", "value"},
	"deploy":              {}, // tests alone
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

// TestProgramsStayLight holds what programs that read take on. A client: neither Git nor the bus, nor anything of the server. One that
// follows by itself: no bus, and nothing that serves.
func TestProgramsStayLight(t *testing.T) {
	for name, heavy := range map[string][]string{
		"client": {
			"go-git", "nats-io", "prometheus", "yaml.v3", "jsonschema", "cel-go", "antlr", "open-feature", module + "/experiment", module + "/apply", module + "/server",
		},
		"client/local":       {"go-git", "nats-io", "prometheus", "yaml.v3", "jsonschema", "open-feature", module + "/apply", module + "/server"},
		"client/openfeature": {"go-git", "nats-io", "prometheus", "yaml.v3", "jsonschema", module + "/apply", module + "/server"},
		"follow":             {"nats-io", "prometheus", module + "/audit", module + "/access", module + "/notify", module + "/api", module + "/server"},
	} {
		out, err := exec.Command("go", "list", "-deps", "./"+name).Output()
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		for path := range strings.Lines(string(out)) {
			path = strings.TrimSpace(path)
			if slices.ContainsFunc(heavy, func(part string) bool { return strings.Contains(path, part) }) {
				t.Errorf("%s depends on %s", name, path)
			}
		}
	}
}
