package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

const (
	corpusFiles     = 200
	corpusFileBytes = 50_000
)

// writeCorpus writes "10 MB": 200 YAML files of 50 kB that look like the configuration of services, and three environments that
// overlay some of them.
func writeCorpus(dir string) error {
	random := rand.New(rand.NewPCG(1, 2))
	for i := range corpusFiles {
		if err := write(dir, corpusFile(i), serviceConfig(random, i)); err != nil {
			return err
		}
	}
	var environments strings.Builder
	for _, env := range []string{"staging", "prod", "prodEu"} {
		extends := "{}"
		if env == "prodEu" {
			extends = "{extends: prod}"
		}
		fmt.Fprintf(&environments, "  %s: %s\n", env, extends)
		for i := range corpusFiles / 10 {
			overlay := fmt.Sprintf("limits: {cpu: %d, memory: %dMi}\nendpoints:\n  svc%03d0: {timeout: %dms}\n", i+1, 128*(i+1), i*10, 10*(i+1))
			if err := write(dir, fmt.Sprintf("environments/%s/services/svc%03d.yaml", env, i*10), overlay); err != nil {
				return err
			}
		}
	}
	return write(dir, "trunkline.yaml", "version: 1\nenvironments:\n"+environments.String())
}

const corpusPolicies = 50

// writeGuardedCorpus writes the same with a schema for every file, all of which refer to one more, and 50 policies, half of them over
// changes.
func writeGuardedCorpus(dir string) error {
	if err := writeCorpus(dir); err != nil {
		return err
	}
	for i := range corpusFiles {
		if err := write(dir, fmt.Sprintf("schemas/services/svc%03d.schema.json", i), serviceSchema); err != nil {
			return err
		}
	}
	if err := write(dir, sharedSchemaFile, sharedSchema(0)); err != nil {
		return err
	}
	var policies strings.Builder
	policies.WriteString("policies:\n")
	for i := range corpusPolicies {
		rule := fmt.Sprintf("match: services.*.limits, expression: self.cpu < %d", 100+i)
		if i%2 == 1 {
			rule = fmt.Sprintf("match: services.*.revision, expression: self <= oldSelf + %d", 1000+i)
		}
		fmt.Fprintf(&policies, "  - {id: rule%d, %s}\n", i, rule)
	}
	return write(dir, "policies/all.yaml", policies.String())
}

const serviceSchema = `{
  "type": "object", "required": ["name", "revision", "limits", "endpoints"], "additionalProperties": false,
  "properties": {
    "name": {"type": "string", "pattern": "^svc[0-9]+$"}, "revision": {"type": "integer", "minimum": 0},
    "limits": {"type": "object", "properties": {"cpu": {"type": "integer", "minimum": 1}, "memory": {"type": "string"}}},
    "endpoints": {"type": "object", "additionalProperties": {"$ref": "../endpoint.json"}}
  }
}
`

const sharedSchemaFile = "schemas/endpoint.json"

// sharedSchema is what all schemas refer to, in its n-th version.
func sharedSchema(n int) string {
	return fmt.Sprintf(`{
  "type": "object", "properties": {
    "url": {"type": "string"}, "timeout": {"type": "string", "pattern": "^[0-9]+ms$"}, "retries": {"type": "integer", "maximum": %d},
    "weight": {"type": "number", "minimum": 0}, "enabled": {"type": "boolean"},
    "headers": {"type": "object", "additionalProperties": {"type": "string"}}, "tags": {"type": "array", "items": {"type": "string"}}}
}
`, 10+n)
}

func corpusFile(i int) string { return fmt.Sprintf("config/services/svc%03d.yaml", i) }

func write(dir, file, text string) error {
	path := filepath.Join(dir, filepath.FromSlash(file))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// serviceConfig is one file: nested maps, lists, strings, numbers, booleans and comments.
func serviceConfig(random *rand.Rand, service int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Service %d\nname: svc%03d\nrevision: 0\nlimits: {cpu: 2, memory: 512Mi}\nendpoints:\n", service, service)
	for e := 0; b.Len() < corpusFileBytes; e++ {
		fmt.Fprintf(&b, "  svc%03d%d:\n    url: https://svc%d.internal:%d/v1/resource%d\n    timeout: %dms\n    retries: %d\n    weight: %.3f\n    enabled: %t\n",
			service, e, random.IntN(900), 1024+random.IntN(60000), e, random.IntN(5000), random.IntN(5), random.Float64(), random.IntN(2) == 0)
		fmt.Fprintf(&b, "    headers:\n      X-Request-Class: class-%d\n      X-Owner: team-%d\n    tags: [tier-%d, zone-%c, \"release %d\"]\n",
			random.IntN(9), random.IntN(40), random.IntN(4), 'a'+rune(random.IntN(3)), random.IntN(99))
	}
	return b.String()
}
