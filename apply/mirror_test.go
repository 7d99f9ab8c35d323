package apply_test

import (
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/gitsync"
)

var key = []byte("0123456789abcdef")

// history is a Mirror in memory, and what a follower would say of it.
type history struct {
	commits map[gitsync.Hash]gitsync.Commit
	trees   map[gitsync.Hash][]gitsync.Entry
	blobs   map[gitsync.Hash]string
	signers map[gitsync.Hash]string // who signed a commit
	beyond  int                     // so many commits lie between any two; 0: those that do
	fail    error                   // what every read answers
}

func newHistory() *history {
	return &history{commits: map[gitsync.Hash]gitsync.Commit{}, trees: map[gitsync.Hash][]gitsync.Entry{}, blobs: map[gitsync.Hash]string{}, signers: map[gitsync.Hash]string{}}
}

func hashOf(kind, text string) gitsync.Hash { return sha1.Sum([]byte(kind + "\x00" + text)) }

func (h *history) missing(name gitsync.Hash) error {
	if h.fail != nil {
		return h.fail
	}
	return fmt.Errorf("%s: %w", name.Short(), gitsync.ErrNotFound)
}

func (h *history) Commit(name gitsync.Hash) (gitsync.Commit, error) {
	if c, ok := h.commits[name]; ok && h.fail == nil {
		return c, nil
	}
	return gitsync.Commit{}, h.missing(name)
}

func (h *history) Tree(name gitsync.Hash) ([]gitsync.Entry, error) {
	if t, ok := h.trees[name]; ok && h.fail == nil {
		return t, nil
	}
	return nil, h.missing(name)
}

func (h *history) BlobSize(name gitsync.Hash) (int64, error) {
	if b, ok := h.blobs[name]; ok && h.fail == nil {
		return int64(len(b)), nil
	}
	return 0, h.missing(name)
}

func (h *history) Blob(name gitsync.Hash, _ int64) ([]byte, error) {
	if b, ok := h.blobs[name]; ok && h.fail == nil {
		return []byte(b), nil
	}
	return nil, h.missing(name)
}

func (h *history) Beyond(head gitsync.Hash, covered []gitsync.Hash, limit int) ([]gitsync.Hash, bool, error) {
	if _, err := h.Commit(head); err != nil {
		return nil, false, err
	}
	if h.beyond > limit {
		return nil, false, nil
	}
	below := map[gitsync.Hash]bool{}
	for _, c := range covered {
		maps.Copy(below, h.reach(c))
	}
	var list []gitsync.Hash
	for c := range h.reach(head) {
		if !below[c] {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b gitsync.Hash) int { return len(h.reach(b)) - len(h.reach(a)) })
	return list[:min(len(list), limit)], len(list) <= limit, nil
}

func (h *history) Keep(name gitsync.Hash) error {
	_, err := h.Commit(name)
	return err
}

func (h *history) Signer(name gitsync.Hash, keys *gitsync.Keyring) (gitsync.Signer, error) {
	who, signed := h.signers[name]
	switch {
	case !signed:
		return gitsync.Signer{}, fmt.Errorf("commit %s: %w", name.Short(), gitsync.ErrUnsigned)
	case who == "forger":
		return gitsync.Signer{}, fmt.Errorf("commit %s: %w", name.Short(), gitsync.ErrBadSignature)
	case keys == nil || who == "mallory":
		return gitsync.Signer{}, fmt.Errorf("commit %s: %w", name.Short(), gitsync.ErrUntrusted)
	}
	return gitsync.Signer{Kind: "ssh", Principal: who, Fingerprint: "SHA256:" + who}, nil
}

func (h *history) tree(files map[string]string) gitsync.Hash {
	var entries []gitsync.Entry
	folders := map[string]map[string]string{}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		dir, rest, deeper := strings.Cut(path, "/")
		if !deeper {
			blob := hashOf("blob", files[path])
			h.blobs[blob] = files[path]
			entries = append(entries, gitsync.Entry{Name: path, Mode: gitsync.File, Hash: blob})
			continue
		}
		if folders[dir] == nil {
			folders[dir] = map[string]string{}
		}
		folders[dir][rest] = files[path]
	}
	for _, dir := range slices.Sorted(maps.Keys(folders)) {
		entries = append(entries, gitsync.Entry{Name: dir, Mode: gitsync.Dir, Hash: h.tree(folders[dir])})
	}
	name := hashOf("tree", fmt.Sprint(entries))
	h.trees[name] = entries
	return name
}

