package follow_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/follow"
	"github.com/trunkline/trunkline/gitsync"
)

func hash(n int) (h gitsync.Hash) {
	binary.BigEndian.PutUint64(h[:], uint64(n))
	return h
}

func decisions(from, to int) (list []apply.Decision) {
	for n := from; n <= to; n++ {
		for _, env := range []string{"prod", "staging"} {
			list = append(list, apply.Decision{
				Commit: gitsync.Commit{Hash: hash(n)}, Parent: hash(n - 1), Tree: hash(-n), Environment: env, Due: 2, Verdict: apply.Valid, Baseline: hash(n - 1),
				At: time.Unix(int64(n), 0).UTC(),
			})
		}
	}
	return list
}

func TestVerdictsAreRemembered(t *testing.T) {
	file := filepath.Join(t.TempDir(), "verdicts")
	log := &logged{}
	l, remembered, err := follow.OpenVerdicts(file, log.log())
	if err != nil || len(remembered) != 0 {
		t.Fatal(remembered, err)
	}
	at := time.Unix(9, 0).UTC()
	for _, e := range []apply.Events{
		{Decisions: decisions(1, 2)},
		{Rewrite: &apply.Rewrite{Rewrite: gitsync.Rewrite{Old: hash(2), New: hash(1)}, At: at}},
		{Decisions: decisions(3, 3)},
	} {
		if err := l.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	_, remembered, err = follow.OpenVerdicts(file, log.log())
	want := []apply.Remembered{}
	for _, d := range append(append(decisions(1, 2), apply.Decision{}), decisions(3, 3)...) {
		one := apply.Remembered{
			Commit: d.Commit.Hash, Parent: d.Parent, Tree: d.Tree, Environment: d.Environment, Due: d.Due, Verdict: d.Verdict, Baseline: d.Baseline, At: d.At,
		}
		if d.Environment == "" {
			one = apply.Remembered{Commit: hash(1), Parent: hash(2), At: at}
		}
		want = append(want, one)
	}
	if diff := cmp.Diff(want, remembered); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Error(info.Mode(), err)
	}
}

// A line that a crash left in part, or that was spoilt, costs only what it tells.
func TestVerdictsInPart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "verdicts")
	log := &logged{}
	l, _, err := follow.OpenVerdicts(file, log.log())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Record(t.Context(), apply.Events{Decisions: decisions(1, 3)}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	lines[2] = "\x00\x00\n"
	spoilt := strings.Join(lines, "")
	if err := os.WriteFile(file, []byte(spoilt[:len(spoilt)-20]), 0o600); err != nil {
		t.Fatal(err)
	}
	_, remembered, err := follow.OpenVerdicts(file, log.log())
	if err != nil || len(remembered) != 4 {
		t.Errorf("%d, %v", len(remembered), err)
	}
	log.says(t, "lines=2")
}

// The file does not grow without end, and keeps what counts.
func TestVerdictsAreShortened(t *testing.T) {
	file := filepath.Join(t.TempDir(), "verdicts")
	log := &logged{}
	l, _, err := follow.OpenVerdicts(file, log.log())
	if err != nil {
		t.Fatal(err)
	}
	const all = 2*apply.MaxRemembered + 1
	for _, list := range [][]apply.Decision{decisions(1, all-1), decisions(all, all), decisions(all+1, all+1)} {
		if err := l.Record(t.Context(), apply.Events{Decisions: list}); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "\n"); n != 1+2*(apply.MaxRemembered+1) {
		t.Errorf("%d lines", n)
	}
	_, remembered, err := follow.OpenVerdicts(file, log.log())
	if err != nil || len(remembered) != 2*apply.MaxRemembered || remembered[0].Commit != hash(all+2-apply.MaxRemembered) || remembered[len(remembered)-1].Commit != hash(all+1) {
		t.Errorf("%d from %s, %v", len(remembered), remembered[0].Commit, err)
	}
}

// What could not be written is written with the next.
func TestVerdictsThatCouldNotBeWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "verdicts")
	log := &logged{}
	l, _, err := follow.OpenVerdicts(file, log.log())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, dir+"-away"); err != nil {
		t.Fatal(err)
	}
	if err := l.Record(t.Context(), apply.Events{Decisions: decisions(1, 1)}); err == nil {
		t.Fatal("it was recorded nowhere")
	}
	if err := os.Rename(dir+"-away", dir); err != nil {
		t.Fatal(err)
	}
	if err := l.Record(t.Context(), apply.Events{Decisions: decisions(2, 2)}); err != nil {
		t.Fatal(err)
	}
	if _, remembered, err := follow.OpenVerdicts(file, log.log()); err != nil || len(remembered) != 4 || remembered[0].Commit != hash(1) {
		t.Errorf("%d, %v", len(remembered), err)
	}
}
