package client_test

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/client/wire"
)

const (
	assignedOne  = `{"type":"assignments","cursor":"c1","assignments":[{"experiment":"button","variant":"green","phase":2,"layer":"checkout","forced":true}]}`
	assignedTwo  = `{"type":"assignments","cursor":"c2","assignments":[{"experiment":"button","variant":"control","phase":2,"layer":"checkout"}]}`
	assignedNone = `{"type":"assignments","cursor":"c2","assignments":[]}`
	toTwo        = `{"type":"delta","from":"c1","to":"c2","commit":"1","cause":"context","patch":[{"op":"replace","path":"/a","value":2}]}`
	currentOne   = `{"type":"current","cursor":"c1","commit":"1"}`
)

var green = []client.Assignment{{Experiment: "button", Variant: "green", Phase: 2, Layer: "checkout", Forced: true}}

// Assignments come after the values that they belong to, or alone, and the list that comes is the whole one.
func TestAssignments(t *testing.T) {
	leakless(t)
	url, _ := script(t, say(one, assignedOne, toTwo, assignedTwo, assignedNone))
	f := follow(t, client.Options{URL: url})
	if e := f.next(t, client.Snapshot); len(e.State.Assignments) != 0 {
		t.Errorf("%+v", e.State)
	}
	if e := f.next(t, client.Assigned); !slices.Equal(e.State.Assignments, green) || e.State.Int("a", 0) != 1 || e.Changes != nil {
		t.Errorf("%+v", e.State)
	}
	if e := f.next(t, client.Delta); e.Cause != "context" || len(e.Changes) != 1 || !slices.Equal(e.State.Assignments, green) {
		t.Errorf("%+v", e)
	}
	if e := f.next(t, client.Assigned); len(e.State.Assignments) != 1 || e.State.Assignments[0].Variant != "control" || e.State.Cursor != "c2" {
		t.Errorf("%+v", e.State)
	}
	if e := f.next(t, client.Assigned); len(e.State.Assignments) != 0 || f.Assignments() == nil || len(f.Assignments()) != 0 {
		t.Errorf("%+v", e.State)
	}
}

// After a new connection the list stays until the server says otherwise, or says nothing of it.
func TestAssignmentsAfterAGreeting(t *testing.T) {
	leakless(t)
	url, _ := script(t, ending(4000, one, assignedOne), ending(4000, currentOne, assignedOne), say(currentOne))
	f := follow(t, client.Options{URL: url})
	f.next(t, client.Snapshot)
	f.next(t, client.Assigned)
	for range 2 {
		f.next(t, client.Disconnected)
		if e := f.next(t, client.Current); !slices.Equal(e.State.Assignments, green) {
			t.Errorf("%+v", e.State)
		}
	}
	if e := f.next(t, client.Assigned); len(e.State.Assignments) != 0 {
		t.Errorf("%+v", e.State)
	}
}

// What the program has not accepted is not read, and neither are its assignments; it is not asked about these alone.
func TestAssignmentsOfWhatIsNotAccepted(t *testing.T) {
	leakless(t)
	verdicts := make(chan error)
	url, _ := script(t, say(one, assignedOne, toTwo, assignedTwo, `{"type":"ping","cursor":"c2"}`))
	var asked atomic.Int32
	f := follow(t, client.Options{URL: url, Accept: func(*client.State) error { asked.Add(1); return <-verdicts }})
	verdicts <- nil
	first := f.next(t, client.Snapshot)
	if len(first.State.Assignments) == 0 {
		first = f.next(t, client.Assigned)
	}
	verdicts <- errors.New("no")
	f.next(t, client.Rejected)
	if got := f.State(); got.Cursor != "c1" || !slices.Equal(got.Assignments, green) {
		t.Errorf("%+v", got)
	}
	f.cancel()
	f.ended(t)
	if asked.Load() != 2 {
		t.Errorf("the program was asked %d times about two contents", asked.Load())
	}
}

// What is assigned is kept with the values.
func TestAssignmentsAreKept(t *testing.T) {
	leakless(t)
	url, _ := script(t, say(one, assignedOne))
	o := client.Options{URL: url, Keep: filepath.Join(t.TempDir(), "kept")}
	first := follow(t, o)
	first.next(t, client.Snapshot)
	first.next(t, client.Assigned)
	first.cancel()
	first.ended(t)
	if e := follow(t, o).next(t, client.Kept); !slices.Equal(e.State.Assignments, green) {
		t.Errorf("%+v", e.State)
	}
}