// commit makes a commit of files after others. Every one is distinct.
func (h *history) commit(files map[string]string, parents ...gitsync.Hash) gitsync.Hash {
	c := gitsync.Commit{Tree: h.tree(files), Parents: parents, Subject: fmt.Sprint("commit ", len(h.commits))}
	c.Author.Name = "Ada"
	c.Hash = hashOf("commit", fmt.Sprint(c))
	h.commits[c.Hash] = c
	return c.Hash
}

// chain is the first-parent chain, newest first.
func (h *history) chain(from gitsync.Hash) []gitsync.Hash {
	var list []gitsync.Hash
	for at, ok := h.commits[from], true; ok; at, ok = h.commits[at.Parents[0]] {
		if list = append(list, at.Hash); len(at.Parents) == 0 {
			break
		}
	}
	return list
}

func (h *history) reach(from gitsync.Hash) map[gitsync.Hash]bool {
	seen := map[gitsync.Hash]bool{}
	for todo := []gitsync.Hash{from}; len(todo) > 0; todo = todo[1:] {
		if !seen[todo[0]] {
			seen[todo[0]] = true
			todo = append(todo, h.commits[todo[0]].Parents...)
		}
	}
	return seen
}

// update is what a follower hands on when the branch moves from what was taken to a head.
func (h *history) update(taken, head gitsync.Hash) gitsync.Update {
	u := gitsync.Update{From: taken, Head: head}
	chain := h.chain(head)
	fresh := chain[:1]
	if i := slices.Index(chain, taken); i >= 0 {
		fresh = chain[:i]
	} else if !taken.IsZero() {
		u.Rewrite = &gitsync.Rewrite{Old: taken, New: head}
		before := h.reach(taken)
		if i := slices.IndexFunc(chain, func(c gitsync.Hash) bool { return before[c] }); i >= 0 {
			u.Rewrite.Fork, fresh = chain[i], chain[:i]
		}
		u.Rewrite.Foxtrot = h.reach(head)[taken]
	}
	for _, name := range slices.Backward(fresh) {
		u.Commits = append(u.Commits, h.commits[name])
	}
	return u
}

// memoryLog is a Log that keeps what it is given, each decision once, and may stop in the middle of a Record.
type memoryLog struct {
	decisions   []apply.Decision
	rewrites    []apply.Rewrite
	acceptances []apply.Acceptance
	unpins      []apply.Unpin
	resumes     []apply.Resume
	remembered  []apply.Remembered
	given       map[string]bool
	room        int // how many more records it takes before the process is killed; negative for any number
	killed      bool
	full        bool // it takes nothing, and forgets what it was given
	late        bool // it takes what it is given, and says too late that it did
}

var (
	errKilled = errors.New("killed")
	errFull   = errors.New("full")
)

func newLog() *memoryLog { return &memoryLog{given: map[string]bool{}, room: -1} }

func (l *memoryLog) take() bool {
	if l.room == 0 {
		l.killed = true
		return false
	}
	l.room--
	return true
}

