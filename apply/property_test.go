package apply_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/gitsync"
)

// verdict is what may not depend on batches and restarts.
func verdict(d apply.Decision) string {
	return fmt.Sprintf("%s after %s: %s, baseline %s, rollback of %s, %s", d.Environment, d.Parent.Short(), d.Verdict, d.Baseline.Short(), d.RollbackOf.Short(), d.Checksum)
}

// judged is what one process without restart decides of a chain, commit by commit, and what it serves in the end.
func judged(t *rapid.T, h *history, head gitsync.Hash) (map[string]string, map[string]string) {
	p := begin(t, h, newLog(), apply.Options{LogRequired: true})
	for _, c := range slices.Backward(h.chain(head)) {
		p.see(c)
	}
	decided := map[string]string{}
	for _, d := range p.log.decisions {
		decided[d.Environment+" "+d.Commit.Hash.String()] = verdict(d)
	}
	return decided, served(p)
}

func served(p *process) map[string]string {
	all := map[string]string{}
	for _, env := range p.live.Environments() {
		all[env] = p.live.Get(env).Commit.Hash.Short() + " " + p.serves(env)
	}
	return all
}

var (
	parts = map[string][]string{
		"trunkline.yaml": {
			"version: 1\nenvironments: {prod: {}, staging: {}, qa: {}}\n", "version: 1\nenvironments: {prod: {}, staging: {}, qa: {}}\nsensitive: [a.x]\n",
			"version: 1\nenvironments: {prod: {}, staging: {extends: prod}, qa: {retired: true}}\n", "version: 1\nenvironments: {prod: {}, staging: {}}\n",
			"version: 1\napply: together\nenvironments: {prod: {}, staging: {}, qa: {}}\n", "version: [",
		},
		"policies/a.yaml": {
			"policies: []\n", "policies: [{id: grow, match: a.x, expression: self >= oldSelf}]\n", "policies: [{id: least, match: a.x, expression: self > 1}]\n",
			"policies: [{id: grow, match: a.x, expression: self >= oldSelf, allowOnRollback: true}]\n", "policies: [{id: never, match: a.x, expression: rollback}]\n",
		},
		"config/a.yaml":               {"x: 1\n", "x: 2\n", "x: many\n", "x: {v: 1}\n", "x: ["},
		"environments/prod/a.yaml":    {"v: 1\n", "x: 5\n", "x: ["},
		"environments/staging/a.yaml": {"v: 1\n", "x: 6\n", "x: {w: 1}\n"},
		"schemas/a.schema.json":       {`{}`, `{"properties": {"x": {"type": "integer"}}}`, `{"properties": {"v": {"writeOnly": true}}}`},
	}
	partNames = slices.Sorted(maps.Keys(parts))
)

// grow makes a random history of commits that share their first one. Some return to the tree of an earlier one.
func grow(t *rapid.T, h *history) []gitsync.Hash {
	type version struct {
		name  gitsync.Hash
		files map[string]string
	}
	root := map[string]string{"trunkline.yaml": parts["trunkline.yaml"][0], "config/a.yaml": "x: 1\n"}
	all := []version{{h.commit(root), root}}
	pick := func(label string) version { return rapid.SampledFrom(all).Draw(t, label) }
	for range rapid.IntRange(2, 14).Draw(t, "commits") {
		parent := all[len(all)-1]
		if rapid.IntRange(0, 3).Draw(t, "branch") == 0 {
			parent = pick("parent")
		}
		files := maps.Clone(parent.files)
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			files = pick("revert").files
		case 1: // no change
		default:
			name := rapid.SampledFrom(partNames).Draw(t, "part")
			files[name] = rapid.SampledFrom(parts[name]).Draw(t, "content")
		}
		parents := []gitsync.Hash{parent.name}
		if rapid.IntRange(0, 3).Draw(t, "merge") == 0 {
			parents = append(parents, pick("merged").name)
		}
		all = append(all, version{h.commit(files, parents...), files})
	}
	names := make([]gitsync.Hash, len(all))
	for i, v := range all {
		names[i] = v.name
	}
	return names
}

// However the branch jumps, however its commits are batched, and wherever the process is killed, every commit is decided as it
// would be one by one, and the end is the same.
func TestVerdictsDependOnTheChainAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, log := newHistory(), newLog()
		commits := grow(t, h)
		p := begin(t, h, log, apply.Options{})
		if rapid.Bool().Draw(t, "killed at the origin") {
			log.room = rapid.IntRange(1, 3).Draw(t, "room")
		}
		err := p.look(commits[0])
		head, dropped := commits[0], false
		for range rapid.IntRange(1, 8).Draw(t, "looks") {
			if err != nil || rapid.IntRange(0, 3).Draw(t, "restart") == 0 {
				p = begin(t, h, log, apply.Options{})
			}
			log.full = rapid.IntRange(0, 5).Draw(t, "full") == 0
			dropped = dropped || log.full
			if rapid.IntRange(0, 2).Draw(t, "kill") == 0 {
				log.room = rapid.IntRange(0, 5).Draw(t, "room")
			}
			head = rapid.SampledFrom(commits).Draw(t, "head")
			err = p.look(head)
		}
		log.room, log.full = -1, false
		if dropped || err != nil || rapid.Bool().Draw(t, "restart at the end") {
			p = begin(t, h, log, apply.Options{})
		}
		p.see(head)
		want, live := judged(t, h, head)
		if got := served(p); !maps.Equal(got, live) {
			t.Fatalf("served %v, want %v", got, live)
		}
		agree(t, h, log, want)
		p = begin(t, h, log, apply.Options{})
		if again := served(p); !dropped && !maps.Equal(again, live) {
			t.Fatalf("served after a restart %v, want %v", again, live)
		}
		p.see(head)
		if again := served(p); !maps.Equal(again, live) {
			t.Fatalf("served after a restart and a look %v, want %v", again, live)
		}
	})
}

// agree compares every decision on record with what is decided of its own chain.
func agree(t *rapid.T, h *history, log *memoryLog, want map[string]string) {
	oracle := map[gitsync.Hash]map[string]string{}
	for _, d := range log.decisions {
		name := d.Environment + " " + d.Commit.Hash.String()
		if oracle[d.Commit.Hash] == nil {
			oracle[d.Commit.Hash], _ = judged(t, h, d.Commit.Hash)
		}
		if got := verdict(d); got != oracle[d.Commit.Hash][name] {
			t.Fatalf("%s is decided\n%s, and one by one\n%s", d.Commit.Hash.Short(), got, oracle[d.Commit.Hash][name])
		}
	}
	for name := range want {
		if !log.given[name] {
			t.Fatalf("%s was never decided", name)
		}
	}
}