// Assignments of a state that the client does not have mean that it missed something.
func TestAssignmentsOfAnotherState(t *testing.T) {
	leakless(t)
	url, hellos := script(t, say(one, assignedTwo), say(fresh))
	f := follow(t, client.Options{URL: url})
	f.next(t, client.Snapshot)
	if e := f.next(t, client.Disconnected); !strings.Contains(e.Err.Error(), "assignments are of another state") {
		t.Error(e.Err)
	}
	f.next(t, client.Snapshot)
	next(t, hellos)
	if h := next(t, hellos); h.Cursor != "" {
		t.Errorf("%+v", h)
	}
}

const (
	definedOne = `{"type":"definitions","cursor":"c1","definitions":{"environment":"prod"}}`
	definedTwo = `{"type":"definitions","cursor":"c2","definitions":{"environment":"prod","rollouts":{}}}`
	onlyThem   = `{"type":"delta","from":"c1","to":"c2","commit":"2","cause":"stop","patch":[]}`
)

func local(url string) client.Options { return client.Options{URL: url, Evaluate: client.Local} }

// Definitions count from the state that they name on, also where nothing else changes, and stay until others come.
func TestDefinitions(t *testing.T) {
	leakless(t)
	url, hellos := script(t, say(definedOne, one, definedTwo, onlyThem, `{"type":"delta","from":"c2","to":"c3","commit":"3","cause":"commit","patch":[{"op":"add","path":"/b","value":1}]}`))
	f := follow(t, local(url))
	first := f.next(t, client.Snapshot)
	if h := next(t, hellos); h.Evaluate != wire.EvaluateLocal || string(first.State.Definitions) != `{"environment":"prod"}` {
		t.Errorf("%+v: %s", h, first.State.Definitions)
	}
	second := f.next(t, client.Delta)
	if second.Cause != "stop" || len(second.Changes) != 0 || second.State.Cursor != "c2" || string(second.State.Definitions) != `{"environment":"prod","rollouts":{}}` {
		t.Errorf("%+v: %s", second, second.State.Definitions)
	}
	if third := f.next(t, client.Delta); string(third.State.Definitions) != string(second.State.Definitions) || third.State.Int("b", 0) != 1 {
		t.Errorf("%+v", third)
	}
}

// Large definitions come in chunks, as values do.
func TestDefinitionsInChunks(t *testing.T) {
	leakless(t)
	chunk := func(index, data string) string {
		return `{"type":"chunk","cursor":"c1","index":` + index + `,"data":` + data + `}`
	}
	url, _ := script(t, say(`{"type":"definitions","cursor":"c1","chunks":2}`, chunk("0", `"{\"environ"`), chunk("1", `"ment\":\"prod\"}"`),
		`{"type":"snapshot","cursor":"c1","commit":"1","reason":"hello","chunks":2}`, chunk("0", `"{\"a\""`), chunk("1", `":1}"`)))
	if e := follow(t, local(url)).next(t, client.Snapshot); string(e.State.Definitions) != `{"environment":"prod"}` || e.State.Int("a", 0) != 1 {
		t.Errorf("%s %s", e.State.Definitions, e.State.Values)
	}
}

// What does not fit together begins anew, and the state stays.
func TestDefinitionsThatDoNotFit(t *testing.T) {
	for name, c := range map[string]struct {
		lines []string
		why   string
	}{
		"none":             {[]string{one}, "without its definitions"},
		"another state's":  {[]string{definedTwo, one}, "another state than they belong to"},
		"broken off":       {[]string{`{"type":"definitions","cursor":"c1","chunks":2}`, one}, "breaks off"},
		"within chunks":    {[]string{`{"type":"definitions","cursor":"c1","chunks":2}`, definedOne}, "breaks off"},
		"chunk of another": {[]string{`{"type":"definitions","cursor":"c1","chunks":2}`, `{"type":"chunk","cursor":"c2","index":0,"data":"{"}`}, "belongs to nothing"},
		"too many values":  {[]string{`{"type":"definitions","cursor":"c1","definitions":{"a":[` + strings.Repeat("1,", 200) + `1]}}`}, "more than 100 values"},
	} {
		t.Run(name, func(t *testing.T) {
			leakless(t)
			url, hellos := script(t, say(c.lines...), say(strings.Replace(definedOne, "c1", "c9", 1), fresh))
			f := &following{events: make(chan client.Event, 100)}
			o := local(url)
			o.OnEvent = func(e client.Event) { f.events <- e }
			made, err := client.New(o)
			if err != nil {
				t.Fatal(err)
			}
			run(t, made.Hasten().Bound(1<<20, 100))
			if e := f.next(t, client.Disconnected); !strings.Contains(e.Err.Error(), c.why) {
				t.Error(e.Err)
			}
			if e := f.next(t, client.Snapshot); e.State.Cursor != "c9" {
				t.Errorf("%+v", e)
			}
			next(t, hellos)
			if h := next(t, hellos); h.Cursor != "" {
				t.Errorf("%+v", h)
			}
		})
	}
}

