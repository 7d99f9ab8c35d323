package history_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/history"
)

// delivered is what clients are delivered at a path of a version.
func (w *world) delivered(commit gitsync.Hash, env, path string) string {
	w.tb.Helper()
	s, err := w.Snapshot(w.tb.Context(), commit, env)
	if err != nil {
		w.tb.Fatal(err)
	}
	v, ok := s.Delivered.Lookup(path)
	if !ok {
		return ""
	}
	return v.String()
}

func TestOldVersionsAreAsTheyWere(t *testing.T) {
	w, first := repoOf(t, map[string]string{"config/a.yaml": "x: 1\ny: 2\n", "environments/prod/a.yaml": "y: 3\n", "environments/old/a.yaml": "y: 4\n"})
	w.push("Second", map[string]string{"config/a.yaml": "x: 2\n", "environments/prod/a.yaml": "-", "environments/prod/b.yaml": "z: 1\n"})
	if got := w.delivered(first, "prod", "a"); got != `{"x":1,"y":3}` {
		t.Errorf("prod was %s", got)
	}
	if got := w.delivered(first, "old", "a.y"); got != "4" {
		t.Errorf("old was %s", got)
	}
	if _, err := w.Snapshot(t.Context(), first, "canary"); !errors.Is(err, history.ErrNoEnvironment) {
		t.Errorf("an environment that never was: %v", err)
	}
	bad := w.push("Bad", map[string]string{"config/a.yaml": "x: [\n"})
	var unfit *history.UnfitError
	if _, err := w.Snapshot(t.Context(), bad, "prod"); !errors.As(err, &unfit) || unfit.Problem.Rule != "yamlSyntax" {
		t.Errorf("a version that does not compile: %v", err)
	}
	if _, err := w.Snapshot(t.Context(), gitsync.Hash{1}, "prod"); !errors.Is(err, gitsync.ErrNotFound) {
		t.Errorf("a commit that is not there: %v", err)
	}
}

// What anybody called sensitive is so in an old version: its own manifest, the baseline's, and the one that is live.
func TestMarksOfAllTimes(t *testing.T) {
	manifest := func(sensitive string) string {
		return "version: 1\nenvironments: {prod: {}, staging: {}}\nsensitive: [" + sensitive + "]\n"
	}
	w, first := repoOf(t, map[string]string{"trunkline.yaml": manifest("a.first"), "config/a.yaml": "{first: 1, second: 2, live: 3, plain: 4}\n"})
	second := w.push("Second", map[string]string{"trunkline.yaml": manifest("a.second")})
	third := w.push("Third", map[string]string{"trunkline.yaml": manifest("a.none")})
	w.push("Fourth", map[string]string{"trunkline.yaml": manifest("a.none"), "config/b.yaml": "x: 1\n"})
	hidden := func(commit gitsync.Hash) string {
		var paths []string
		for _, path := range []string{"first", "second", "live", "plain"} {
			if strings.Contains(w.delivered(commit, "prod", "a."+path), "$redacted") {
				paths = append(paths, path)
			}
		}
		return strings.Join(paths, " ")
	}
	expect := func(when string, wants ...string) {
		t.Helper()
		for i, h := range []gitsync.Hash{first, second, third} {
			if got := hidden(h); got != wants[i] {
				t.Errorf("%s, of version %d hidden is %q, want %q", when, i+1, got, wants[i])
			}
		}
	}
	expect("before", "first", "first second", "second")
	w.push("Mark", map[string]string{"trunkline.yaml": manifest("a.live")})
	expect("when it is live", "first live", "first second live", "second live")
	w.log.forgotten = true
	w.push("Mark on", map[string]string{"config/b.yaml": "x: 2\n"})
	expect("without the log", "first live", "first second live", "second live")
}

