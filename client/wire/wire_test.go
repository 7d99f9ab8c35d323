package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trunkline/trunkline/client/wire"
)

var update = flag.Bool("update", false, "rewrite the golden messages")

var ofClient = map[string]wire.Client{
	"hello": {
		Type: wire.TypeHello, Client: wire.Name{Name: "web", Version: "1.9"}, Env: "prod", Patterns: []string{"checkout.**", "search.*"},
		Context: []byte(`{"targetingKey":"u1"}`), Cursor: "vZxPEOoxJ3JZ-DBl1-DA",
	},
	"helloLocal": {Type: wire.TypeHello, Env: "prod", Evaluate: wire.EvaluateLocal},
	"update":     {Type: wire.TypeUpdate, Patterns: []string{"checkout.**"}, Context: []byte(`{"targetingKey":"u2"}`)},
	"ack":        {Type: wire.TypeAck, Cursor: "vZxPEOoxJ3JZ-DBl1-DA"},
	"nack":       {Type: wire.TypeNack, Cursor: "vZxPEOoxJ3JZ-DBl1-DA", Reason: "the pool cannot shrink"},
}

const (
	oneCommit   = "4be2a3f0c1d2e3f4a5b6c7d8e9f0a1b2c3d4e5f6"
	otherCommit = "77ad13e2b4c6d8e0f1a2b3c4d5e6f708192a3b4c"
)

var ofServer = map[string]wire.Server{
	"snapshot": {
		Type: wire.TypeSnapshot, Cursor: "vZxPEOoxJ3JZ-DBl1-DA", Commit: oneCommit, Author: "Ada", Subject: "Shorten the timeout", Reason: wire.ReasonUnknownCursor,
		Values: []byte(`{"checkout":{"dsn":{"$redacted":true,"fp":"9f2c41aa0b7d3e55"},"ratio":1.0,"timeout":20}}`),
	},
	"snapshotInChunks": {Type: wire.TypeSnapshot, Cursor: "vZxPEOoxJ3JZ-DBl1-DA", Commit: oneCommit, Reason: wire.ReasonHello, Chunks: 2},
	"chunk":            {Type: wire.TypeChunk, Cursor: "vZxPEOoxJ3JZ-DBl1-DA", Data: `{"checkout":{"label":"Grü`},
	"chunkLast":        {Type: wire.TypeChunk, Cursor: "vZxPEOoxJ3JZ-DBl1-DA", Index: 1, Data: `n \"now\"","timeout":20}}`},
	"current":          {Type: wire.TypeCurrent, Cursor: "vZxPEOoxJ3JZ-DBl1-DA", Commit: oneCommit, Author: "Ada", Subject: "Shorten the timeout"},
	"delta": {
		Type: wire.TypeDelta, From: "vZxPEOoxJ3JZ-DBl1-DA", To: "ddgBkj9eEflxIyoMh9LX", Commit: otherCommit, Author: "Bo", Subject: "Revert", Cause: "rollback",
		RollbackOf: oneCommit,
		Patch:      []byte(`[{"op":"remove","path":"/checkout/ratio"},{"op":"replace","path":"/checkout/timeout","value":30},{"op":"add","path":"/search","value":{"limit":null}}]`),
	},
	"deltaOfRamp": {
		Type: wire.TypeDelta, From: "ddgBkj9eEflxIyoMh9LX", To: "ddgBzOEoxJ3JZ-DBl1-D", Commit: otherCommit, Cause: "ramp",
		Patch: []byte(`[{"op":"replace","path":"/search/newRanking","value":true}]`),
	},
	"deltaOfDefinitions": {
		Type: wire.TypeDelta, From: "vZxPEOoxJ3JZ-DBl1-DA", To: "vZxPkj9eEflxIyoMh9LX", Commit: otherCommit, Cause: "commit", Patch: []byte(`[]`),
	},
	"assignments": {
		Type: wire.TypeAssignments, Cursor: "ddgBkj9eEflxIyoMh9LX", Assignments: []wire.Assignment{
			{Experiment: "checkout-button", Variant: "green", Phase: 1, Layer: "checkout"},
			{Experiment: "search-page", Variant: "control", Phase: 2, Layer: "search", Forced: true},
		},
	},
	"assignmentsNone": {Type: wire.TypeAssignments, Cursor: "ddgBkj9eEflxIyoMh9LX", Assignments: []wire.Assignment{}},
	"definitions": {
		Type: wire.TypeDefinitions, Cursor: "vZxPkj9eEflxIyoMh9LX", Definitions: []byte(`{"environment":"prod",` +
			`"experiments":{"checkout-button":{"environments":["prod"],"layer":"checkout","phase":1,"salt":"8f3a1c90d2b7","status":"running","traffic":"20%",` +
			`"variants":{"control":{"weight":"50%"},"green":{"set":{"checkout.ui.button.color":"green"},"weight":"50%"}}}},` +
			`"layers":{"checkout":{"holdout":"5%","salt":"5d1f7a26c3e8","unit":"accountId"}},` +
			`"rollouts":{"new-ranking":{"environments":["prod"],"rules":[{"name":"staff","when":"segment(\"staff\")"}],"set":{"search.newRanking":true}}},` +
			`"segments":{"staff":{"when":"context.staff"}},"stopped":[{"kind":"rollout","key":"new-ranking"}]}`),
	},
	"definitionsInChunks": {Type: wire.TypeDefinitions, Cursor: "vZxPkj9eEflxIyoMh9LX", Chunks: 2},
	"definitionsNone":     {Type: wire.TypeDefinitions, Cursor: "vZxPEOoxJ3JZ-DBl1-DA", Definitions: []byte(`{}`)},

	"ping":   {Type: wire.TypePing, Cursor: "ddgBkj9eEflxIyoMh9LX"},
	"goaway": {Type: wire.TypeGoaway, RetryAfterMs: 2750},
	"error": {
		Type: wire.TypeError, Code: "unknownEnvironment", Message: "no such environment is served", Hint: "name one of prod, staging",
	},
}

