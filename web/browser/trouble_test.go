//go:build browser

package browser_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/trunkline/trunkline/internal/gittest"
	"github.com/trunkline/trunkline/server"
)

// TestAVerdictIsWaitedFor shows a commit that a validator cannot judge yet.
func TestAVerdictIsWaitedFor(t *testing.T) {
	dir := t.TempDir()
	away, script, validators := filepath.Join(dir, "away"), filepath.Join(dir, "check"), filepath.Join(dir, "validators.yaml")
	must(t, os.WriteFile(script, fmt.Appendf(nil, "#!/bin/sh\ncat >/dev/null\ntest -e %s && exit 1\necho '{\"verdict\": \"valid\"}'\n", away), 0o700))
	must(t, os.WriteFile(validators, fmt.Appendf(nil, "validators:\n  - {name: capacity, command: [%s], environments: [prod]}\n", script), 0o600))
	w := begin(t, func(s *server.Settings) { s.ValidatorsFile = validators })
	p := launch(t).open(t)
	p.visit(w.url)
	p.shows("Up to date")
	must(t, os.WriteFile(away, nil, 0o600))
	w.edit("config/checkout.yaml", "timeout: 30s", "timeout: 20s")
	commit := w.remote.Commit("Give up after 20 s", gittest.Author("Ada Lovelace", "ada@shop.example"))
	w.announce()
	p.shows("Waiting for a verdict")
	p.shows("Waiting: " + commit[:7])
	p.shows("capacity")
	p.accessible("overview-waiting")
	p.shot("overview-waiting")
}

// TestTheRemoteFails says that looks fail, and why, while what is live stays.
func TestTheRemoteFails(t *testing.T) {
	w := begin(t)
	p := launch(t).open(t)
	p.visit(w.url)
	p.shows("Up to date")
	w.remote.Fault(gittest.Status(http.StatusForbidden))
	w.announce()
	p.shows("The last look at the repository failed. What is live stays live.")
	p.shows("the remote wants a credential")
	p.shows("Perhaps out of date")
	p.accessible("overview-failing")
	p.shot("overview-failing")
	w.remote.Fault(gittest.None)
	w.announce()
	p.until(`!document.getElementById("main").innerText.includes("failed")`)
}

// TestARewriteIsRefused says that the branch is not followed, and what to do.
func TestARewriteIsRefused(t *testing.T) {
	w := begin(t, func(s *server.Settings) { s.Rewrites = "refuse" })
	w.push("Second", "Ada Lovelace")
	p := launch(t).open(t)
	p.visit(w.url)
	p.shows("Second")
	w.remote.Git("reset", "--quiet", "--hard", "HEAD~1")
	w.remote.Commit("Another second")
	w.remote.ForcePush()
	w.announce()
	p.shows("The branch was rewritten, and is not followed. What is live stays live.")
	p.shows("Branch not followed")
	p.accessible("overview-refused")
	p.shot("overview-refused")
}
