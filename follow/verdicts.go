package follow

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/internal/atomicfile"
)

const (
	verdictsFormat = "trunkline.verdicts.v1"

	maxLine = 4 << 10 // bytes
)

// identity is what a directory belongs to.
type identity struct {
	Format string `json:"format"`
	Repo   string `json:"repo"`
	Branch string `json:"branch"`
	Path   string `json:"path"`
}

// entry is one line: a verdict, or, without an environment, that the branch was moved.
type entry struct {
	Commit      gitsync.Hash  `json:"commit"`
	Parent      gitsync.Hash  `json:"parent,omitzero"` // of a move: where the branch was
	Tree        gitsync.Hash  `json:"tree,omitzero"`
	Environment string        `json:"environment,omitempty"`
	Due         int           `json:"due,omitempty"`
	Verdict     apply.Verdict `json:"verdict,omitempty"`
	Retired     bool          `json:"retired,omitempty"`
	Baseline    gitsync.Hash  `json:"baseline,omitzero"`
	At          time.Time     `json:"at"`
}

// verdicts is the log of a program that keeps no records: it holds what a restart begins from, and no more of it than counts. A line is
// on disk before what it tells goes live.
type verdicts struct {
	file    string // empty: nothing is kept
	of      identity
	log     *slog.Logger
	waiting []byte // what could not be written yet
	torn    bool   // the last line may be a part
	entries []entry
	commits int // in the file
}

// openVerdicts reads what an earlier process left. What is damaged is passed over: it will be judged again.
func openVerdicts(file string, of identity, log *slog.Logger) (*verdicts, error) {
	of.Format = verdictsFormat
	v := &verdicts{file: file, of: of, log: log}
	if file == "" {
		return v, nil
	}
	if err := v.read(); err != nil {
		return nil, err
	}
	return v, v.compact()
}

func (v *verdicts) read() error {
	data, err := os.ReadFile(v.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the verdicts: %w", err)
	}
	head, rest, _ := bytes.Cut(data, []byte("\n"))
	var of identity
	if json.Unmarshal(head, &of) != nil || of.Format != verdictsFormat {
		v.log.Warn("the verdicts cannot be read: the newest commit is judged by itself", "component", "follow", "file", v.file)
		return nil
	}
	if of != v.of {
		return fmt.Errorf("its directory belongs to the branch %s of %s, folder %q: name another, or remove it to begin anew", of.Branch, of.Repo, of.Path)
	}
	v.parse(rest)
	return nil
}

func (v *verdicts) parse(data []byte) {
	lines, damaged := bufio.NewScanner(bytes.NewReader(data)), 0
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var e entry
		if json.Unmarshal(lines.Bytes(), &e) != nil || e.Commit.IsZero() {
			damaged++
			continue
		}
		v.entries = append(v.entries, e)
	}
	if damaged > 0 || lines.Err() != nil {
		v.log.Warn("some verdicts cannot be read: what they are about is judged again", "component", "follow", "file", v.file, "lines", damaged)
	}
}

// remembered is what was read, oldest first. It is handed out once.
func (v *verdicts) remembered() []apply.Remembered {
	list := make([]apply.Remembered, 0, len(v.entries))
	for _, e := range v.entries {
		list = append(list, apply.Remembered{
			Commit: e.Commit, Parent: e.Parent, Tree: e.Tree, Environment: e.Environment, Due: e.Due, Verdict: e.Verdict, Retired: e.Retired,
			Baseline: e.Baseline, At: e.At,
		})
	}
	v.entries = nil
	return list
}

// Record puts decisions on disk. What cannot be written is written with the next.
func (v *verdicts) Record(_ context.Context, e apply.Events) error {
	if v.file == "" {
		return nil
	}
	if e.Rewrite != nil {
		v.add(entry{Commit: e.Rewrite.New, Parent: e.Rewrite.Old, At: e.Rewrite.At})
	}
	for i, d := range e.Decisions {
		if i == 0 || d.Commit.Hash != e.Decisions[i-1].Commit.Hash {
			v.commits++
		}
		v.add(entry{
			Commit: d.Commit.Hash, Parent: d.Parent, Tree: d.Tree, Environment: d.Environment, Due: d.Due, Verdict: d.Verdict, Retired: d.Retired,
			Baseline: d.Baseline, At: d.At,
		})
	}
	if err := v.write(); err != nil {
		return err
	}
	if v.commits > 2*apply.MaxRemembered {
		return v.shorten()
	}
	return nil
}

func (v *verdicts) add(e entry) {
	line, err := json.Marshal(e)
	if err != nil {
		panic(err) // the type above can always be written
	}
	v.waiting = append(append(v.waiting, line...), '\n')
}

func (v *verdicts) write() error {
	if v.torn {
		v.waiting = append([]byte("\n"), v.waiting...)
	}
	f, err := os.OpenFile(v.file, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("the verdicts: %w", err)
	}
	_, err = f.Write(v.waiting)
	if v.torn = err != nil; !v.torn {
		v.waiting = nil
	}
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("the verdicts: %w", err)
	}
	return nil
}

// shorten reads the file and writes it with what counts of it.
func (v *verdicts) shorten() error {
	if err := v.read(); err != nil {
		return err
	}
	err := v.compact()
	v.entries = nil
	return err
}

// compact writes the file with the newest commits alone.
func (v *verdicts) compact() error {
	v.entries = newest(v.entries, apply.MaxRemembered)
	head, err := json.Marshal(v.of)
	if err != nil {
		return err
	}
	v.waiting, v.commits = append(head, '\n'), 0
	for i, e := range v.entries {
		if i == 0 || e.Commit != v.entries[i-1].Commit {
			v.commits++
		}
		v.add(e)
	}
	text := v.waiting
	v.waiting = nil
	if err := atomicfile.Write(v.file, text, 0o600); err != nil {
		return fmt.Errorf("the verdicts: %w", err)
	}
	return nil
}

// newest are the entries on the newest commits.
func newest(entries []entry, commits int) []entry {
	for i := len(entries) - 1; i >= 0; i-- {
		if i == len(entries)-1 || entries[i].Commit != entries[i+1].Commit {
			commits--
		}
		if commits < 0 {
			return entries[i+1:]
		}
	}
	return entries
}
