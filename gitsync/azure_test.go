package gitsync_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/trunkline/trunkline/internal/gittest"
)

// Azure DevOps answers only those who ask for multi_ack, increments included.
func TestAzureDevOpsWantsMultiAck(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	change(remote, "First")
	remote.Push()
	var refused atomic.Int64
	remote.Fault(gittest.Handler("multi_ack", func(w http.ResponseWriter, req *http.Request, real http.Handler) {
		body, _ := io.ReadAll(req.Body)
		if strings.HasSuffix(req.URL.Path, "/git-upload-pack") && !bytes.Contains(body, []byte("multi_ack")) {
			refused.Add(1)
			http.Error(w, "TF401041", http.StatusBadRequest)
			return
		}
		req.URL.Path = strings.TrimPrefix(req.URL.Path, "/team/_git")
		req.Body = io.NopCloser(bytes.NewReader(body))
		real.ServeHTTP(w, req)
	}))
	// An Azure DevOps server of one's own is known by the path.
	w := follow(t, strings.Replace(remote.URL(), "/remote.git", "/team/_git/config", 1))
	w.next()
	for _, subject := range []string{"Second", "Third"} {
		next := change(remote, subject)
		remote.Push()
		w.Hint()
		if u := w.next(); hashes(u.Commits) != next {
			t.Errorf("%s came, want %s", hashes(u.Commits), next)
		}
	}
	base := remote.Head()
	remote.Git("reset", "--quiet", "--hard", "HEAD~1")
	next := change(remote, "Instead of "+base)
	remote.ForcePush()
	w.Hint()
	if u := w.next(); hashes(u.Commits) != next {
		t.Errorf("after a force push %s came, want %s", hashes(u.Commits), next)
	}
	if refused.Load() != 0 {
		t.Errorf("%d requests without multi_ack", refused.Load())
	}
}
