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
	"client":          {"client/wire", "internal/atomicfile", "value"},
	"experiment":      {"value", "value/expr"},
	"apply/compile":   {"value", "value/document", "value/expr"},
	"apply/validator": {"apply/compile", "value", "value/document"},
	"apply":           {"apply/compile", "gitsync", "value"},
	"follow":          {"apply", "apply/compile", "client", "gitsync", "internal/atomicfile", "value"},
	"audit":           {"apply", "apply/compile", "gitsync", "value"},
	"web":             {},
	"notify":          {"access", "apply", "client/wire", "gitsync", "value"},
	"history":         {"apply", "apply/compile", "gitsync", "value"},
	"api":             {"access", "apply", "apply/compile", "audit", "gitsync", "history", "value"},
	"server":          {"access", "api", "apply", "apply/compile", "apply/validator", "audit", "gitsync", "history", "internal/atomicfile", "notify", "value", "web", "webhook"},
	"cmd/trunkline":   {"", "access", "api", "apply", "apply/compile", "audit", "client", "gitsync", "internal/atomicfile", "server", "value", "value/document"},

	"":                    {},
	"notify/notifytest":   {"apply", "apply/compile", "gitsync", "value"},
	"internal/gittest":    {},
	"internal/atomicfile": {},
	"client/clienttest":   {"client", "value"},
	"examples":            {}, // tests alone
	"examples/client":     {"client"},
	"examples/inprocess":  {"client", "follow"},
	"bench":               {"", "apply", "apply/compile", "audit", "client", "gitsync", "internal/gittest", "value"},
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
		"client": {"go-git", "nats-io", "prometheus", "yaml.v3", "jsonschema", module + "/apply", module + "/server"},
		"follow": {"nats-io", "prometheus", module + "/audit", module + "/access", module + "/notify", module + "/api", module + "/server"},
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
