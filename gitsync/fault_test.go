package gitsync_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trunkline/trunkline/internal/gittest"
)

// Whatever a remote does, the last good head stays, the reason is told, and it is followed again when it behaves.
func TestFaultsKeepTheLastGood(t *testing.T) {
	t.Parallel()
	stranger := strings.Repeat("ab", 20)
	for _, tt := range []struct {
		fault func(head string) gittest.Fault
		says  string
	}{
		{always(gittest.Status(http.StatusUnauthorized)), "--git-token-file"},
		{always(gittest.Status(http.StatusForbidden)), "--git-token-file"},
		{always(gittest.Status(http.StatusNotFound)), "no repository at"},
		{always(gittest.Status(http.StatusInternalServerError)), "500"},
		{always(gittest.Status(http.StatusTooManyRequests)), "429"},
		{always(gittest.HTML), "a web page"},
		{always(gittest.RedirectLoop), "redirect"},
		{always(gittest.Garbage), ""},
		{always(gittest.GarbagePack), "fetch main"},
		{always(gittest.Truncate(0)), "fetch main"},
		{always(gittest.Truncate(20)), "fetch main"},
		{always(gittest.Truncate(200)), "fetch main"},
		{always(gittest.Stall), "too long"},
		{always(gittest.StallPack), "silent"},
		{func(head string) gittest.Fault { return gittest.Lie(head, stranger) }, ""},
	} {
		t.Run(tt.fault("").String(), func(t *testing.T) {
			t.Parallel()
			remote := gittest.NewRemote(t)
			first := change(remote, "First")
			remote.Push()
			w := follow(t, remote.URL(), impatient(2*time.Second))
			w.next()
			second := change(remote, "Second")
			remote.Push()
			remote.Fault(tt.fault(second))
			s := w.fails()
			if s.LastError == "" || !strings.Contains(s.LastError, tt.says) {
				t.Errorf("error %q, want it to say %q", s.LastError, tt.says)
			}
			if s.Head.String() != first || w.Head().String() != first || s.LastGood.IsZero() {
				t.Errorf("state %+v, want the last good head %s", s, first)
			}
			w.none()
			if debris := leftovers(t, mirrorOf(t, w)); len(debris) > 0 {
				t.Errorf("debris: %v", debris)
			}
			remote.Fault(gittest.None)
			w.Hint()
			if u := w.next(); hashes(u.Commits) != second {
				t.Errorf("afterwards %s came, want %s", hashes(u.Commits), second)
			}
			if s := w.State(); s.Failures != 0 || s.LastError != "" {
				t.Errorf("state %+v, want no error", s)
			}
		})
	}
}

func always(f gittest.Fault) func(string) gittest.Fault {
	return func(string) gittest.Fault { return f }
}

