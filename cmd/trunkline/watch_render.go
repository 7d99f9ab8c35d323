package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"gopkg.in/yaml.v3"

	"github.com/trunkline/trunkline/value"
)

// format is that of the file: what is named, or what the file's name ends with.
func (f fileFlags) format() (string, error) {
	if f.Format != "" {
		return f.Format, nil
	}
	formats := map[string]string{".json": "json", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml", ".env": "dotenv"}
	if format := formats[strings.ToLower(filepath.Ext(f.File))]; format != "" {
		return format, nil
	}
	return "", misused("--file %s does not end with .json, .yaml, .toml or .env: name its format with --format", f.File)
}

const keptNotice = "# Kept in step by trunkline watch: what is written here by hand is lost.\n"

// render writes values as a file. The same values give the same bytes.
func render(format string, v *value.Value) ([]byte, error) {
	switch format {
	case "yaml":
		return renderYAML(v)
	case "toml":
		return renderTOML(v)
	case "dotenv":
		return renderDotenv(v)
	default:
		var b bytes.Buffer
		if err := json.Indent(&b, v.AppendJSON(nil), "", "  "); err != nil {
			return nil, err
		}
		b.WriteByte('\n')
		return b.Bytes(), nil
	}
}

func renderYAML(v *value.Value) ([]byte, error) {
	b := bytes.NewBufferString(keptNotice)
	enc := yaml.NewEncoder(b)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(yamlNode(v)), enc.Close()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// yamlNode writes each kind so that it is read as that.
func yamlNode(v *value.Value) *yaml.Node {
	n := &yaml.Node{}
	switch v.Kind() {
	case value.Map, value.Redacted:
		n.Kind = yaml.MappingNode
		for _, e := range members(v) {
			n.Content = append(n.Content, yamlString(e.Key), yamlNode(e.Value))
		}
	case value.List:
		n.Kind = yaml.SequenceNode
		for _, e := range v.Entries() {
			n.Content = append(n.Content, yamlNode(e.Value))
		}
	case value.String:
		return yamlString(v.Str())
	default:
		n.Kind, n.Tag, n.Value = yaml.ScalarNode, yamlTags[v.Kind()], v.String()
	}
	return n
}

var yamlTags = map[value.Kind]string{value.Null: "!!null", value.Bool: "!!bool", value.Int: "!!int", value.Float: "!!float"}

var (
	plainYAML     = regexp.MustCompile(`^[A-Za-z_]([A-Za-z0-9_./ -]*[A-Za-z0-9_])?$`)
	ambiguousYAML = regexp.MustCompile(`^(?i:true|false|yes|no|on|off|y|n|null)$`)
	blockYAML     = regexp.MustCompile(`^[[:graph:]]([[:print:]]*\n)+[[:print:]]*$`)
)

// yamlString quotes a string unless any reader of YAML takes it for just that; long texts stand line by line.
func yamlString(text string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text, Style: yaml.DoubleQuotedStyle}
	switch {
	case plainYAML.MatchString(text) && !ambiguousYAML.MatchString(text):
		n.Style = 0
	case blockYAML.MatchString(text):
		n.Style = yaml.LiteralStyle
	}
	return n
}

func renderTOML(v *value.Value) ([]byte, error) {
	if path, found := nullIn(v, nil); found {
		return nil, fmt.Errorf("TOML has no null, and %s is null: choose json or yaml with --format", path)
	}
	data, err := toml.Marshal(plain(v))
	if err != nil {
		return nil, fmt.Errorf("as TOML: %w", err)
	}
	return append([]byte(keptNotice), data...), nil
}

// nullIn finds a null.
func nullIn(v *value.Value, path value.Path) (value.Path, bool) {
	if v.Kind() == value.Null {
		return path, true
	}
	for i, e := range v.Entries() {
		key := e.Key
		if v.Kind() == value.List {
			key = fmt.Sprint(i)
		}
		if at, found := nullIn(e.Value, append(path[:len(path):len(path)], key)); found {
			return at, true
		}
	}
	return nil, false
}

// plain is a value as encoders take it.
func plain(v *value.Value) any {
	switch v.Kind() {
	case value.Bool:
		return v.Bool()
	case value.Int:
		return v.Int()
	case value.Float:
		return v.Float()
	case value.String:
		return v.Str()
	case value.List:
		items := make([]any, 0, v.Len())
		for _, e := range v.Entries() {
			items = append(items, plain(e.Value))
		}
		return items
	case value.Map, value.Redacted:
		m := map[string]any{}
		for _, e := range members(v) {
			m[e.Key] = plain(e.Value)
		}
		return m
	default:
		return nil
	}
}

// members are those of a map. A redacted value is the map that stands for it in JSON.
func members(v *value.Value) []value.Entry {
	if v.Kind() != value.Redacted {
		return v.Entries()
	}
	return []value.Entry{
		{Key: "$redacted", Value: value.NewBool(true, value.Place{})}, {Key: "fp", Value: value.NewString(v.Fingerprint(), value.Place{})},
	}
}