// written is a message as it is sent. A server writes the number of the first chunk, too.
func written(message any) []byte {
	text := wire.Encode(message)
	if m, ok := message.(wire.Server); ok && m.Type == wire.TypeChunk && m.Index == 0 {
		text = bytes.Replace(text, []byte(`,"data"`), []byte(`,"index":0,"data"`), 1)
	}
	return text
}

// golden compares a message with its file, but for white space.
func golden(t *testing.T, name string, message any) []byte {
	t.Helper()
	file := filepath.Join("testdata", name+".json")
	if *update {
		var b bytes.Buffer
		if err := json.Indent(&b, written(message), "", "  "); err != nil {
			t.Fatal(err)
		}
		b.WriteByte('\n')
		if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := json.Compact(&b, data); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.String(), string(written(message))); diff != "" {
		t.Errorf("%s: %s", name, diff)
	}
	return b.Bytes()
}

func TestGoldenMessages(t *testing.T) {
	for name, m := range ofClient {
		got, err := wire.ParseClient(golden(t, name, m))
		if diff := cmp.Diff(&m, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
	for name, m := range ofServer {
		got, err := wire.ParseServer(golden(t, name, m))
		if diff := cmp.Diff(&m, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) != len(ofClient)+len(ofServer) {
		t.Errorf("%d files: %v", len(files), err)
	}
}

// The parts of the golden chunks are the JSON text of values.
func TestGoldenChunks(t *testing.T) {
	if text := ofServer["chunk"].Data + ofServer["chunkLast"].Data; !json.Valid([]byte(text)) {
		t.Error(text)
	}
}

func TestParseClient(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	for _, c := range []struct {
		name, text string
		says       string // empty where the message is good
	}{
		{"least hello", `{"type":"hello"}`, ""},
		{"unknown fields", `{"type":"hello","later":{"a":[1,2]},"client":{"os":"plan9"}}`, ""},
		{"other capitals are other fields", `{"type":"hello","Type":"x","ENV":1}`, ""},
		{"nulls", `{"type":"hello","context":null,"patterns":null}`, ""},
		{"most patterns", `{"type":"hello","patterns":["a"` + strings.Repeat(`,"a"`, 99) + `]}`, ""},
		{"least update", `{"type":"update"}`, ""},
		{"update to everything", `{"type":"update","patterns":[]}`, ""},
		{"longest environment", `{"type":"hello","env":"` + long(128) + `"}`, ""},
		{"longest context", `{"type":"hello","context":{"a":"` + long(16<<10-8) + `"}}`, ""},
		{"longest cursor", `{"type":"ack","cursor":"` + long(128) + `"}`, ""},
		{"longest reason", `{"type":"nack","cursor":"c","reason":"` + long(1024) + `"}`, ""},
		{"empty", ``, "cannot be read at byte 0"},
		{"no type", `{}`, "its type must be"},
		{"a server's type", `{"type":"snapshot"}`, "its type must be"},
		{"duplicate name", `{"type":"hello","type":"ack"}`, "occurs twice"},
		{"duplicate name in the context", `{"type":"hello","context":{"a":1,"a":2}}`, "occurs twice"},
		{"duplicate name in what is unknown", `{"type":"hello","later":{"a":1,"a":2}}`, "occurs twice"},
		{"not an object", `["hello"]`, "does not belong there"},
		{"number for a string", `{"type":"hello","env":7}`, `at "/env": a number does not belong there`},
		{"cut off", `{"type":"hello"`, "cannot be read at byte"},
		{"something follows", `{"type":"hello"}{}`, "cannot be read at byte 16"},
		{"invalid UTF-8", "{\"type\":\"hello\",\"env\":\"\xff\"}", "cannot be read at byte"},
		{"context that is a list", `{"type":"hello","context":[]}`, "the context is not an object"},
		{"too many patterns", `{"type":"hello","patterns":["a"` + strings.Repeat(`,"a"`, 100) + `]}`, "101 patterns are more than 100"},
		{"long name", `{"type":"hello","client":{"name":"` + long(129) + `"}}`, "longer than 128 bytes"},
		{"long version", `{"type":"hello","client":{"version":"` + long(129) + `"}}`, "longer than 128 bytes"},
		{"long cursor", `{"type":"hello","cursor":"` + long(129) + `"}`, "longer than 128 bytes"},
		{"long reason", `{"type":"nack","cursor":"c","reason":"` + long(1025) + `"}`, "longer than 1024 bytes"},
		{"long environment", `{"type":"hello","env":"` + long(129) + `"}`, "longer than 128 bytes"},
		{"long context", `{"type":"hello","context":{"a":"` + long(16<<10-7) + `"}}`, "longer than 16384 bytes"},
		{"another way to evaluate", `{"type":"hello","evaluate":"remote"}`, "evaluate must be local"},
		{"empty pattern", `{"type":"update","patterns":["a",""]}`, "a pattern is empty"},
		{"no pattern", `{"type":"update","patterns":[null]}`, "a pattern is empty"},
		{"ack of nothing", `{"type":"ack"}`, "names no cursor"},
		{"nack of nothing", `{"type":"nack","cursor":null,"reason":"no"}`, "names no cursor"},
		{"a server's new type", `{"type":"chunk"}`, "its type must be"},
		{"too large", strings.Repeat(" ", wire.MaxClientMessage) + `{}`, "65538 bytes are more than 65536"},
		{"long name of a field", `{"client":{"` + long(5000) + `":1},"type":{"` + long(5000) + `":1}}`, "does not belong there"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := wire.ParseClient([]byte(c.text))
			if c.says == "" {
				if err != nil || m == nil {
					t.Fatal(err)
				}
				return
			}
			if !errors.Is(err, wire.ErrMessage) || !strings.Contains(err.Error(), c.says) || m != nil {
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
}

func TestParseServer(t *testing.T) {
	for text, good := range map[string]bool{
		`{"type":"ping"}`: true,
		`{"type":"assignments","assignments":[{}]}`:    true,
		`{"type":"delta","patch":null,"values":[1e9]}`: true,
		`{"type":"snapshot","chunks":4096}`:            true,
		`{"type":"snapshot","chunks":4097}`:            false,
		`{"type":"snapshot","chunks":-1}`:              false,
		`{"type":"snapshot","chunks":1.5}`:             false,
		`{"type":"chunk","index":4095}`:                true,
		`{"type":"chunk","index":4096}`:                false,
		`{"type":"chunk","index":-1}`:                  false,
		`{}`:                                           false,
		`null`:                                         false,
		`{"type":1}`:                                   false,
		`{"type":"goaway","retryAfterMs":` + strings.Repeat("9", 5000) + `}`: false,
		`{"type":"ping","type":"goaway"}`:                                    false,
		`{"type":"snapshot","values":{"a":`:                                  false,
	} {
		m, err := wire.ParseServer([]byte(text))
		if (err == nil) != good || (m == nil) == good || !good && (!errors.Is(err, wire.ErrMessage) || len(err.Error()) > maxError) {
			t.Errorf("%.60s: %v", text, err)
		}
	}
}

// maxError bounds what an error may say: nothing long of a stranger's bytes is repeated.
const maxError = 512

func FuzzParseClient(f *testing.F) {
	for _, m := range ofClient {
		f.Add(wire.Encode(m))
	}
	f.Add([]byte(`{"type":"hello","type":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := wire.ParseClient(data)
		if err != nil {
			if m != nil || !errors.Is(err, wire.ErrMessage) || len(err.Error()) > maxError {
				t.Fatalf("%v %v", m, err)
			}
			return
		}
		again, err := wire.ParseClient(wire.Encode(m))
		if err != nil && len(wire.Encode(m)) <= wire.MaxClientMessage {
			t.Fatalf("%s does not come back: %v", wire.Encode(m), err)
		}
		_ = again
	})
}

func FuzzParseServer(f *testing.F) {
	for _, m := range ofServer {
		f.Add(wire.Encode(m))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := wire.ParseServer(data)
		if err != nil && (m != nil || !errors.Is(err, wire.ErrMessage) || len(err.Error()) > maxError) {
			t.Fatalf("%v %v", m, err)
		}
	})
}

func TestTerminal(t *testing.T) {
	for code, want := range map[int]bool{
		wire.CloseRestart: false, wire.CloseNotReady: false, wire.CloseSilent: false, wire.CloseTooMany: false, wire.CloseFlood: false,
		wire.CloseBadMessage: true, wire.CloseForbidden: true, wire.CloseUnknownEnvironment: true, wire.CloseNoHello: true, 1000: false, 1006: false, 4399: false, 4499: true, 4500: false,
	} {
		if wire.Terminal(code) != want {
			t.Errorf("%d", code)
		}
	}
}
