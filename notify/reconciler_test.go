package notify_test

import (
	"context"
	"crypto/sha1" //nolint:gosec // names objects as Git does
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/notify"
)

// mirror holds commits in memory.
type mirror struct {
	commits map[gitsync.Hash]gitsync.Commit
	trees   map[gitsync.Hash][]gitsync.Entry
	blobs   map[gitsync.Hash][]byte
	head    gitsync.Hash
}

func newMirror() *mirror {
	return &mirror{map[gitsync.Hash]gitsync.Commit{}, map[gitsync.Hash][]gitsync.Entry{}, map[gitsync.Hash][]byte{}, gitsync.Hash{}}
}

func (m *mirror) Commit(h gitsync.Hash) (gitsync.Commit, error) { return m.commits[h], nil }
func (m *mirror) Tree(h gitsync.Hash) ([]gitsync.Entry, error)  { return m.trees[h], nil }
func (m *mirror) BlobSize(h gitsync.Hash) (int64, error)        { return int64(len(m.blobs[h])), nil }
func (m *mirror) Blob(h gitsync.Hash, _ int64) ([]byte, error)  { return m.blobs[h], nil }

// Beyond, Keep and Signer are not asked: no manifest of these tests wants anything of commits.
func (m *mirror) Beyond(gitsync.Hash, []gitsync.Hash, int) ([]gitsync.Hash, bool, error) {
	return nil, true, nil
}

func (m *mirror) Keep(gitsync.Hash) error { return nil }

func (m *mirror) Signer(gitsync.Hash, *gitsync.Keyring) (gitsync.Signer, error) {
	return gitsync.Signer{}, gitsync.ErrUnsigned
}

// write stores files under their paths as a tree.
func (m *mirror) write(files map[string]string) gitsync.Hash {
	below := map[string]map[string]string{}
	var entries []gitsync.Entry
	for path, content := range files {
		dir, rest, nested := strings.Cut(path, "/")
		if !nested {
			h := gitsync.Hash(sha1.Sum([]byte(content))) //nolint:gosec // as Git does
			m.blobs[h] = []byte(content)
			entries = append(entries, gitsync.Entry{Name: path, Mode: gitsync.File, Hash: h})
			continue
		}
		if below[dir] == nil {
			below[dir] = map[string]string{}
		}
		below[dir][rest] = content
	}
	for dir, files := range below {
		entries = append(entries, gitsync.Entry{Name: dir, Mode: gitsync.Dir, Hash: m.write(files)})
	}
	slices.SortFunc(entries, func(a, b gitsync.Entry) int { return strings.Compare(a.Name, b.Name) })
	h := gitsync.Hash(sha1.Sum(fmt.Append(nil, "tree", entries))) //nolint:gosec // as Git does
	m.trees[h] = entries
	return h
}

// push commits files and returns the update that tells of it.
func (m *mirror) push(subject string, files map[string]string) gitsync.Update {
	tree := m.write(files)
	c := gitsync.Commit{Hash: gitsync.Hash(sha1.Sum(fmt.Append(nil, subject, tree))), Tree: tree, Subject: subject, Author: gitsync.Person{Name: "Ada"}} //nolint:gosec // as Git does
	u := gitsync.Update{From: m.head, Head: c.Hash}
	if !m.head.IsZero() {
		c.Parents = []gitsync.Hash{m.head}
	}
	m.commits[c.Hash], m.head = c, c.Hash
	u.Commits = []gitsync.Commit{c}
	return u
}

type noLog struct{}

func (noLog) Record(context.Context, apply.Events) error { return nil }

// What the reconciler puts live is what clients get: without a marked value, with its change, and with what a commit tells.
func TestWhatTheReconcilerPutsLive(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	m, live, c := newMirror(), apply.NewLive(), newCounts()
	r := apply.New(apply.Options{Mirror: m, Log: noLog{}, Live: live, Key: []byte("key")})
	hub := notify.New(notify.Options{Live: live, Observe: c.observer()})
	srv := httptest.NewUnstartedServer(guarded(hub))
	srv.Listener = notify.Listen(srv.Listener)
	srv.Start()
	s := &server{Server: srv, counts: c, hub: hub, done: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go func() { s.done <- hub.Run(ctx) }()
	t.Cleanup(func() { s.stop(t) })

	files := map[string]string{
		"trunkline.yaml":                  "version: 1\nenvironments: {old: {}, prod: {}}\nsensitive: [database.dsn]\n",
		"config/database.yaml":            "dsn: postgres://u:hunter2@db/x\npool: 5\n",
		"environments/prod/database.yaml": "pool: 10\n",
		"environments/old/database.yaml":  "pool: 1\n",
	}
	take := func(subject string) {
		t.Helper()
		if err := r.Take(t.Context(), m.push(subject, files)); err != nil {
			t.Fatal(err)
		}
		if got := live.Get("prod"); got == nil || got.Commit.Subject != subject {
			t.Fatalf("%s is not live: %+v", subject, r.Status())
		}
	}
	take("begin")
	p, old := s.follow(t, "prod"), s.follow(t, "old")
	dsn := func() string {
		object := p.tree.(map[string]any)["database"].(map[string]any)["dsn"].(map[string]any)
		if object["$redacted"] != true || len(object) != 2 {
			t.Fatalf("%v", object)
		}
		return fmt.Sprint(object["fp"])
	}
	before, begun := dsn(), p.cursor
	if strings.Contains(text(t, p.tree), "hunter2") {
		t.Error("a marked value was delivered")
	}
	files["config/database.yaml"] = "dsn: postgres://u:hunter3@db/x\npool: 5\n"
	take("turn the password")
	d := p.expect(wire.TypeDelta)
	if dsn() == before || strings.Contains(string(d.Patch), "hunter") || d.Subject != "turn the password" || d.Commit != m.head.String() {
		t.Errorf("%+v %s", d, d.Patch)
	}
	old.expect(wire.TypeDelta)
	files["config/database.yaml"] = "dsn: postgres://u:hunter2@db/x\npool: 5\n"
	take("turn it back")
	if d := p.expect(wire.TypeDelta); d.Cause != "rollback" || d.RollbackOf == "" || d.Lineage == nil || d.Lineage.Kind != "rollback" || d.Lineage.Version != d.RollbackOf || p.cursor != begun || dsn() != before {
		t.Errorf("%+v", d)
	}
	old.expect(wire.TypeDelta)
	files["trunkline.yaml"] = "version: 1\nenvironments: {old: {retired: true}, prod: {}}\nsensitive: [database.dsn]\n"
	delete(files, "environments/old/database.yaml")
	take("retire")
	if m := old.expect(wire.TypeError); m.Code != "unknownEnvironment" {
		t.Errorf("%+v", m)
	}
	old.closed(wire.CloseUnknownEnvironment)
}