// A version that a pin keeps out tells what is sensitive, too.
func TestMarksBehindAPin(t *testing.T) {
	w, first := repoOf(t, map[string]string{"config/a.yaml": "{x: 1}\n"})
	second := w.push("Second", map[string]string{"config/a.yaml": "{x: 2}\n"})
	if _, err := w.rec.Pin(t.Context(), second.String(), pin("default")); err != nil {
		t.Fatal(err)
	}
	if got := w.delivered(first, "default", "a.x"); got != "1" {
		t.Errorf("before: %s", got)
	}
	w.push("Mark", map[string]string{"trunkline.yaml": "version: 1\nsensitive: [a.x]\n"})
	if got := w.delivered(first, "default", "a.x"); !strings.Contains(got, "$redacted") {
		t.Errorf("the newest valid version marks it: %s", got)
	}
}

func TestTenReadersCompileOnce(t *testing.T) {
	w, first := repoOf(t, map[string]string{"config/a.yaml": "x: 1\n", "config/b.yaml": "x: 1\n"})
	w.push("Second", map[string]string{"config/a.yaml": "x: 2\n", "config/b.yaml": "x: 2\n"})
	once := w.mirror.reads(func() {
		release := w.mirror.hold()
		var readers sync.WaitGroup
		for range 10 {
			readers.Go(func() {
				if s, err := w.Snapshot(t.Context(), first, "default"); err != nil || s.Values.String() != `{"a":{"x":1},"b":{"x":1}}` {
					t.Errorf("%v, %v", s, err)
				}
			})
		}
		release()
		readers.Wait()
	})
	again := w.mirror.reads(func() { w.delivered(first, "default", "a") })
	if once != 2 || again != 0 {
		t.Errorf("%d files were read by ten readers, and %d by one more", once, again)
	}
}

// Who began a compile may leave; who waits for it goes on.
func TestWhoWaitsDoesNotDependOnWhoBegan(t *testing.T) {
	w, first := repoOf(t, map[string]string{"config/a.yaml": "x: 1\n"})
	w.push("Second", map[string]string{"config/a.yaml": "x: 2\n"})
	release := w.mirror.hold()
	ctx, leave := context.WithCancel(t.Context())
	began, waited := make(chan error), make(chan error)
	go func() { _, err := w.Snapshot(ctx, first, "default"); began <- err }()
	for w.mirror.blobs.Load() == 0 { // until it reads
	}
	go func() { _, err := w.Snapshot(t.Context(), first, "default"); waited <- err }()
	impatient, give := context.WithCancel(t.Context())
	give()
	if _, err := w.Snapshot(impatient, first, "default"); !errors.Is(err, context.Canceled) {
		t.Errorf("who does not wait is told %v", err)
	}
	leave()
	release()
	<-began // it may have come to its end, or not
	if err := <-waited; err != nil {
		t.Errorf("who waits is told %v", err)
	}
}

// Who asks after something was marked is not handed what was begun before.
func TestMarksThatComeWhileSomebodyCompiles(t *testing.T) {
	w, first := repoOf(t, map[string]string{"config/a.yaml": "x: 1\n"})
	w.push("Second", map[string]string{"config/a.yaml": "x: 2\n"})
	release := w.mirror.hold()
	before := make(chan error)
	go func() { _, err := w.Snapshot(t.Context(), first, "default"); before <- err }()
	for w.mirror.blobs.Load() == 0 { // until it reads
	}
	w.push("Mark", map[string]string{"trunkline.yaml": "version: 1\nsensitive: [a.x]\n"})
	asked, after := w.asked.Load(), make(chan string)
	go func() { after <- w.delivered(first, "default", "a.x") }()
	for w.asked.Load() == asked { // until it knows what is marked
		runtime.Gosched()
	}
	for range 1000 { // and most likely waits
		runtime.Gosched()
	}
	release()
	if err := <-before; err != nil {
		t.Error(err)
	}
	if got := <-after; !strings.Contains(got, "$redacted") {
		t.Errorf("it is told %s", got)
	}
}