// leftovers are temporary files in a mirror.
func leftovers(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if strings.HasPrefix(filepath.Base(path), "tmp_") || strings.HasSuffix(path, ".lock") {
			names = append(names, filepath.Base(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// A pack that is well-formed and lacks an object is not believed: err == nil is not enough.
func TestAPackThatLacksAnObject(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	first := change(remote, "First")
	remote.Push()
	w := follow(t, remote.URL())
	w.next()
	remote.Write(map[string]string{"config/other.yaml": "new: 1\n"})
	second := remote.Commit("Second")
	remote.Push()
	blob := remote.Git("rev-parse", "HEAD:config/other.yaml")
	remote.Fault(gittest.Handler("lacking", func(rw http.ResponseWriter, req *http.Request, real http.Handler) {
		if !strings.HasSuffix(req.URL.Path, "/git-upload-pack") {
			real.ServeHTTP(rw, req)
			return
		}
		rw.Header().Set("Content-Type", "application/x-git-upload-pack-result")
		_, _ = rw.Write(packWithout(t, remote, blob))
	}))
	s := w.fails()
	if s.Head.String() != first || s.LastError == "" {
		t.Errorf("state %+v, want %s kept and an error", s, first)
	}
	w.none()
	remote.Fault(gittest.None)
	w.Hint()
	if u := w.next(); hashes(u.Commits) != second {
		t.Errorf("afterwards %s came, want %s", hashes(u.Commits), second)
	}
	if data, err := w.Blob(hash(t, blob), 100); err != nil || string(data) != "new: 1\n" {
		t.Errorf("the blob that was lacking: %q, %v", data, err)
	}
}

// packWithout is the answer to a fetch, with everything the branch has but one object.
func packWithout(t *testing.T, remote *gittest.Remote, lacking string) []byte {
	var list strings.Builder
	for line := range strings.Lines(remote.Git("rev-list", "--objects", "HEAD")) {
		if h, _, _ := strings.Cut(strings.TrimSpace(line), " "); h != lacking {
			list.WriteString(h + "\n")
		}
	}
	cmd := gittest.Command(t.Context(), remote.Work(), "pack-objects", "--stdout", "--quiet")
	cmd.Stdin = strings.NewReader(list.String())
	pack, err := cmd.Output()
	if err != nil {
		t.Errorf("pack-objects: %v", err)
	}
	var answer bytes.Buffer
	answer.WriteString("0008NAK\n")
	for len(pack) > 0 {
		n := min(len(pack), 1000)
		answer.WriteString(pktLine("\x01" + string(pack[:n])))
		pack = pack[n:]
	}
	answer.WriteString("0000")
	return answer.Bytes()
}

func TestEmptyRemote(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	for _, url := range []string{remote.URL(), remote.Path()} {
		w := follow(t, url)
		if s := w.fails(); !strings.Contains(s.LastError, "empty") || !strings.Contains(s.LastError, "main") {
			t.Errorf("%s: error %q, want it to say that the remote is empty", url, s.LastError)
		}
		w.stop()
	}
	w := follow(t, remote.URL())
	w.fails()
	first := change(remote, "First")
	remote.Push()
	w.Hint()
	if u := w.next(); hashes(u.Commits) != first {
		t.Errorf("after the first push %s came, want %s", hashes(u.Commits), first)
	}
}

func TestBranchDeleted(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	first := change(remote, "First")
	remote.Git("branch", "release")
	remote.Git("push", "--quiet", "origin", "main", "release")
	w := follow(t, remote.URL(), branch("release"))
	w.next()
	remote.Git("push", "--quiet", "origin", "--delete", "release")
	s := w.fails()
	if !strings.Contains(s.LastError, "no branch release") || !strings.Contains(s.LastError, "main") {
		t.Errorf("error %q, want it to name the branch and what there is", s.LastError)
	}
	if w.Head().String() != first {
		t.Errorf("head is %s, want the last good one %s", w.Head(), first)
	}
	remote.Git("push", "--quiet", "origin", "release")
	if s := w.looks(); s.Failures != 0 {
		t.Errorf("after the branch came back: %+v", s)
	}
}

func TestTheNearestBranchesAreNamed(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	change(remote, "First")
	for _, name := range []string{"production", "prodution", "alpha", "omega"} {
		remote.Git("branch", name)
	}
	remote.Git("push", "--quiet", "origin", "--all")
	w := follow(t, remote.URL(), branch("produktion"))
	s := w.fails()
	if !strings.Contains(s.LastError, "main, production, prodution") {
		t.Errorf("error %q, want the default branch and the nearest names", s.LastError)
	}
}

// guarded lets requests through that show the token.
func guarded(remote *gittest.Remote, token *atomic.Value) gittest.Fault {
	return gittest.Handler("guarded", func(w http.ResponseWriter, req *http.Request, real http.Handler) {
		user, password, _ := req.BasicAuth()
		if user != "x-access-token" || password != token.Load() {
			w.Header().Set("WWW-Authenticate", "Basic")
			http.Error(w, "your token is "+password, http.StatusUnauthorized)
			return
		}
		real.ServeHTTP(w, req)
	})
}

func TestTokenIsReadAtEveryLook(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	change(remote, "First")
	remote.Push()
	var good, mine atomic.Value
	good.Store("s3cret-one")
	mine.Store("s3cret-one\n")
	remote.Fault(guarded(remote, &good))
	var log lockedBuffer
	w := follow(t, remote.URL(), logged(slog.NewTextHandler(&log, nil)),
		token(func() (string, error) { return mine.Load().(string), nil }))
	w.next()

	good.Store("s3cret-two")
	if s := w.fails(); !strings.Contains(s.LastError, "refuses the token") || !strings.Contains(s.LastError, "--git-token-file") {
		t.Errorf("error %q, want it to say that the token is refused and what to do", s.LastError)
	}
	mine.Store("s3cret-two")
	if s := w.looks(); s.Failures != 0 {
		t.Errorf("with the new token: %+v", s)
	}
	mine.Store("")
	if s := w.fails(); !strings.Contains(s.LastError, "empty") {
		t.Errorf("error %q, want it to say that the token is empty", s.LastError)
	}
	w.stop()
	if strings.Contains(log.String()+w.State().LastError, "s3cret") {
		t.Errorf("the token is in the log:\n%s", log.String())
	}
}

func TestTokenErrorsHoldNoToken(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	change(remote, "First")
	remote.Push()
	w := follow(t, remote.URL(), token(func() (string, error) { return "s3cret", errors.New("half read: s3cret") }))
	if s := w.fails(); strings.Contains(s.LastError, "s3cret") || !strings.Contains(s.LastError, "half read") {
		t.Errorf("error %q, want it without the token", s.LastError)
	}
}

// A redirect to elsewhere is followed, and the token stays at home.
func TestTokenDoesNotFollowARedirect(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	first := change(remote, "First")
	remote.Push()
	var seen atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Authorization") != "" {
			seen.Add(1)
		}
		gittest.Serve(remote.Path()).ServeHTTP(w, req)
	}))
	t.Cleanup(elsewhere.Close)
	remote.Fault(gittest.Redirect(elsewhere.URL))
	w := follow(t, remote.URL(), token(func() (string, error) { return "s3cret", nil }))
	if u := w.next(); u.Head.String() != first {
		t.Errorf("followed to %s, want %s", u.Head, first)
	}
	if seen.Load() != 0 {
		t.Error("the token was sent to where the redirect led")
	}
}

// What fails again and again is logged once.
func TestARepeatedFailureIsLoggedOnce(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	change(remote, "First")
	remote.Push()
	remote.Fault(gittest.Status(503))
	var log lockedBuffer
	w := follow(t, remote.URL(), logged(slog.NewTextHandler(&log, nil)))
	for range 3 {
		w.fails()
	}
	if s := w.State(); s.Failures < 3 {
		t.Errorf("%d failures, want at least 3", s.Failures)
	}
	w.stop()
	if n := strings.Count(log.String(), "503"); n != 1 {
		t.Errorf("logged %d times, want once:\n%s", n, log.String())
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
