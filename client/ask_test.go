package client_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/client/wire"
)

// What is asked for changes on the connection that there is, and whatever the answer is, it is what the client has from then on.
func TestAsksForSomethingElse(t *testing.T) {
	for name, c := range map[string]struct{ answer, want string }{
		"snapshot": {`{"type":"snapshot","cursor":"d1","commit":"1","reason":"update","values":{"b":1}}`, `{"b":1}`},
		"current":  {`{"type":"current","cursor":"d1","commit":"1"}`, `{"a":1}`},
		"delta":    {`{"type":"delta","from":"c1","to":"d1","commit":"1","patch":[{"op":"add","path":"/b","value":2}]}`, `{"a":1,"b":2}`},
	} {
		t.Run(name, func(t *testing.T) {
			leakless(t)
			answers := make(chan wire.Client, 10)
			url, hellos := script(t, func(ws *websocket.Conn) {
				_ = ws.WriteMessage(websocket.TextMessage, []byte(one))
				hear(ws, answers)
				hear(ws, answers)
				_ = ws.WriteMessage(websocket.TextMessage, []byte(c.answer))
				hear(ws, answers)
				_ = ws.WriteMessage(websocket.TextMessage, []byte(`{"type":"ping","cursor":"d1"}`))
				hear(ws, answers)
			}, say(`{"type":"current","cursor":"d1"}`))
			f := follow(t, client.Options{URL: url, Patterns: []string{"a"}, Context: map[string]any{"targetingKey": "u1"}})
			f.next(t, client.Snapshot)
			next(t, answers)
			if err := f.SetPatterns("b.**"); err != nil {
				t.Fatal(err)
			}
			update := next(t, answers)
			if update.Type != wire.TypeUpdate || !slices.Equal(update.Patterns, []string{"b.**"}) || string(update.Context) != `{"targetingKey":"u1"}` {
				t.Errorf("%+v", update)
			}
			for range 2 {
				if got := next(t, answers); got.Type != wire.TypeAck || got.Cursor != "d1" {
					t.Errorf("%+v", got)
				}
			}
			if e := f.next(t, client.EventKind(name)); e.State.Values.String() != c.want {
				t.Errorf("%+v", e)
			}
			f.next(t, client.Disconnected)
			f.until(t, client.Current)
			first, second := <-hellos, <-hellos
			if !slices.Equal(first.Patterns, []string{"a"}) || !slices.Equal(second.Patterns, []string{"b.**"}) || second.Cursor != "d1" {
				t.Errorf("%+v %+v", first, second)
			}
		})
	}
}

// Changes in quick succession are one, and the last one counts; an empty list and an empty context are said.
func TestAsksOnce(t *testing.T) {
	leakless(t)
	answers := make(chan wire.Client, 1000)
	url, _ := script(t, exchange(answers, one))
	f := follow(t, client.Options{URL: url, Patterns: []string{"a"}, Context: map[string]any{"country": "DE"}})
	f.wait(t)
	next(t, answers)
	for i := range 200 {
		if err := f.SetContext(map[string]any{"i": i}); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.SetPatterns(); err != nil {
		t.Fatal(err)
	}
	if err := f.SetContext(nil); err != nil {
		t.Fatal(err)
	}
	for {
		update := next(t, answers)
		if len(update.Patterns) == 0 && string(update.Context) == "{}" {
			if update.Patterns == nil {
				t.Error("an empty list of patterns is not said: the server would keep those it has")
			}
			break
		}
	}
	if len(answers) > 0 {
		t.Errorf("more came: %+v", <-answers)
	}
}

// Nothing is sent when what is asked for is what was asked for.
func TestAsksForTheSame(t *testing.T) {
	leakless(t)
	answers := make(chan wire.Client, 10)
	url, _ := script(t, exchange(answers, one, `{"type":"ping","cursor":"c1"}`))
	f := follow(t, client.Options{URL: url, Patterns: []string{"a"}})
	f.wait(t)
	if err := f.SetPatterns("a"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := next(t, answers); got.Type != wire.TypeAck {
			t.Errorf("%+v", got)
		}
	}
}

func TestWhatCannotBeAskedFor(t *testing.T) {
	c, err := client.New(client.Options{URL: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	if c.SetPatterns("a..b") == nil || c.SetPatterns(slices.Repeat([]string{"a"}, 101)...) == nil {
		t.Error("bad patterns are taken")
	}
	if c.SetContext(map[string]any{"f": make(chan int)}) == nil || c.SetContext(map[string]any{"a": strings.Repeat("x", 20_000)}) == nil {
		t.Error("a bad context is taken")
	}
	if err := c.SetContext(map[string]any{"nested": map[string]any{"n": json.Number("1")}}); err != nil {
		t.Error(err)
	}
}
