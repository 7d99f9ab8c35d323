package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/server"
	"github.com/trunkline/trunkline/value"
)

type watchCmd struct {
	Patterns []string `arg:"" optional:"" help:"Patterns of values, as checkout.** or *.timeout; everything without them." placeholder:"PATTERN"`
	attributed
	remote
	fileFlags
}

func (watchCmd) Help() string {
	return `Shows what is live and then every change, until interrupted; with a context also which variants of experiments somebody has. With
-o json one event a line.

With --file it keeps a file in step with what is live, for programs that read files, and tells them by a command or a signal: after each
change of the file, one at a time; what goes live meanwhile is told of once more afterwards. The command knows TRUNKLINE_FILE,
TRUNKLINE_COMMIT and TRUNKLINE_ENV. If it fails, the file stays, the server is told that this client cannot use the version, and the
command is run again after the next change. While no server can be reached the file stays as it is.

Examples:
  trunkline watch --env prod
  trunkline watch 'checkout.**' 'database.*.pool' -e prod -o json
  trunkline watch 'checkout.**' -e prod --context country=DE --context accountId=a-17
  trunkline watch 'checkout.**' -e prod --file checkout.json --exec 'systemctl reload checkout'
  trunkline watch -e prod --file app.env --once && exec ./app`
}

func (c watchCmd) Run(ctx context.Context, io *streams) error {
	if c.File != "" {
		return c.keepFile(ctx, io)
	}
	show := &watcher{out: io.out, talk: io.err, c: newPalette(io.color), env: c.Env}
	o, err := c.options()
	if err != nil {
		return err
	}
	o.OnEvent = func(e client.Event) {
		if c.json() {
			show.json(e)
		} else {
			show.text(e)
		}
	}
	follow, err := client.New(o)
	if err != nil {
		return err
	}
	if err := follow.Run(ctx); ctx.Err() == nil {
		return err
	}
	return nil // interrupted, as it is meant to be
}

func (c watchCmd) options() (client.Options, error) {
	who, err := c.context()
	return client.Options{
		URL: c.Server, Env: c.Env, Patterns: c.Patterns, Context: who, Token: c.following(), TLS: c.config, Name: "trunkline watch", Version: server.Version,
	}, err
}

// watcher writes events.
type watcher struct {
	out, talk io.Writer
	c         palette
	env       string
	lost      bool
	assigned  map[string]client.Assignment // by experiment
}

// event is an event in JSON.
type event struct {
	Time       time.Time     `json:"time"`
	Event      string        `json:"event"`
	Commit     string        `json:"commit,omitempty"`
	Author     string        `json:"author,omitempty"`
	Subject    string        `json:"subject,omitempty"`
	Cause      string        `json:"cause,omitempty"`
	RollbackOf string        `json:"rollbackOf,omitempty"`
	Values     *value.Value  `json:"values,omitempty"`
	Changes    []eventChange `json:"changes,omitempty"`
	// Assignments are all that there are, when they are others than before.
	Assignments []client.Assignment `json:"assignments,omitzero"`
	Error       string              `json:"error,omitempty"`
}

type eventChange struct {
	Path string       `json:"path"`
	Old  *value.Value `json:"old,omitempty"`
	New  *value.Value `json:"new,omitempty"`
}

func (w *watcher) json(e client.Event) {
	line := event{Time: time.Now(), Event: string(e.Kind), Cause: e.Cause}
	if e.Err != nil {
		line.Error = e.Err.Error()
	}
	if s := e.State; s != nil {
		line.Commit, line.Author, line.Subject, line.RollbackOf = s.Commit, s.Author, s.Subject, s.RollbackOf
		switch e.Kind {
		case client.Snapshot:
			line.Values = s.Values
		case client.Assigned:
			line.Assignments = s.Assignments
		}
	}
	for _, c := range e.Changes {
		line.Changes = append(line.Changes, eventChange{c.Path.String(), c.Old, c.New})
	}
	_ = json.NewEncoder(w.out).Encode(line)
}

func (w *watcher) text(e client.Event) {
	switch e.Kind {
	case client.Disconnected:
		if !w.lost {
			fmt.Fprintf(w.talk, "%s %s\n", w.c.yellow("disconnected:"), e.Err)
		}
		w.lost = true
		return
	case client.Current:
		fmt.Fprintf(w.talk, "%s nothing has changed\n", w.c.green("connected again:"))
	case client.Snapshot:
		w.head(e, "live")
		if e.Changes == nil {
			fmt.Fprintf(w.out, "  %s\n", w.c.dim(fmt.Sprintf("%d values; changes follow as they go live", count(e.State.Values))))
		}
	case client.Delta:
		w.head(e, e.Cause)
	case client.Assigned:
		w.head(e, "assigned")
		w.assignments(e.State.Assignments)
	}
	w.lost = false
	for _, c := range e.Changes {
		writeChange(w.out, c, w.c)
	}
}

func (w *watcher) head(e client.Event, what string) {
	s := e.State
	if s.RollbackOf != "" {
		what = "rollback to " + short(s.RollbackOf)
	}
	fmt.Fprintf(w.out, "%s %s %s %s %s\n", w.c.dim(time.Now().Format("15:04:05.000")), w.c.cyan(short(s.Commit)), w.c.bold(s.Subject),
		w.c.dim("by "+s.Author), w.c.dim("("+what+")"))
}

// assignments writes what has changed in the variants that whoever asks has.
func (w *watcher) assignments(list []client.Assignment) {
	before := w.assigned
	w.assigned = map[string]client.Assignment{}
	for _, a := range list {
		w.assigned[a.Experiment] = a
		old, had := before[a.Experiment]
		switch {
		case !had:
			fmt.Fprintf(w.out, "  %s experiment %s: %s\n", w.c.green("+"), a.Experiment, variant(a))
		case old != a:
			fmt.Fprintf(w.out, "  %s experiment %s: %s → %s\n", w.c.yellow("~"), a.Experiment, variant(old), variant(a))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if _, has := w.assigned[key]; !has {
			fmt.Fprintf(w.out, "  %s experiment %s %s\n", w.c.red("-"), key, w.c.dim("was "+variant(before[key])))
		}
	}
}

func variant(a client.Assignment) string {
	if a.Forced {
		return fmt.Sprintf("%s (phase %d, forced)", a.Variant, a.Phase)
	}
	return fmt.Sprintf("%s (phase %d)", a.Variant, a.Phase)
}

func short(commit string) string { return commit[:min(len(commit), 7)] }

func count(v *value.Value) int {
	if v.Kind() != value.Map {
		return 1
	}
	n := 0
	for _, e := range v.Entries() {
		n += count(e.Value)
	}
	return n
}

// writeChange writes one difference on a line of its own.
func writeChange(w io.Writer, c value.Change, p palette) {
	path := c.Path.String()
	switch {
	case c.Old == nil:
		fmt.Fprintf(w, "  %s %s = %s\n", p.green("+"), path, brief(c.New))
	case c.New == nil:
		fmt.Fprintf(w, "  %s %s %s\n", p.red("-"), path, p.dim("was "+brief(c.Old)))
	default:
		fmt.Fprintf(w, "  %s %s: %s → %s\n", p.yellow("~"), path, brief(c.Old), brief(c.New))
	}
}

// brief is a value on one line, short enough to read.
func brief(v *value.Value) string {
	const most = 100
	if v.Kind() == value.Redacted {
		return "(redacted)"
	}
	text := []rune(v.String())
	if len(text) > most {
		return string(text[:most]) + "…"
	}
	return string(text)
}