func (l *memoryLog) Record(ctx context.Context, e apply.Events) error {
	if l.late {
		l.late = false
		_ = l.Record(ctx, e)
		l.late = true
		return context.DeadlineExceeded
	}
	if l.full {
		return errFull
	}
	if a := e.Acceptance; a != nil {
		if !l.take() {
			return errKilled
		}
		l.acceptances = append(l.acceptances, *a)
		l.remembered = append(l.remembered, apply.Remembered{Commit: a.Commit, Parent: a.From, Accepted: true})
	}
	if p := e.Pin; p != nil {
		if !l.take() {
			return errKilled
		}
		l.remembered = append(l.remembered, apply.Remembered{Pin: p})
	}
	if u := e.Unpin; u != nil {
		if !l.take() {
			return errKilled
		}
		l.unpins = append(l.unpins, *u)
		l.remembered = append(l.remembered, apply.Remembered{Pin: &u.Pin, Unpinned: true})
	}
	if s := e.Stop; s != nil {
		if !l.take() {
			return errKilled
		}
		l.remembered = append(l.remembered, apply.Remembered{Stop: s})
	}
	if rewrite := e.Rewrite; rewrite != nil {
		if !l.take() {
			return errKilled
		}
		l.rewrites = append(l.rewrites, *rewrite)
		l.remembered = append(l.remembered, apply.Remembered{Commit: rewrite.New, Parent: rewrite.Old, Refused: rewrite.Refused})
	}
	for _, d := range e.Decisions {
		name := d.Environment + " " + d.Commit.Hash.String()
		if d.Verdict == apply.Pending || !d.Accepted.IsZero() {
			name += fmt.Sprint(" ", d.Verdict, d.Accepted)
		}
		if l.given[name] {
			continue
		}
		if !l.take() {
			return errKilled
		}
		l.given[name] = true
		l.decisions = append(l.decisions, d)
		l.remembered = append(l.remembered, apply.Remembered{
			Commit: d.Commit.Hash, Parent: d.Parent, Tree: d.Tree, Environment: d.Environment, Due: d.Due,
			Verdict: d.Verdict, Retired: d.Retired, Baseline: d.Baseline, At: d.At, Changes: d.Changes,
		})
	}
	for _, r := range e.Resumes {
		if !l.take() {
			return errKilled
		}
		l.resumes = append(l.resumes, r)
		l.remembered = append(l.remembered, apply.Remembered{Stop: &r.Stop, Resumed: true})
	}
	return nil
}

// process is a server that is started, follows and is killed.
type process struct {
	t interface {
		Fatalf(string, ...any)
		Helper()
	}
	h     *history
	log   *memoryLog
	live  *apply.Live
	rec   *apply.Reconciler
	taken gitsync.Hash
}

func start(t testing.TB, h *history, log *memoryLog) *process {
	return begin(t, h, log, apply.Options{})
}

func begin(t interface {
	Fatalf(string, ...any)
	Helper()
}, h *history, log *memoryLog, o apply.Options,
) *process {
	t.Helper()
	p := &process{t: t, h: h, log: log, live: apply.NewLive()}
	clock := time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)
	o.Mirror, o.Log, o.Live, o.Key, o.Remembered = h, log, p.live, key, log.remembered
	log.room, log.killed, log.full = -1, false, false
	if o.Now == nil {
		o.Now = func() time.Time { clock = clock.Add(time.Second); return clock }
	}
	p.rec = apply.New(o)
	if err := p.rec.Start(context.Background()); err != nil {
		t.Fatalf("start: %v", err)
	}
	p.taken = p.rec.Last()
	return p
}

// look lets the process see a head of the branch.
func (p *process) look(head gitsync.Hash) error {
	if p.taken == head {
		return nil
	}
	err := p.rec.Take(context.Background(), p.h.update(p.taken, head))
	if p.log.killed {
		return errKilled
	}
	if err == nil {
		p.taken = head
	}
	return err
}

func (p *process) see(heads ...gitsync.Hash) {
	p.t.Helper()
	for _, head := range heads {
		if err := p.look(head); err != nil {
			p.t.Fatalf("take %s: %v", head.Short(), err)
		}
	}
}

// serves is what an environment serves, as JSON; empty for nothing.
func (p *process) serves(env string) string {
	v := p.live.Get(env)
	if v == nil {
		return ""
	}
	return string(v.Snapshot.Delivered.AppendJSON(nil))
}

func (p *process) expect(want map[string]string) {
	p.t.Helper()
	got := map[string]string{}
	for _, env := range p.live.Environments() {
		got[env] = p.serves(env)
	}
	if !maps.Equal(got, want) {
		p.t.Fatalf("served %v, want %v", got, want)
	}
}

// verdicts lists decisions as environment, verdict, outcome and rule of the first problem.
func (l *memoryLog) verdicts() []string {
	var all []string
	for _, d := range l.decisions {
		line := strings.TrimSpace(fmt.Sprintf("%s %s %s", d.Environment, d.Verdict, d.Outcome))
		if i := slices.IndexFunc(d.Problems, func(p compile.Problem) bool { return p.Severity == compile.Error }); i >= 0 {
			line += " " + d.Problems[i].Rule
		}
		if !d.RollbackOf.IsZero() {
			line += " rollback"
		}
		all = append(all, line)
	}
	return all
}
