package client_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/notify"
	"github.com/trunkline/trunkline/notify/notifytest"
	"github.com/trunkline/trunkline/value"
	"github.com/trunkline/trunkline/value/document"
)

const button = `environments: [prod]
status: running
layer: checkout
salt: button
traffic: 100%
variants: {control: {weight: 50%}, green: {weight: 50%, set: {color: green}}}
force: {ada: green, bo: control}
plan: {unitsTotal: 10, minimumEffect: {relative: 1%}}
`

// experimenting serves an experiment of a button's color to whoever has all rights.
func experimenting(t *testing.T) (*notifytest.Live, string) {
	t.Helper()
	read := func(text string) *value.Value {
		v, problems := document.Decode(&value.File{}, document.YAML, []byte(text), document.Limits{})
		if v == nil {
			t.Fatal(problems)
		}
		return v
	}
	d, problems := experiment.Parse(experiment.Files{
		Experiments: map[string]*value.Value{"button": read(button)}, Layers: map[string]*value.Value{"checkout": read("salt: lay\n")},
	})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	live := notifytest.NewLive()
	live.Definitions = d
	live.PutJSON("prod", `{"color":"blue","other":1}`)
	hub := notify.New(notify.Options{Live: live})
	who := &access.Identity{Kind: access.KindToken, Grant: access.Whole(access.AllRights)}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hub.ServeHTTP(w, r.WithContext(access.NewContext(r.Context(), who)))
	}))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- hub.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
		srv.Close()
	})
	return live, srv.URL
}

func in(variant string) []client.Assignment {
	return []client.Assignment{{Experiment: "button", Variant: variant, Phase: 1, Layer: "checkout", Forced: true}}
}

// Who asks has a variant, and another one when somebody else asks, or an operator stops the experiment.
func TestWhoAsks(t *testing.T) {
	leakless(t)
	live, url := experimenting(t)
	f := follow(t, client.Options{URL: url, Env: "prod", Context: map[string]any{"targetingKey": "ada"}})
	if e := f.next(t, client.Snapshot); e.State.String("color", "") != "green" {
		t.Errorf("%s", e.State.Values)
	}
	if e := f.next(t, client.Assigned); !slices.Equal(e.State.Assignments, in("green")) {
		t.Errorf("%+v", e.State.Assignments)
	}
	if err := f.SetContext(map[string]any{"targetingKey": "bo"}); err != nil {
		t.Fatal(err)
	}
	if e := f.next(t, client.Delta); e.Cause != "context" || e.State.String("color", "") != "blue" {
		t.Errorf("%s: %s", e.Cause, e.State.Values)
	}
	if e := f.next(t, client.Assigned); !slices.Equal(e.State.Assignments, in("control")) {
		t.Errorf("%+v", e.State.Assignments)
	}
	stopped := func(v *apply.Version) {
		v.Snapshot = v.Snapshot.With(experiment.Options{Stopped: func(experiment.Kind, string) bool { return true }})
		v.Cause = apply.CauseStop
	}
	live.Again("prod", stopped)
	if e := f.next(t, client.Assigned); len(e.State.Assignments) != 0 || e.State.Int("other", 0) != 1 {
		t.Errorf("%+v", e.State)
	}
	live.Again("prod", func(v *apply.Version) {
		v.Snapshot, v.Cause = v.Snapshot.With(experiment.Options{}), apply.CauseResume
	})
	if e := f.next(t, client.Assigned); !slices.Equal(e.State.Assignments, in("control")) {
		t.Errorf("%+v", e.State.Assignments)
	}
	if err := f.SetContext(map[string]any{"targetingKey": "ada"}); err != nil {
		t.Fatal(err)
	}
	f.next(t, client.Delta)
	f.next(t, client.Assigned)
	live.Again("prod", stopped)
	if e := f.next(t, client.Delta); e.Cause != "stop" || e.State.String("color", "") != "blue" {
		t.Errorf("%s: %s", e.Cause, e.State.Values)
	}
	f.next(t, client.Assigned)
}

// A client that decides by itself is told what it needs for that, and that an operator stopped something.
func TestWhoDecides(t *testing.T) {
	leakless(t)
	live, url := experimenting(t)
	f := follow(t, client.Options{URL: url, Env: "prod", Evaluate: client.Local})
	if e := f.next(t, client.Snapshot); e.State.String("color", "") != "blue" || string(e.State.Definitions) != live.Get("prod").Snapshot.Overrides.Export(nil).String() {
		t.Errorf("%s: %s", e.State.Values, e.State.Definitions)
	}
	live.Again("prod", func(v *apply.Version) {
		v.Snapshot = v.Snapshot.With(experiment.Options{Stopped: func(experiment.Kind, string) bool { return true }})
		v.Cause = apply.CauseStop
	})
	if e := f.next(t, client.Delta); e.Cause != "stop" || len(e.Changes) != 0 || string(e.State.Definitions) != live.Get("prod").Snapshot.Overrides.Export(nil).String() {
		t.Errorf("%+v: %s", e, e.State.Definitions)
	}
}