// Definitions are kept, so that a program decides without a server as it did before.
func TestDefinitionsAreKept(t *testing.T) {
	leakless(t)
	url, hellos := script(t, say(definedOne, one), say(definedTwo, onlyThem))
	o := local(url)
	o.Keep = filepath.Join(t.TempDir(), "kept")
	first := follow(t, o)
	first.next(t, client.Snapshot)
	first.cancel()
	first.ended(t)
	second := follow(t, o)
	if e := second.next(t, client.Kept); string(e.State.Definitions) != `{"environment":"prod"}` {
		t.Errorf("%s", e.State.Definitions)
	}
	if e := second.next(t, client.Delta); string(e.State.Definitions) != `{"environment":"prod","rollouts":{}}` {
		t.Errorf("%s", e.State.Definitions)
	}
	next(t, hellos)
	if h := next(t, hellos); h.Cursor != "c1" {
		t.Errorf("%+v", h)
	}
	second.cancel()
	second.ended(t)
	o.Evaluate = client.Remote
	remote := follow(t, o)
	if e := remote.next(t, client.Disconnected); e.State != nil {
		t.Error("what was kept to decide by is read as if it were decided")
	}
}

// A client that does not decide passes definitions over.
func TestDefinitionsNobodyAskedFor(t *testing.T) {
	leakless(t)
	url, _ := script(t, say(definedOne, one))
	if e := follow(t, client.Options{URL: url}).next(t, client.Snapshot); e.State.Definitions != nil {
		t.Errorf("%s", e.State.Definitions)
	}
}

func TestWhatLocalEvaluationRefuses(t *testing.T) {
	o := local("http://127.0.0.1:1")
	c, err := client.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetContext(map[string]any{"targetingKey": "u1"}); err == nil || !strings.Contains(err.Error(), "For") {
		t.Error(err)
	}
	o.Context = map[string]any{"targetingKey": "u1"}
	if _, err := client.New(o); err == nil {
		t.Error("a context is taken that would not count")
	}
	if _, err := client.New(client.Options{URL: "http://127.0.0.1:1", Evaluate: "remotely"}); err == nil {
		t.Error("an unknown evaluation is taken")
	}
}

func TestGoldenAssignments(t *testing.T) {
	leakless(t)
	url, _ := script(t, say(golden(t, "snapshot"), golden(t, "delta"), golden(t, "assignments"), golden(t, "assignmentsNone")))
	f := follow(t, client.Options{URL: url})
	f.next(t, client.Snapshot)
	f.next(t, client.Delta)
	if got := f.next(t, client.Assigned).State.Assignments; len(got) != 2 || got[0].Variant != "green" || got[1].Phase != 2 || !got[1].Forced {
		t.Errorf("%+v", got)
	}
	if got := f.next(t, client.Assigned).State.Assignments; len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestGoldenDefinitions(t *testing.T) {
	leakless(t)
	url, _ := script(t, say(golden(t, "definitionsNone"), golden(t, "snapshot"), golden(t, "definitions"), golden(t, "deltaOfDefinitions")))
	f := follow(t, local(url))
	if e := f.next(t, client.Snapshot); string(e.State.Definitions) != "{}" {
		t.Errorf("%s", e.State.Definitions)
	}
	if e := f.next(t, client.Delta); len(e.Changes) != 0 || !strings.Contains(string(e.State.Definitions), `"checkout-button"`) {
		t.Errorf("%s", e.State.Definitions)
	}
}
