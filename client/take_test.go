package client_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/client/wire"
)

// golden is a message of client/wire/testdata on one line.
func golden(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("wire", "testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var line bytes.Buffer
	if err := json.Compact(&line, data); err != nil {
		t.Fatal(err)
	}
	return line.String()
}

// The golden messages, as a server would send them.
func TestGoldenMessages(t *testing.T) {
	leakless(t)
	answers := make(chan wire.Client, 20)
	url, _ := script(t, exchange(answers, golden(t, "snapshot"), golden(t, "current"), golden(t, "delta"), golden(t, "ping"), golden(t, "goaway")))
	f := follow(t, client.Options{URL: url})
	e := f.next(t, client.Snapshot)
	if e.State.Values.String() != `{"checkout":{"dsn":{"$redacted":true,"fp":"9f2c41aa0b7d3e55"},"ratio":1.0,"timeout":20}}` || e.State.Author != "Ada" {
		t.Errorf("%+v", e.State)
	}
	f.next(t, client.Current)
	e = f.next(t, client.Delta)
	if e.State.Values.String() != `{"checkout":{"dsn":{"$redacted":true,"fp":"9f2c41aa0b7d3e55"},"timeout":30},"search":{"limit":null}}` ||
		e.Cause != "rollback" || e.State.RollbackOf == "" || len(e.Changes) != 3 {
		t.Errorf("%+v", e)
	}
	if e = f.next(t, client.Disconnected); e.Retry != 2750*time.Millisecond {
		t.Errorf("%+v", e)
	}
	for range 4 {
		if got := next(t, answers); got.Type != wire.TypeAck {
			t.Errorf("%+v", got)
		}
	}
}

func TestGoldenRefusal(t *testing.T) {
	leakless(t)
	url, _ := script(t, ending(wire.CloseUnknownEnvironment, golden(t, "error")))
	err := follow(t, client.Options{URL: url}).ended(t)
	if err == nil || err.Error() != "refused by the server: no such environment is served; name one of prod, staging" {
		t.Error(err)
	}
}

func TestGoldenChunks(t *testing.T) {
	leakless(t)
	answers := make(chan wire.Client, 20)
	url, _ := script(t, func(ws *websocket.Conn) {
		for _, name := range []string{"snapshotInChunks", "chunk", "ping", "chunkLast"} {
			_ = ws.WriteMessage(websocket.TextMessage, []byte(golden(t, name)))
		}
		for hear(ws, answers) {
		}
	})
	f := follow(t, client.Options{URL: url})
	if e := f.next(t, client.Snapshot); e.State.Values.String() != `{"checkout":{"label":"Grün \"now\"","timeout":20}}` || e.State.Commit == "" {
		t.Errorf("%+v", e.State)
	}
	if got := next(t, answers); got.Type != wire.TypeAck || got.Cursor != f.State().Cursor {
		t.Errorf("%+v", got)
	}
}

// While chunks come the values stay, and a ping is answered with what there is.
func TestPingBetweenChunks(t *testing.T) {
	leakless(t)
	answers := make(chan wire.Client, 20)
	url, _ := script(t, func(ws *websocket.Conn) {
		for _, line := range []string{
			one, `{"type":"snapshot","cursor":"c2","commit":"2","reason":"largeChange","chunks":2}`, `{"type":"chunk","cursor":"c2","data":"{\"a\""}`,
			`{"type":"ping","cursor":"c2"}`, `{"type":"chunk","cursor":"c2","index":1,"data":":2}"}`,
		} {
			_ = ws.WriteMessage(websocket.TextMessage, []byte(line))
		}
		for hear(ws, answers) {
		}
	})
	f := follow(t, client.Options{URL: url})
	f.next(t, client.Snapshot)
	if e := f.next(t, client.Snapshot); e.State.Values.String() != `{"a":2}` || len(e.Changes) != 1 {
		t.Errorf("%+v", e)
	}
	for _, want := range []string{"c1", "c1", "c2"} {
		if got := next(t, answers); got.Type != wire.TypeAck || got.Cursor != want {
			t.Errorf("%+v, want %s", got, want)
		}
	}
}

// Chunks that do not make one snapshot are thrown away, with all that came before them.
func TestChunksThatDoNotFit(t *testing.T) {
	const head = `{"type":"snapshot","cursor":"c2","commit":"2","reason":"largeChange","chunks":2}`
	for name, lines := range map[string][]string{
		"a chunk of nothing":           {`{"type":"chunk","cursor":"c1","data":"{}"}`},
		"a chunk of something else":    {head, `{"type":"chunk","cursor":"c1","data":"{}"}`},
		"a chunk left out":             {head, `{"type":"chunk","cursor":"c2","index":1,"data":"{}"}`},
		"a chunk twice":                {head, `{"type":"chunk","cursor":"c2","data":"{}"}`, `{"type":"chunk","cursor":"c2","data":"{}"}`},
		"a chunk too many":             {head, `{"type":"chunk","cursor":"c2","data":"{"}`, `{"type":"chunk","cursor":"c2","index":1,"data":"}"}`, `{"type":"chunk","cursor":"c2","index":2}`},
		"a delta between":              {head, `{"type":"delta","from":"c1","to":"c2","patch":[]}`},
		"another snapshot between":     {head, one},
		"together no JSON":             {head, `{"type":"chunk","cursor":"c2","data":"{"}`, `{"type":"chunk","cursor":"c2","index":1,"data":"]"}`},
		"more chunks than are allowed": {`{"type":"snapshot","cursor":"c2","chunks":1000000000}`},
	} {
		t.Run(name, func(t *testing.T) {
			leakless(t)
			url, _ := script(t, say(append([]string{one}, lines...)...), say(fresh))
			f := follow(t, client.Options{URL: url})
			f.next(t, client.Snapshot)
			for {
				if e := next(t, f.events); e.Kind == client.Disconnected {
					break
				}
			}
			if e := f.until(t, client.Snapshot); e.State.Values.String() != `{"a":9}` {
				t.Errorf("%+v", e)
			}
		})
	}
}

// bounded is a client that takes so much of a server.
func bounded(t *testing.T, url string, bytes, nodes int) *following {
	t.Helper()
	events := make(chan client.Event, 1000)
	c, err := client.New(client.Options{URL: url, OnEvent: func(e client.Event) { events <- e }})
	if err != nil {
		t.Fatal(err)
	}
	f := run(t, c.Hasten().Bound(bytes, nodes))
	f.events = events
	return f
}

// No server can make the client take more than so much memory: neither by size, nor by number, nor by what inflates.
func TestFloods(t *testing.T) {
	const size, nodes = 1 << 20, 10_000
	many := "[" + strings.Repeat("0,", nodes) + "0]"
	long := strings.Repeat("x", 2*size)
	inChunks := func(part string, n int) []string {
		lines := []string{`{"type":"snapshot","cursor":"c2","chunks":4096}`}
		for i := range n {
			lines = append(lines, string(wire.Encode(wire.Server{Type: wire.TypeChunk, Cursor: "c2", Index: i, Data: part})))
		}
		return lines
	}
	for name, lines := range map[string][]string{
		"many values":          {`{"type":"snapshot","cursor":"c2","values":{"a":` + many + `}}`},
		"many values in patch": {`{"type":"delta","from":"c1","to":"c2","patch":[{"op":"add","path":"/b","value":` + many + `}]}`},
		"large values":         {`{"type":"snapshot","cursor":"c2","values":{"a":"` + long[:size] + `"}}`},
		"a message":            {`{"type":"news","text":"` + long + `"}`},
		"chunks":               inChunks(strings.Repeat("[", size/16), 17),
	} {
		t.Run(name, func(t *testing.T) {
			leakless(t)
			url, _ := scriptCompressed(t, say(append([]string{one}, lines...)...), say(fresh))
			f := bounded(t, url, size, nodes)
			f.next(t, client.Snapshot)
			if e := f.next(t, client.Disconnected); !strings.Contains(e.Err.Error(), "larger than") && !strings.Contains(e.Err.Error(), "more than") {
				t.Errorf("%+v", e)
			}
			f.until(t, client.Snapshot)
		})
	}
}

// Patches that grow the values without end meet the same limit; those that replace what they wrote do not.
func TestDeltasThatGrow(t *testing.T) {
	leakless(t)
	text := strings.Repeat("x", 1<<17)
	lines := []string{one}
	delta := func(from, to, path string) string {
		return string(wire.Encode(map[string]any{
			"type": "delta", "from": from, "to": to, "patch": []map[string]any{{"op": "add", "path": path, "value": text}},
		}))
	}
	for i := range 12 {
		lines = append(lines, delta("c"+string(rune('1'+i)), "c"+string(rune('2'+i)), "/same"))
	}
	last := "c" + string(rune('2'+11))
	for i := range 12 {
		lines = append(lines, delta(last, last+"x", "/other"+string(rune('a'+i))))
		last += "x"
	}
	url, _ := scriptCompressed(t, say(lines...), say(fresh))
	f := bounded(t, url, 1<<20, 1000)
	f.next(t, client.Snapshot)
	deltas := 0
	for {
		e := next(t, f.events)
		if e.Kind == client.Disconnected {
			if !strings.Contains(e.Err.Error(), "more values than can be taken") {
				t.Error(e.Err)
			}
			break
		}
		deltas++
	}
	if deltas < 12+6 || deltas > 12+8 {
		t.Errorf("%d deltas were taken", deltas)
	}
	f.until(t, client.Snapshot)
}

func TestCountNodes(t *testing.T) {
	for text, want := range map[string]int{
		`1`: 1, `"a,[{"`: 1, `"\",\\"`: 1, `{}`: 2, `[1,2]`: 3, `{"a,b":[{}, {"c":"\","}]}`: 6,
	} {
		if got := client.CountNodes([]byte(text)); got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
	}
}

// A server that says nothing more is left.
func TestSilence(t *testing.T) {
	leakless(t)
	url, _ := script(t, say(one), say(fresh))
	c, err := client.New(client.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	f := run(t, c.Hasten().DeadAfter(200*time.Millisecond))
	for f.Int("a", 0) != 9 {
		select {
		case <-f.done:
			t.Fatal("it ended")
		case <-time.After(time.Millisecond):
		}
		if time.Since(began) > generous {
			t.Fatal("the silent server was not left")
		}
	}
}
