package client

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/trunkline/trunkline/internal/atomicfile"
)

// keptFormat begins a file of kept values: a line of it and the SHA-256 of what follows.
const keptFormat = "trunkline.kept.v1 "

// kept is what such a file holds.
type kept struct {
	View       string          `json:"view"` // of what it is, as digest
	Cursor     string          `json:"cursor"`
	Commit     string          `json:"commit"`
	Author     string          `json:"author,omitempty"`
	Subject    string          `json:"subject,omitempty"`
	RollbackOf string          `json:"rollbackOf,omitempty"`
	Values     json.RawMessage `json:"values"`

	Assignments []Assignment    `json:"assignments,omitempty"`
	Definitions json.RawMessage `json:"definitions,omitempty"`
}

// view names what is asked of whom, without telling it: a context may hold what is personal.
func (c *Client) view(r request) string {
	patterns := slices.Sorted(slices.Values(r.patterns))
	of := []any{c.url, c.o.Env, slices.Compact(patterns), r.context}
	if c.o.Evaluate != Remote {
		of = append(of, c.o.Evaluate)
	}
	data, _ := json.Marshal(of)
	return fmt.Sprintf("%x", sha256.Sum256(data))
}

// recall serves the values of the last run, until the server sends its own. It returns a timer, which lets go of those who wait for
// values when the server takes long.
func (r *run) recall() *time.Timer {
	if r.o.Keep == "" {
		return nil
	}
	r.keep = newKeeper(r.o.Keep, r.view, r.o.Log)
	want := r.ask.wanted()
	o, err := readKept(r.o.Keep, r.view(want), r.bounds)
	if err == nil && r.o.Accept != nil {
		err = r.o.Accept(o.state)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		r.o.Log.Warn("the kept values are not used", "component", "client", "file", r.o.Keep, "err", err)
		return nil
	}
	o.decided, r.has = true, o
	r.feeder.Put(o.state)
	r.event(Event{Kind: Kept, State: o.state})
	return time.AfterFunc(r.times.kept, r.available)
}

// readKept reads a file of kept values.
func readKept(file, view string, b bounds) (*offer, error) {
	data, err := readRegular(file, b.bytes+maxDefinitions+envelope)
	if err != nil {
		return nil, err
	}
	head, body, _ := bytes.Cut(data, []byte("\n"))
	sum, ours := bytes.CutPrefix(head, []byte(keptFormat))
	var k kept
	switch {
	case !ours:
		return nil, errors.New("the file holds no kept values")
	case hex.EncodeToString(sumOf(body)) != string(sum):
		return nil, errors.New("the file is damaged")
	case json.Unmarshal(body, &k) != nil:
		return nil, errors.New("the file cannot be read")
	case k.View != view:
		return nil, errors.New("they are of another server, environment, patterns or context")
	}
	o := &offer{kind: Kept, state: &State{
		Cursor: k.Cursor, Commit: k.Commit, Author: k.Author, Subject: k.Subject, RollbackOf: k.RollbackOf,
		Assignments: k.Assignments, Definitions: k.Definitions,
	}}
	if err := o.parse(k.Values, b); err != nil {
		return nil, err
	}
	return o, nil
}

// readRegular reads a file of bounded size. Nothing else than a file is opened: a pipe would never end.
func readRegular(file string, most int) ([]byte, error) {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is no file")
	case info.Size() > int64(most):
		return nil, fmt.Errorf("the file is larger than %d bytes", most)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, int64(most)))
}

func sumOf(data []byte) []byte {
	sum := sha256.Sum256(data)
	return sum[:]
}

// keeper writes the newest values to disk, beside everything else. A nil keeper keeps nothing.
type keeper struct {
	file   string
	view   func(request) string
	log    *slog.Logger
	newest chan *offer // holds one at most
	done   chan struct{}
}

func newKeeper(file string, view func(request) string, log *slog.Logger) *keeper {
	k := &keeper{file: file, view: view, log: log, newest: make(chan *offer, 1), done: make(chan struct{})}
	go k.run()
	return k
}

func (k *keeper) put(o *offer) {
	if k == nil {
		return
	}
	select {
	case <-k.newest: // which is no longer that
	default:
	}
	now := *o
	k.newest <- &now
}

// close returns when the newest values are on disk.
func (k *keeper) close() {
	if k != nil {
		close(k.newest)
		<-k.done
	}
}

func (k *keeper) run() {
	defer close(k.done)
	told := ""
	for o := range k.newest {
		err := k.write(o)
		switch {
		case err == nil:
			told = ""
		case err.Error() != told:
			told = err.Error()
			k.log.Error("the values are not kept", "component", "client", "err", err)
		}
	}
}

func (k *keeper) write(o *offer) error {
	s := o.state
	body, err := json.Marshal(kept{
		View: k.view(o.request), Cursor: s.Cursor, Commit: s.Commit, Author: s.Author, Subject: s.Subject, RollbackOf: s.RollbackOf,
		Values: s.Values.AppendJSON(nil), Assignments: s.Assignments, Definitions: s.Definitions,
	})
	if err != nil {
		return err
	}
	head := keptFormat + hex.EncodeToString(sumOf(body)) + "\n"
	return atomicfile.Write(k.file, append([]byte(head), body...), 0o600)
}
