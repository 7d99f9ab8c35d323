package server_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/internal/gittest"
	"github.com/trunkline/trunkline/server"
)

const search = "environments/prod/search.toml"

func pageSize(n int) string { return fmt.Sprintf("pageSize = %d\n", n) }

func receive[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case got := <-from:
		return got
	case <-time.After(patience):
		t.Fatalf("%s is not told within %s", what, patience)
		panic("unreachable")
	}
}

func TestPolling(t *testing.T) {
	dir := t.TempDir()
	save(t, dir, "a", "1")
	synctest.Test(t, func(t *testing.T) {
		log := &lockedBuffer{}
		var looking atomic.Bool
		var looks atomic.Int64
		var seen atomic.Value
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- server.WatchUntold(ctx, dir, slog.New(slog.NewTextHandler(log, nil)), func() ([]string, error) {
				if looking.Swap(true) {
					t.Error("one look began before another had ended")
				}
				time.Sleep(1200 * time.Millisecond) // longer than between two looks
				text, err := os.ReadFile(filepath.Join(dir, "a"))
				looks.Add(1)
				seen.Store(string(text))
				looking.Store(false)
				return []string{dir}, err
			})
		}()
		time.Sleep(time.Minute)
		if n := looks.Load(); seen.Load() != "1" || n < 30 || n > 60 {
			t.Errorf("within a minute %d looks, the last saw %q", n, seen.Load())
		}
		save(t, dir, "a", "2")
		time.Sleep(5 * time.Second)
		if seen.Load() != "2" {
			t.Errorf("saw %q", seen.Load())
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
		before := looks.Load()
		time.Sleep(time.Minute)
		if looks.Load() != before {
			t.Error("a look after the end")
		}
		if got := strings.Count(log.String(), "level=WARN"); got != 1 || !strings.Contains(log.String(), "max_user_instances") {
			t.Errorf("%d warnings: %s", got, log)
		}
	})
}

func TestDevWhereNothingIsTold(t *testing.T) {
	dir := t.TempDir()
	copyShop(t, dir)
	s := devIn(t, dir, (*server.Dev).TellNothing, func(*compile.Result, error) {})
	s.becomes("prod", "search.pageSize", "48")
	for n := range 3 {
		save(t, dir, search, pageSize(50+n))
		s.becomes("prod", "search.pageSize", fmt.Sprint(50+n))
	}
}

// The system may tell of only so many folders.
func TestDevWhereAFolderIsNotTold(t *testing.T) {
	dir := t.TempDir()
	copyShop(t, dir)
	s := devIn(t, dir, func(d *server.Dev) {
		d.OnWatch(func(folder string) error {
			if strings.HasPrefix(folder, filepath.Join(dir, "config", "new")) {
				return syscall.ENOSPC
			}
			return nil
		})
	}, func(*compile.Result, error) {})
	s.becomes("prod", "search.pageSize", "48")
	if got := s.log.String(); got != "" {
		t.Errorf("told: %s", got)
	}
	for n := range 3 {
		save(t, dir, "config/new/deep/a.yaml", fmt.Sprintf("x: %d\n", n))
		s.becomes("prod", "new.deep.a.x", fmt.Sprint(n))
	}
	if got := strings.Count(s.log.String(), "level=WARN"); got != 1 || !strings.Contains(s.log.String(), "max_user_watches") {
		t.Errorf("%d warnings: %s", got, s.log)
	}
	save(t, dir, search, pageSize(50))
	s.becomes("prod", "search.pageSize", "50")
}

func TestDevOutlivesItsDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "repo")
	copyShop(t, dir)
	faults := make(chan error, 100)
	results := make(chan *compile.Result, 100)
	s := devIn(t, dir, nil, func(r *compile.Result, err error) {
		if err != nil {
			faults <- err
		} else {
			results <- r
		}
	})
	s.becomes("prod", "search.pageSize", "48")

	for n, away := range map[int]func() error{
		50: func() error { return os.RemoveAll(dir) },
		60: func() error { return os.Rename(dir, dir+".away") },
	} {
		if err := away(); err != nil {
			t.Fatal(err)
		}
		if err := receive(t, "that the directory is gone", faults); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("told %v", err)
		}
		if s.value("prod", "search.pageSize") == "" {
			t.Error("what was live is no longer")
		}
		for len(results) > 0 {
			<-results
		}
		copyShop(t, dir)
		receive(t, "that the directory is back", results)
		save(t, dir, search, pageSize(n))
		s.becomes("prod", "search.pageSize", fmt.Sprint(n))
		save(t, dir, "config/new/a.yaml", fmt.Sprintf("x: %d\n", n))
		s.becomes("prod", "new.a.x", fmt.Sprint(n))
	}
}

