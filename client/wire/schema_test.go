package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/client/wire"
)

var docs = filepath.Join("..", "..", "docs")

func schema(t testing.TB, name string) *jsonschema.Schema {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile(filepath.Join(docs, "schemas", name))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// conforms judges a text of JSON by a schema.
func conforms(s *jsonschema.Schema, text []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

func TestGoldenMessagesConform(t *testing.T) {
	for name, golden := range map[string][]string{"stream-client.schema.json": names(ofClient), "stream-server.schema.json": names(ofServer)} {
		s := schema(t, name)
		for _, message := range golden {
			text, err := os.ReadFile(filepath.Join("testdata", message+".json"))
			if err != nil {
				t.Fatal(err)
			}
			if err := conforms(s, text); err != nil {
				t.Errorf("%s: %v", message, err)
			}
		}
	}
}

func names[M any](messages map[string]M) []string {
	var all []string
	for name := range messages {
		all = append(all, name)
	}
	return all
}

var repeated = strings.Repeat

// fields are values at the edges of what each field may hold.
var fields = map[string][]any{
	"type":     {"hello", "update", "ack", "nack", "snapshot", ""},
	"client":   {map[string]any{"name": "x"}, map[string]any{"name": nil, "version": 3}, map[string]any{"version": repeated("v", 128)}, map[string]any{"name": repeated("n", 129)}},
	"env":      {"prod", repeated("e", 128), repeated("e", 129)},
	"patterns": {[]any{}, []any{"a", "b.**"}, []any{""}, []any{nil}, []any{7}, slices.Repeat([]any{"a"}, 100), slices.Repeat([]any{"a"}, 101)},
	"context":  {map[string]any{"a": []any{1}}, []any{}},
	"cursor":   {"", "c", repeated("c", 128), repeated("c", 129), repeated("é", 129)},
	"reason":   {"", "no", repeated("r", 1024), repeated("r", 1025)},
	"evaluate": {"local", "", "remote", true},
	"later":    {1},
}

// anything is a value that mostly belongs nowhere.
var anything = []any{nil, true, 7.5, "text", map[string]any{}, []any{}, []any{"a"}}

// What the schema takes a server takes, and what it refuses a server refuses: each field at its edges in each message, and then many
// at once.
func TestParseClientJudgesAsTheSchemaDoes(t *testing.T) {
	s := schema(t, "stream-client.schema.json")
	judged := map[bool]int{}
	judge := func(t interface{ Fatalf(string, ...any) }, m map[string]any) {
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatalf("%v", err)
		}
		wanted := conforms(s, text)
		_, got := wire.ParseClient(text)
		if judged[got == nil]++; (wanted == nil) != (got == nil) {
			t.Fatalf("%.300s: the schema says %v, the server %v", text, wanted, got)
		}
	}
	for _, kind := range []string{"hello", "update", "ack", "nack"} {
		for name, values := range fields {
			for _, v := range slices.Concat(values, anything) {
				m := map[string]any{"type": kind, "cursor": "c"}
				m[name] = v
				judge(t, m)
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		m := map[string]any{}
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			switch rapid.IntRange(0, 9).Draw(t, "has "+name) {
			case 0:
				m[name] = rapid.SampledFrom(anything).Draw(t, name)
			case 1, 2, 3:
				m[name] = rapid.SampledFrom(fields[name]).Draw(t, name)
			}
		}
		judge(t, m)
	})
	if judged[true] < 50 || judged[false] < 50 {
		t.Errorf("taken or not: %v", judged)
	}
}

// What is refused by the schema is never taken by the server, whatever it is.
func FuzzParseClientBySchema(f *testing.F) {
	s := schema(f, "stream-client.schema.json")
	for _, m := range ofClient {
		f.Add(wire.Encode(m))
	}
	f.Add([]byte(`{"type":"ack","cursor":null}`))
	f.Add([]byte(`{"type":"hello","patterns":[null]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := wire.ParseClient(text); err != nil {
			return
		}
		if err := conforms(s, text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	})
}

// asyncAPI is docs/asyncapi.yaml.
type asyncAPI struct {
	Channels map[string]struct {
		Messages map[string]struct {
			Ref string `yaml:"$ref"`
		}
	}
	Operations map[string]struct {
		Action   string
		Messages []struct {
			Ref string `yaml:"$ref"`
		}
	}
	Components struct {
		Messages map[string]struct {
			Name    string
			Payload struct {
				Ref string `yaml:"$ref"`
			}
		}
	}
}

// Every message has its place in the AsyncAPI document, its schema, and its direction.
func TestAsyncAPI(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(docs, "asyncapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var doc asyncAPI
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	side := func(operation string) (types []string) {
		for _, m := range doc.Operations[operation].Messages {
			types = append(types, strings.TrimPrefix(m.Ref, "#/channels/stream/messages/"))
		}
		slices.Sort(types)
		return types
	}
	client, server := side("listen"), side("deliver")
	if !slices.Equal(client, types(t, "stream-client.schema.json")) || !slices.Equal(server, types(t, "stream-server.schema.json")) {
		t.Errorf("the operations have %v and %v", client, server)
	}
	if doc.Operations["listen"].Action != "receive" || doc.Operations["deliver"].Action != "send" {
		t.Error("the operations go the wrong way")
	}
	for file, all := range map[string][]string{"stream-client.schema.json": client, "stream-server.schema.json": server} {
		for _, name := range all {
			m := doc.Components.Messages[name]
			if want := "schemas/" + file + "#/$defs/" + name; m.Payload.Ref != want || m.Name != name {
				t.Errorf("%s is %+v, want %s", name, m, want)
			}
			if ref := doc.Channels["stream"].Messages[name].Ref; ref != "#/components/messages/"+name {
				t.Errorf("the channel has %q for %s", ref, name)
			}
			of, err := jsonschema.NewCompiler().Compile(filepath.Join(docs, m.Payload.Ref))
			if err != nil {
				t.Fatal(err)
			}
			golden, err := os.ReadFile(filepath.Join("testdata", name+".json"))
			if err := errors.Join(err, conforms(of, golden)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if n := len(doc.Components.Messages); n != len(client)+len(server) {
		t.Errorf("%d messages are described", n)
	}
}

// types are those that a schema knows, sorted.
func types(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(docs, "schemas", file))
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Properties struct{ Type struct{ Enum []string } }
	}
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	slices.Sort(s.Properties.Type.Enum)
	return s.Properties.Type.Enum
}

// What a client may meet stands on the protocol page.
func TestProtocolPageNamesAll(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(docs, "protocol.md"))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, code := range []int{
		wire.CloseRestart, wire.CloseCredential, wire.CloseNotReady, wire.CloseSilent, wire.CloseTooMany, wire.CloseFlood,
		wire.CloseBadMessage, wire.CloseForbidden, wire.CloseUnknownEnvironment, wire.CloseNoHello,
	} {
		all = append(all, fmt.Sprintf("| %d |", code))
	}
	for _, name := range slices.Concat(types(t, "stream-client.schema.json"), types(t, "stream-server.schema.json"), []string{
		wire.ReasonHello, wire.ReasonUnknownCursor, wire.ReasonStaleCursor, wire.ReasonUpdate, wire.ReasonLargeChange,
	}) {
		all = append(all, "`"+name+"`")
	}
	for _, wanted := range all {
		if !strings.Contains(string(page), wanted) {
			t.Errorf("the page does not name %s", wanted)
		}
	}
}
