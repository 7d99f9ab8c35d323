package gitsync_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/internal/gittest"
)

func TestOneFollowerADirectory(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	dir := t.TempDir()
	w := follow(t, remote.URL(), at(dir), still())
	if _, err := gitsync.Open(t.Context(), gitsync.Options{URL: remote.URL(), Dir: dir}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second follower into %s: %v, want a refusal", dir, err)
	}
	w.stop()
	follow(t, remote.URL(), at(dir), still())
}

// mirrored is a remote of three commits and a mirror of it that nobody follows.
func mirrored(t *testing.T) (remote *gittest.Remote, dir, mirror string, commits []string) {
	t.Helper()
	remote = gittest.NewRemote(t)
	dir = t.TempDir()
	commits = append(commits, change(remote, "1"), change(remote, "2"))
	remote.Push()
	w := follow(t, remote.URL(), at(dir))
	w.next()
	commits = append(commits, change(remote, "3"))
	remote.Push()
	w.Hint()
	w.next()
	mirror = mirrorOf(t, w)
	w.stop()
	return remote, dir, mirror, commits
}

// Whatever lies in the mirror at start, the next follower gets to the head, from the mirror where it can.
func TestOpenMendsTheMirror(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		harm     func(t *testing.T, dir, mirror string)
		restored bool
	}{
		"nothing":               {func(*testing.T, string, string) {}, true},
		"an empty ref":          {overwrite("refs/heads/main", ""), false},
		"a ref of noise":        {overwrite("refs/heads/main", "\x00\xff garbage"), false},
		"a ref of another":      {overwrite("refs/heads/main", strings.Repeat("ab", 20)+"\n"), false},
		"temporary files":       {debris, true},
		"an index alone":        {orphans, true},
		"all packs gone":        {each("*.pack", os.Remove), false},
		"packs cut off":         {each("*.pack", halve), false},
		"indexes cut off":       {each("*.idx", halve), true},
		"a byte flipped":        {each("*.pack", flip), false},
		"no HEAD, no config":    {without("HEAD", "config"), false},
		"current names nothing": {func(t *testing.T, dir, _ string) { overwrite("current", "mirror.99\n")(t, "", dir) }, false},
		"current is noise":      {func(t *testing.T, dir, _ string) { overwrite("current", "../../elsewhere")(t, "", dir) }, false},
		"half a clone": {func(t *testing.T, dir, _ string) {
			must(t, os.MkdirAll(filepath.Join(dir, "mirror.7", "objects"), 0o755))
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			remote, dir, mirror, commits := mirrored(t)
			tt.harm(t, dir, mirror)
			w := follow(t, remote.URL(), at(dir), taken(hash(t, commits[0])))
			u := w.next()
			if got, want := hashes(u.Commits), commits[1]+" "+commits[2]; got != want || u.Rewrite != nil {
				t.Errorf("commits %s and rewrite %v, want %s and none", got, u.Rewrite, want)
			}
			if u.Restored != tt.restored {
				t.Errorf("restored is %t, want %t", u.Restored, tt.restored)
			}
			w.looks()
			git(t, mirrorOf(t, w), "fsck", "--strict")
			if names := leftovers(t, dir); len(names) > 0 {
				t.Errorf("debris: %v", names)
			}
			w.stop()
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func overwrite(name, content string) func(*testing.T, string, string) {
	return func(t *testing.T, _, mirror string) {
		must(t, os.WriteFile(filepath.Join(mirror, name), []byte(content), 0o644))
	}
}

func without(names ...string) func(*testing.T, string, string) {
	return func(t *testing.T, _, mirror string) {
		for _, name := range names {
			must(t, os.Remove(filepath.Join(mirror, name)))
		}
	}
}

func debris(t *testing.T, _, mirror string) {
	for _, name := range []string{"objects/pack/tmp_pack_1", "objects/pack/tmp_obj_2", "refs/heads/tmp_3", "refs/heads/main.lock", "config.lock"} {
		must(t, os.WriteFile(filepath.Join(mirror, name), []byte("half"), 0o644))
	}
}

func orphans(t *testing.T, _, mirror string) {
	for _, name := range []string{strings.Repeat("a", 40) + ".idx", strings.Repeat("b", 40) + ".pack"} {
		must(t, os.WriteFile(filepath.Join(mirror, "objects/pack/pack-"+name), []byte("half"), 0o644))
	}
}

func each(pattern string, harm func(string) error) func(*testing.T, string, string) {
	return func(t *testing.T, _, mirror string) {
		names, err := filepath.Glob(filepath.Join(mirror, "objects/pack", pattern))
		must(t, err)
		if len(names) == 0 {
			t.Fatalf("no %s to harm", pattern)
		}
		for _, name := range names {
			must(t, os.Chmod(name, 0o644))
			must(t, harm(name))
		}
	}
}

func halve(name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	return os.Truncate(name, info.Size()/2)
}

func flip(name string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	data[len(data)/2] ^= 0xff
	return os.WriteFile(name, data, 0o644)
}

// An object that vanishes while the mirror is in use: it is cloned afresh, and what was read before is read throughout.
func TestAMissingObjectIsCloned(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	first := change(remote, "First")
	remote.Push()
	var renewed atomic.Int64
	dir := t.TempDir()
	w := follow(t, remote.URL(), at(dir), observed(gitsync.Observer{Renewed: func() { renewed.Add(1) }}))
	w.next()
	lost := change(remote, "Lost")
	remote.Push()
	w.Hint()
	w.next()
	remote.Git("reset", "--quiet", "--hard", first)
	second := change(remote, "Second")
	remote.ForcePush()
	w.Hint()
	w.next()

	blob := remote.Git("rev-parse", second+":config/app.yaml")
	loseObject(t, mirrorOf(t, w), blob)
	gitsync.DropCaches(w.Follower)
	if _, err := w.Blob(hash(t, blob), 1000); !errors.Is(err, gitsync.ErrNotFound) {
		t.Fatalf("a lost blob: %v, want ErrNotFound", err)
	}
	w.until("a new mirror", func(s gitsync.State) bool { return s.Generation == 2 })
	if data, err := w.Blob(hash(t, blob), 1000); err != nil || string(data) != "subject: Second\n" {
		t.Errorf("the blob afterwards: %q, %v", data, err)
	}
	if _, err := w.Commit(hash(t, lost)); err != nil {
		t.Errorf("a kept commit that the remote does not have: %v", err)
	}
	if got := mirrorRef(t, w, "refs/trunkline/keep/"+lost); got != lost {
		t.Errorf("kept as %s, want %s", got, lost)
	}
	w.none()

	// What nobody has is looked into once.
	for range 3 {
		_, _ = w.Blob(hash(t, strings.Repeat("ab", 20)), 1000)
		w.looks()
	}
	w.stop()
	if n := renewed.Load(); n > 2 {
		t.Errorf("renewed %d times for an object that nobody has, want once", n-1)
	}
}

// loseObject rewrites the packs of a mirror without one object.
func loseObject(t *testing.T, mirror, lost string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(mirror, "objects/pack/*.pack"))
	must(t, err)
	for _, name := range names {
		var rest strings.Builder
		found := false
		for line := range strings.Lines(git(t, mirror, "verify-pack", "-v", name)) {
			h, after, _ := strings.Cut(strings.TrimSpace(line), " ")
			if len(h) != 40 || strings.HasPrefix(after, "bytes") {
				continue
			}
			if h == lost {
				found = true
				continue
			}
			rest.WriteString(h + "\n")
		}
		if !found {
			continue
		}
		cmd := gittest.Command(t.Context(), mirror, "pack-objects", "--quiet", "--window=0", "--no-reuse-delta", "objects/pack/pack")
		cmd.Stdin = strings.NewReader(rest.String())
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("pack-objects: %v\n%s", err, out)
		}
		must(t, os.Remove(name))
		must(t, os.Remove(strings.TrimSuffix(name, ".pack")+".idx"))
	}
}

// The mirror of another remote is not served as if it were this one's, and what it holds is not thrown away.
func TestAnotherRemote(t *testing.T) {
	t.Parallel()
	_, dir, _, commits := mirrored(t)
	other := gittest.NewRemote(t)
	first := change(other, "Other")
	other.Push()
	w := follow(t, other.URL(), at(dir))
	if u := w.next(); u.Restored || hashes(u.Commits) != first {
		t.Errorf("first came %+v, want %s from the remote", u, first)
	}
	if _, err := w.Commit(hash(t, commits[2])); err != nil {
		t.Errorf("a commit of the remote before: %v", err)
	}
}

func TestAnotherBranch(t *testing.T) {
	t.Parallel()
	remote, dir, _, commits := mirrored(t)
	git(t, remote.Path(), "update-ref", "-d", "refs/heads/main")
	git(t, remote.Path(), "update-ref", "refs/heads/main/stable", commits[1])
	w := follow(t, remote.URL(), at(dir), branch("main/stable"))
	if u := w.next(); u.Restored || u.Head.String() != commits[1] {
		t.Errorf("first came %+v, want %s from the remote", u, commits[1])
	}
}

// Fetches leave a pack each. They are joined while everybody reads, nothing is lost, and any Git can read the result.
func TestPacksAreJoined(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	remote.Write(map[string]string{"config/large.yaml": filler(1, 30_000)})
	base := remote.Commit("Base")
	remote.Push()
	var joined atomic.Int64
	w := follow(t, remote.URL(), packing(6), observed(gitsync.Observer{Repacked: counting(&joined)}))
	w.next()
	lost := change(remote, "Lost")
	remote.Push()
	w.Hint()
	w.next()
	remote.Git("reset", "--quiet", "--hard", base)
	all := []string{base, lost}

	stop := readThroughout(t, w)
	for i := range 16 {
		// Two versions in one push come as one and a delta to it; the same version again comes as an object we have.
		remote.Write(map[string]string{"config/large.yaml": filler(1, 30_000) + fmt.Sprint(i%3)})
		all = append(all, remote.Commit("Large"))
		remote.Write(map[string]string{"config/large.yaml": filler(1, 30_000) + fmt.Sprint(i, "+")})
		all = append(all, change(remote, fmt.Sprintf("Change %d", i)))
		remote.ForcePush()
		w.Hint()
		w.next()
	}
	w.looks()
	stop()
	if joined.Load() == 0 {
		t.Error("no packs were joined")
	}
	if s := w.State(); s.Packs == 0 || s.Packs >= 6 {
		t.Errorf("%d packs, want few", s.Packs)
	}
	gitsync.DropCaches(w.Follower)
	for _, h := range all {
		c, err := w.Commit(hash(t, h))
		if err != nil {
			t.Fatal(err)
		}
		readTree(t, w, c.Tree)
	}
	git(t, mirrorOf(t, w), "fsck", "--strict", "--full")
	if dup := git(t, mirrorOf(t, w), "count-objects", "-v"); !strings.Contains(dup, "garbage: 0") {
		t.Errorf("count-objects: %s", dup)
	}
}

// readThroughout reads the head's tree from several goroutines until it is stopped.
func readThroughout(t *testing.T, w *following) (stop func()) {
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				c, err := w.Commit(w.Head())
				if err != nil {
					t.Errorf("read during a fetch: %v", err)
					return
				}
				if !readTree(t, w, c.Tree) {
					return
				}
			}
		})
	}
	return func() { close(done); readers.Wait() }
}

// readTree reads everything below a tree.
func readTree(t *testing.T, w *following, tree gitsync.Hash) bool {
	list, err := w.Tree(tree)
	if err != nil {
		t.Errorf("tree: %v", err)
		return false
	}
	for _, e := range list {
		switch e.Mode {
		case gitsync.Dir:
			if !readTree(t, w, e.Hash) {
				return false
			}
		default:
			if _, err := w.Blob(e.Hash, 1<<20); err != nil {
				t.Errorf("blob: %v", err)
				return false
			}
		}
	}
	return true
}

func TestJoinWritesDistancesAnew(t *testing.T) {
	for _, n := range []int64{1, 127, 128, 129, 16_511, 16_512, 1 << 20, 1 << 40} {
		b := gitsync.AppendDistance(nil, n)
		if got, size := gitsync.ReadDistance(append(bytes.Clone(b), 0xff)); got != n || size != len(b) {
			t.Errorf("distance %d is read back as %d in %d of %d bytes", n, got, size, len(b))
		}
	}
}