func TestTooManyReaders(t *testing.T) {
	files, commits := map[string]string{}, []gitsync.Hash(nil)
	w, first := repoOf(t, map[string]string{"config/a.yaml": "x: 0\n"})
	commits = append(commits, first)
	for i := range history.MaxWaiting + 2 {
		files["config/a.yaml"] = fmt.Sprintf("x: %d\n", i+1)
		commits = append(commits, w.commit("Next", files))
	}
	w.remote.Push()
	w.mirror.Hint()
	w.take()
	release := w.mirror.hold()
	answers := make(chan error)
	for _, commit := range commits[:history.MaxWaiting+2] {
		go func() { _, err := w.Snapshot(t.Context(), commit, "default"); answers <- err }()
	}
	if err := <-answers; !errors.Is(err, history.ErrBusy) {
		t.Errorf("one is told %v", err)
	}
	release()
	for range history.MaxWaiting + 1 {
		if err := <-answers; err != nil {
			t.Errorf("another is told %v", err)
		}
	}
}

func TestOldVersionsAreForgotten(t *testing.T) {
	w, first := repoOf(t, map[string]string{"config/a.yaml": "x: 0\n"})
	commits := []gitsync.Hash{first}
	for i := range history.MaxCommits + 1 {
		commits = append(commits, w.commit("Next", map[string]string{"config/a.yaml": fmt.Sprintf("x: %d\n", i+1)}))
	}
	w.remote.Push()
	w.mirror.Hint()
	w.take()
	for _, commit := range commits {
		w.delivered(commit, "default", "a.x")
		w.delivered(first, "default", "a.x") // which is always used
	}
	if kept := w.Kept(); kept != history.MaxCommits {
		t.Errorf("%d versions are kept", kept)
	}
	if reads := w.mirror.reads(func() { w.delivered(first, "default", "a.x") }); reads != 0 {
		t.Errorf("what was used last is read again")
	}
	w.Drop(time.Now().Add(9 * time.Minute))
	if w.Kept() != history.MaxCommits {
		t.Error("forgotten before ten minutes have gone by")
	}
	w.Drop(time.Now().Add(11 * time.Minute))
	if !w.Idle() {
		t.Error("not forgotten when ten minutes have gone by")
	}
	if got := w.delivered(commits[1], "default", "a.x"); got != "1" {
		t.Errorf("afterwards it is %s", got)
	}
}

func TestHeavyVersionsMakeRoom(t *testing.T) {
	w, first := repoOf(t, map[string]string{"environments/a/s.yaml": "x: 1\n", "environments/b/s.yaml": "x: 1\n"})
	second := w.push("Second", map[string]string{"environments/a/s.yaml": "x: 2\n"})
	third := w.push("Third", map[string]string{"environments/a/s.yaml": "{x: 3, y: 3, z: 3}\n"})
	w.push("Fourth", map[string]string{"environments/a/s.yaml": "x: 4\n"})
	w.Lighten(6) // two of the light ones, however many environments of them
	for _, step := range []struct {
		commit gitsync.Hash
		env    string
		kept   int
	}{{first, "a", 1}, {first, "b", 2}, {second, "a", 3}, {second, "b", 4}, {third, "a", 1}} {
		w.delivered(step.commit, step.env, "s.x")
		if w.Kept() != step.kept {
			t.Errorf("%s in %s: %d are kept, want %d", step.commit.Short(), step.env, w.Kept(), step.kept)
		}
	}
}

func TestHistoryIsIndexed(t *testing.T) {
	w, _ := repoOf(t, map[string]string{"config/a.yaml": "x: 0\n"})
	for i := range 3 {
		w.push("Next", map[string]string{"config/a.yaml": fmt.Sprintf("x: %d\n", i+1)})
	}
	if commits, err := w.Index(t.Context()); commits != 4 || err != nil {
		t.Errorf("%d commits, %v", commits, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Index(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
}

func TestRunEnds(t *testing.T) {
	w, _ := repoOf(t, map[string]string{"config/a.yaml": "x: 0\n"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
}
