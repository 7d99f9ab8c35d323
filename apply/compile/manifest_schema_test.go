package compile_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/trunkline/trunkline/value"
	"github.com/trunkline/trunkline/value/document"
)

// TestPublishedManifestSchema holds that the schema editors check trunkline.yaml by says what the server says.
func TestPublishedManifestSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join("..", "..", "docs", "schemas", "manifest.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, manifest := range []string{
		"version: 1", "version: 1\nenvironments: {prod: {}, prodEu: {extends: prod}, old: {retired: true}, bare: }",
		"version: 1\napply: together\nsensitive: [a.b, '**.dsn']\nsecrets: {allow: [x]}",
		"version: 2", "version: '1'", "environments: {}", "version: 1\nenviroments: {}", "version: 1\nenvironments: [prod]",
		"version: 1\nenvironments: {1prod: {}}", "version: 1\nenvironments: {'a b': {}}", "version: 1\nenvironments: {prod: 1}",
		"version: 1\nenvironments: {prod: {extend: x}}", "version: 1\nenvironments: {prod: {extends: ''}}",
		"version: 1\nenvironments: {prod: {}, x: {retired: yes}}", "version: 1\napply: all", "version: 1\nsensitive: a.b",
		"version: 1\nsensitive: [1]", "version: 1\nsecrets: [a]", "version: 1\nsecrets: {alow: [a]}", "version: 1\nsecrets: {allow: ['']}",
		"version: 1\nflags: [a.**]\npublic: [a]", "version: 1\nflags: a", "version: 1\npublic: [1]",
		"version: 1\ncommits: {signed: required, authors: ['*@example.com']}", "version: 1\ncommits: {signed: optional}",
		"version: 1\ncommits: {signed: true}", "version: 1\ncommits: {authors: [1]}", "version: 1\ncommits: {sign: required}",
		"version: 1\ncommits: [signed]", "version: 1\ndirectories: {config: config}", "version: 1\ndirectories: {config: /etc}",
		"version: 1\ndirectories: {config: ../x}", "version: 1\ndirectories: {config: a/./b}", "version: 1\ndirectories: {config: ''}",
		"version: 1\ndirectories: {confg: a}", "version: 1\ndirectories: {schemas: 1}", "version: 1\nignore: ['**/README.md']",
		"version: 1\ndirectories: {rollouts: flags}", "version: 1\ndirectories: {rollouts: 1}",
		"version: 1\ncontext:", "version: 1\ncontext: {}", "version: 1\ncontext: [country]", "version: 1\ncontext: {type: string}", "version: 1\ncontext: {type: object}",
		"version: 1\ncontext: {additionalProperties: true}", "version: 1\ncontext: {additionalProperties: 1}", "version: 1\ncontext: {country: {type: string}}",
		"version: 1\ncontext: {properties: {country: {type: string, description: where}, tags: {type: array, items: {type: string}}, x: {}}}",
		"version: 1\ncontext: {properties: {country: string}}", "version: 1\ncontext: {properties: {country: {type: text}}}",
		"version: 1\ncontext: {properties: {tags: {items: {type: string}}}}", "version: 1\ncontext: {properties: {a: {type: string, properties: {}}}}",
		"version: 1\ncontext: {properties: {app: {properties: {version: {type: string}}, additionalProperties: true}}}",
		"version: 1\ncontext: {properties: {a: {type: array, additionalProperties: true}}}", "version: 1\ncontext: {properties: {a: {enum: [1]}}}",
		"version: 1\ncontext: {title: '', type: object}", "version: 1\ncontext: {$schema: 'https://json-schema.org/draft/2020-12/schema', type: object}",
		"version: 1\nignore: x", "version: 1\nignore: ['']", "version: 1\nschemas: [{path: a.*, schema: schemas/b.json}]",
		"version: 1\nschemas: {a: b}", "version: 1\nschemas: [{path: a}]", "version: 1\nschemas: [a]",
		"version: 1\nschemas: [{path: '', schema: x}]", "version: 1\nschemas: [{path: a, schema: ''}]",
		"version: 1\nschemas: [{path: a, schema: b, mount: c}]", "version: 1\nbounds: {files: 5, treeBytes: 100, fileBytes: 10}",
		"version: 1\nbounds: {files: 0}", "version: 1\nbounds: {files: 2001}", "version: 1\nbounds: {fileBytes: x}", "version: 1\nbounds: {size: 1}",
	} {
		v, _ := document.Decode(&value.File{Path: "trunkline.yaml"}, document.YAML, []byte(manifest), document.Limits{})
		if v == nil {
			t.Fatalf("%s cannot be read", manifest)
		}
		plain, err := jsonschema.UnmarshalJSON(strings.NewReader(v.String()))
		if err != nil {
			t.Fatal(err)
		}
		reader := true
		for _, p := range compiled(t, map[string]string{
			"trunkline.yaml": manifest, "config/a.yaml": "x: 1\n", "schemas/b.json": "{}", "flags/a.yaml": "environments: [default]\nset: {a.x: 2}\nrules: [{name: all}]\n",
		}, nil).Problems {
			reader = reader && (p.File != "trunkline.yaml" || p.Severity == "warning")
		}
		if bySchema := schema.Validate(plain) == nil; bySchema != reader {
			t.Errorf("%q: the schema says %t, the reader %t", manifest, bySchema, reader)
		}
	}
}
