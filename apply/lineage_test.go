package apply_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/internal/gittest"
)

// story is a branch that grows by real Git, judged commit by commit.
type story struct {
	*gittest.Remote
	t     *testing.T
	log   *memoryLog
	names map[string]string // of commits, as the test calls them
}

const twoFiles = "environments: {staging: {}, prod: {}}\nversion: 1\n"

func newStory(t *testing.T) *story {
	s := &story{Remote: gittest.NewRemote(t), t: t, log: newLog(), names: map[string]string{}}
	s.Write(map[string]string{
		"trunkline.yaml":    twoFiles,
		"config/pool.yaml":  "max: 10\nmin: 1\nidle: 30s\n",
		"config/other.yaml": "x: 1\n",
	})
	s.call("first", s.Commit("First"))
	return s
}

func (s *story) call(name, commit string) { s.names[commit] = name }

// change commits files under a name.
func (s *story) change(name string, files map[string]string, opts ...gittest.CommitOption) {
	s.Write(files)
	s.call(name, s.Commit("Change "+name, opts...))
}

// git runs a command that commits by itself.
func (s *story) git(name string, args ...string) {
	s.Git(args...)
	s.call(name, strings.TrimSpace(s.Git("rev-parse", "HEAD")))
}

// judge pushes all of it and lists what the commits were found to take back in prod, by the names of the commits.
func (s *story) judge() map[string]string {
	s.t.Helper()
	s.Push()
	f, err := gitsync.Open(s.t.Context(), gitsync.Options{
		URL: s.URL(), Dir: s.t.TempDir(), Origin: s.hash("first"),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	rec := apply.New(apply.Options{Mirror: f, Log: s.log, Live: apply.NewLive(), Key: key, Inverter: f.Chain("")})
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	_ = f.Run(ctx, gitsync.Hash{}, func(ctx context.Context, u gitsync.Update) error {
		defer cancel()
		return rec.Take(ctx, u)
	})
	found := map[string]string{}
	for _, d := range s.log.decisions {
		if d.Environment == "prod" && d.Lineage != nil {
			found[s.names[d.Commit.Hash.String()]] = s.tell(d.Lineage)
		}
	}
	return found
}

func (s *story) hash(name string) gitsync.Hash {
	for h, called := range s.names {
		if called == name {
			hash, err := gitsync.ParseHash(h)
			if err != nil {
				s.t.Fatal(err)
			}
			return hash
		}
	}
	s.t.Fatalf("no commit is called %s", name)
	return gitsync.Hash{}
}

func (s *story) tell(l *apply.Lineage) string {
	text := string(l.Kind)
	if !l.Version.IsZero() {
		text += " to " + s.names[l.Version.String()]
	}
	if !l.First.IsZero() {
		text += fmt.Sprintf(" of %s..%s", s.names[l.First.String()], s.names[l.Last.String()])
	}
	if len(l.Paths) > 0 {
		text += " at " + strings.Join(l.Paths, ",")
	}
	if l.Claim != nil {
		text += map[bool]string{true: ", confirmed", false: ", claimed"}[l.Confirmed]
	}
	return text
}

func (s *story) expect(want map[string]string) {
	s.t.Helper()
	if diff := cmp.Diff(want, s.judge()); diff != "" {
		s.t.Errorf("lineage (-want +got):\n%s", diff)
	}
}

func TestARevertIsKnownByItsContent(t *testing.T) {
	s := newStory(t)
	s.change("pool", map[string]string{"config/pool.yaml": "max: 20\nmin: 2\nidle: 30s\n"})
	s.change("other", map[string]string{"config/other.yaml": "x: 2\n"})
	s.git("revert", "revert", "--no-edit", "HEAD~1")
	s.git("reapply", "revert", "--no-edit", "HEAD")
	s.Git("revert", "--no-edit", "--reference", "HEAD~2") // git asks for a subject, and leaves it out
	s.git("reference", "commit", "--quiet", "--amend", "-m", "Revert what others need", "-m", s.Git("log", "-1", "--format=%B"))
	s.expect(map[string]string{
		"revert":    "revert of pool..pool, confirmed",
		"reapply":   "rollback to other of revert..revert, confirmed",
		"reference": "rollback to pool of other..other, confirmed",
	})
}

func TestTheRevertOfAMerge(t *testing.T) {
	s := newStory(t)
	s.Git("checkout", "--quiet", "-b", "side")
	s.change("side1", map[string]string{"config/pool.yaml": "max: 20\nmin: 1\nidle: 30s\n"})
	s.change("side2", map[string]string{"config/pool.yaml": "max: 20\nmin: 2\nidle: 30s\n"})
	s.Git("checkout", "--quiet", "main")
	s.change("other", map[string]string{"config/other.yaml": "x: 2\n"})
	s.git("merge", "merge", "--quiet", "--no-ff", "--no-edit", "side")
	s.change("later", map[string]string{"config/other.yaml": "x: 3\n"})
	s.git("revert", "revert", "--no-edit", "-m", "1", "HEAD~1")
	s.expect(map[string]string{"revert": "revert of merge..merge, confirmed"})
}

func TestARangeIsTakenBackInOneCommit(t *testing.T) {
	s := newStory(t)
	s.change("one", map[string]string{"config/pool.yaml": "max: 20\nmin: 1\nidle: 30s\n"})
	s.change("two", map[string]string{"config/pool.yaml": "max: 30\nmin: 2\nidle: 30s\n"})
	s.change("other", map[string]string{"config/other.yaml": "x: 2\n"})
	s.Git("revert", "--no-commit", "HEAD~3..HEAD~1")
	s.call("revert", s.Commit("Take the pool back"))
	s.expect(map[string]string{"revert": "revert of one..two"})
}

func TestGitHubsButtonWithSquash(t *testing.T) {
	s := newStory(t)
	s.Write(map[string]string{"config/pool.yaml": "max: 20\nmin: 1\nidle: 30s\n"})
	s.call("pool", s.Commit("Raise the pool (#12)"))
	s.change("other", map[string]string{"config/other.yaml": "x: 2\n"})
	s.Git("revert", "--no-commit", "HEAD~1")
	s.call("revert", s.Commit(`Revert "Raise the pool (#12)" (#13)`))
	s.expect(map[string]string{"revert": "revert of pool..pool, confirmed"})
}

func TestSomeValuesReturn(t *testing.T) {
	s := newStory(t)
	s.change("pool", map[string]string{"config/pool.yaml": "max: 20\nmin: 2\nidle: 30s\n"})
	s.change("partial", map[string]string{"config/pool.yaml": "max: 10\nmin: 2\nidle: 60s\n"})
	s.change("formatted", map[string]string{"config/pool.yaml": "# by hand\nmax: 20\nmin: 2\nidle: 30s\n"})
	s.expect(map[string]string{
		"partial":   "partialRevert of pool..pool at pool.max",
		"formatted": "revert of partial..partial",
	})
}

func TestAMessageAloneTakesNothingBack(t *testing.T) {
	s := newStory(t)
	s.change("pool", map[string]string{"config/pool.yaml": "max: 20\nmin: 2\nidle: 30s\n"})
	s.Write(map[string]string{"config/other.yaml": "x: 7\n"})
	s.call("liar", s.Commit(`Revert "Change pool"`, gittest.Body("This reverts commit "+s.hash("pool").String()+".")))
	s.change("quote", map[string]string{"config/other.yaml": "x: 8\n"}, gittest.Body("This reverts commit "+s.hash("pool").String()+"."))
	s.expect(map[string]string{"liar": "claimedRevert, claimed"})
}

// What a commit takes back is told in the environments that it changes alone.
func TestOnlyTheEnvironmentsThatChange(t *testing.T) {
	s := newStory(t)
	s.change("staging", map[string]string{"environments/staging/pool.yaml": "max: 99\n"})
	s.change("other", map[string]string{"config/other.yaml": "x: 2\n"})
	s.git("revert", "revert", "--no-edit", "HEAD~1")
	s.expect(map[string]string{})
}