func TestDevFollowsALink(t *testing.T) {
	base := t.TempDir()
	first, second, link := filepath.Join(base, "first"), filepath.Join(base, "second"), filepath.Join(base, "link")
	copyShop(t, first)
	copyShop(t, second)
	save(t, second, search, pageSize(60))
	if err := os.Symlink("first", link); err != nil {
		t.Fatal(err)
	}
	s := devIn(t, link, nil, func(*compile.Result, error) {})
	s.becomes("prod", "search.pageSize", "48")
	save(t, first, search, pageSize(50))
	s.becomes("prod", "search.pageSize", "50")

	if err := errors.Join(os.Symlink("second", link+".next"), os.Rename(link+".next", link)); err != nil {
		t.Fatal(err)
	}
	s.becomes("prod", "search.pageSize", "60")
	save(t, second, search, pageSize(61))
	s.becomes("prod", "search.pageSize", "61")
}

// Many editors write a file beside and rename it, some after they moved the old one out of the way.
func TestDevSeesRenames(t *testing.T) {
	s, dir, _ := dev(t)
	s.becomes("prod", "search.pageSize", "48")
	for n := range 5 {
		save(t, dir, "environments/prod/.search.toml.tmp", pageSize(50+n))
		file := filepath.Join(dir, filepath.FromSlash(search))
		if n%2 == 1 {
			if err := os.Rename(file, filepath.Join(filepath.Dir(file), ".search.toml.old")); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Rename(filepath.Join(filepath.Dir(file), ".search.toml.tmp"), file); err != nil {
			t.Fatal(err)
		}
		s.becomes("prod", "search.pageSize", fmt.Sprint(50+n))
	}
	save(t, dir, "config/a/b.yaml", "x: 1\n")
	s.becomes("prod", "a.b.x", "1")
	for n, names := range [][2]string{{"a", "z"}, {"z", "a"}, {"a", "z"}} { // a folder that moved is watched under its new name
		if err := os.Rename(filepath.Join(dir, "config", names[0]), filepath.Join(dir, "config", names[1])); err != nil {
			t.Fatal(err)
		}
		s.becomes("prod", names[1]+".b.x", fmt.Sprint(n+1))
		save(t, dir, "config/"+names[1]+"/b.yaml", fmt.Sprintf("x: %d\n", n+2))
		s.becomes("prod", names[1]+".b.x", fmt.Sprint(n+2))
	}
}

// Between the first look at a folder and its watch something may be saved.
func TestDevMissesNothingAsItBegins(t *testing.T) {
	dir := t.TempDir()
	copyShop(t, dir)
	var once sync.Once
	s := devIn(t, dir, func(d *server.Dev) {
		d.OnWatch(func(folder string) error {
			if folder == filepath.Join(dir, "environments", "prod") {
				once.Do(func() { save(t, dir, search, pageSize(50)) })
			}
			return nil
		})
	}, func(*compile.Result, error) {})
	s.becomes("prod", "search.pageSize", "50")
}

// What Git writes at once is judged at once, not file by file.
func TestDevSeesACheckout(t *testing.T) {
	const files = 200
	s, dir, results := dev(t)
	git := func(args ...string) {
		t.Helper()
		if out, err := gittest.Command(t.Context(), dir, args...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
	git("init", "--quiet", "--initial-branch=one")
	for n, branch := range []string{"one", "two"} {
		for i := range files {
			save(t, dir, fmt.Sprintf("config/many/f%d.yaml", i), fmt.Sprintf("x: %d\n", n))
		}
		git("checkout", "--quiet", "-B", branch)
		git("add", "--all")
		git("commit", "--quiet", "-m", branch)
	}
	last := fmt.Sprintf("many.f%d.x", files-1)
	s.becomes("prod", last, "1")
	for len(results) > 0 {
		<-results
	}
	git("checkout", "--quiet", "one")
	for i := range files {
		s.becomes("prod", fmt.Sprintf("many.f%d.x", i), "0")
	}
	if got := len(results); got < 1 || got > files/20 {
		t.Errorf("%d files in one checkout were judged %d times", files, got)
	}
}
