package audit_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/audit"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/internal/gittest"
)

// world is a branch that is followed and judged, with its log.
type world struct {
	t         *testing.T
	bus       *bus
	remote    *gittest.Remote
	mirror    string
	validator *silent
	begun     time.Time

	follower *gitsync.Follower
	rec      *apply.Reconciler
	live     *apply.Live
	log      *forgetful
	taken    chan gitsync.Hash
	stop     func()

	commits []string // that were pushed
	seen    []sight
}

// sight is what was live at a time.
type sight struct {
	at   time.Time
	live map[string]gitsync.Hash
}

// forgetful is a log that loses what it is given while it is told to.
type forgetful struct {
	*audit.Log
	loses bool
}

func (f *forgetful) Record(ctx context.Context, e apply.Events) error {
	if f.loses {
		return audit.ErrFull
	}
	return f.Log.Record(ctx, e)
}

// silent is a validator that has an answer, or none for prod.
type silent struct{ mute bool }

func (*silent) Name() string { return "silent" }

func (s *silent) Validate(_ context.Context, c compile.Candidate) ([]compile.Problem, error) {
	if s.mute && c.Environment == "prod" {
		return nil, context.DeadlineExceeded
	}
	return nil, nil
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, bus: openBus(t, t.TempDir()), remote: gittest.NewRemote(t), mirror: t.TempDir(), validator: &silent{}, begun: time.Now()}
	w.remote.Write(map[string]string{
		"trunkline.yaml": "version: 1\nenvironments: {prod: {}, staging: {}}\n", "config/a.yaml": "x: 1\n",
		"schemas/a.schema.json":    `{"properties": {"x": {"type": "integer"}, "only": {"type": "integer"}}}`,
		"environments/prod/a.yaml": "only: 1\n", "environments/staging/a.yaml": "only: 1\n",
	})
	w.commits = append(w.commits, w.remote.Commit("Begin"))
	w.remote.Push()
	w.start()
	w.arrived()
	return w
}

func (w *world) start() {
	log, stopLog := w.bus.running()
	w.log, w.live, w.taken = &forgetful{Log: log}, apply.NewLive(), make(chan gitsync.Hash)
	var err error
	if w.follower, err = gitsync.Open(w.t.Context(), gitsync.Options{URL: w.remote.URL(), Dir: w.mirror}); err != nil {
		w.t.Fatal(err)
	}
	w.rec = apply.New(apply.Options{
		Mirror: w.follower, Log: w.log, Live: w.live, Remembered: log.Remembered(), Key: []byte("0123456789abcdef"), Validators: []compile.Validator{w.validator},
	})
	if err := w.rec.Start(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = w.follower.Run(ctx, w.rec.Last(), func(ctx context.Context, u gitsync.Update) error {
			if err := w.rec.Take(ctx, u); err != nil {
				return err
			}
			select {
			case w.taken <- u.Head:
			case <-ctx.Done():
			}
			return nil
		})
	}()
	w.stop = func() {
		cancel()
		<-done
		_ = w.follower.Close()
		stopLog()
	}
}

// push moves the branch, if it is to move.
func (w *world) push() {
	if w.remote.Git("rev-parse", "HEAD") != w.remote.Git("rev-parse", "origin/main") {
		w.remote.ForcePush()
		w.arrived()
	}
}

// arrived waits until what was pushed last is judged.
func (w *world) arrived() {
	w.t.Helper()
	head := w.remote.Git("rev-parse", "HEAD")
	w.follower.Hint()
	for at := (gitsync.Hash{}); at.String() != head; {
		select {
		case at = <-w.taken:
		case <-time.After(20 * time.Second):
			w.t.Fatalf("%s was not taken", head)
		}
	}
}

// look keeps what is live.
func (w *world) look() {
	s := sight{time.Now(), map[string]gitsync.Hash{}}
	for _, env := range w.live.Environments() {
		s.live[env] = w.live.Get(env).Commit.Hash
	}
	w.seen = append(w.seen, s)
}

// commit adds commits of all sorts to the work tree.
func (w *world) commit(r *rand.Rand) {
	for range 1 + r.IntN(3) {
		files := map[string]string{"config/a.yaml": fmt.Sprintf("x: %d\n", r.IntN(5))}
		for _, env := range []string{"prod", "staging"} {
			files["environments/"+env+"/a.yaml"] = []string{"only: 1\n", "only: 2\n", "only: 3\n", "only: none\n"}[r.IntN(4)]
		}
		w.remote.Write(files)
		w.commits = append(w.commits, w.remote.Commit(fmt.Sprint("Change ", len(w.commits))))
	}
}

func (w *world) restart() {
	w.stop()
	w.start()
	if head := w.remote.Git("rev-parse", "HEAD"); w.rec.Last().String() != head {
		w.arrived()
	}
}

// step lets something happen.
func (w *world) step(r *rand.Rand) {
	env := []string{"prod", "staging"}[r.IntN(2)]
	switch r.IntN(10) {
	case 0: // the branch goes back, and perhaps on from there
		w.remote.Git("reset", "--quiet", "--hard", w.commits[r.IntN(len(w.commits))])
		if r.IntN(2) == 0 {
			w.commit(r)
		}
		w.push()
	case 1:
		_, _ = w.rec.Pin(w.t.Context(), w.commits[r.IntN(len(w.commits))], apply.Pin{Environment: env, By: "ops", Reason: "fire"}) // it may not fit
	case 2, 3:
		_, _ = w.rec.Unpin(w.t.Context(), apply.Unpin{Pin: apply.Pin{Environment: env}, By: "ops", Reason: "out", Forced: true}) // there may be none
	case 4:
		w.validator.mute = !w.validator.mute
	case 5:
		w.restart()
	case 6:
		w.lose(r)
	default:
		w.commit(r)
		w.push()
	}
	if !w.validator.mute {
		if _, err := w.rec.Reconsider(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
}

// lose judges what no record tells of until a later start.
func (w *world) lose(r *rand.Rand) {
	if len(w.rec.Status().Environments) == 0 || w.validator.mute {
		return
	}
	w.log.loses = true
	w.commit(r)
	w.push()
	w.log.loses = false
	if r.IntN(2) == 0 {
		w.commit(r)
		w.push()
	}
	w.restart()
}

// TestLiveAtIsWhatWasLive lets a branch, its operators and the program do whatever they may, and asks afterwards what was live in
// between: it is what was served then.
func TestLiveAtIsWhatWasLive(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	w := newWorld(t)
	r := rand.New(rand.NewPCG(seed, 0))
	w.look()
	for range 40 {
		w.step(r)
		w.look()
	}
	check := func() {
		t.Helper()
		for i, s := range w.seen {
			got := map[string]gitsync.Hash{}
			for _, env := range []string{"prod", "staging"} {
				commit, known, err := w.log.LiveAt(t.Context(), env, s.at)
				if err != nil {
					t.Fatal(err)
				}
				if known {
					got[env] = commit
				}
			}
			if !maps.Equal(got, s.live) {
				t.Errorf("after step %d it is told that there was %v, and there was %v", i, got, s.live)
			}
		}
	}
	check()
	w.log.ForgetIndex(1 << 40)
	check()
	w.stop()
	for _, e := range slices.Sorted(maps.Keys(w.seen[0].live)) {
		if _, known, err := w.log.LiveAt(t.Context(), e, w.begun); known || err != nil {
			t.Errorf("before the beginning something is known of %s: %v", e, err)
		}
	}
}
