package server_test

import (
	"net/http"
	"regexp"
	"strconv"
	"testing"
)

// blockedFor is for how long newer commits have been kept out of an environment, as the metrics tell.
func (s *running) blockedFor(env string) float64 {
	s.tb.Helper()
	_, metrics := s.request(http.MethodGet, s.url+"/metrics", nil, nil)
	found := regexp.MustCompile(`(?m)^trunkline_blocked_seconds\{environment="` + env + `"\} (\S+)$`).FindSubmatch(metrics)
	if found == nil {
		s.tb.Fatalf("no metric for %s in %s", env, metrics)
	}
	seconds, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		s.tb.Fatal(err)
	}
	return seconds
}

// A rewritten branch that is refused keeps newer commits out, as a rejected one does: the alert for it hears of both.
func TestRefusedRewritesBlock(t *testing.T) {
	remote := shop(t)
	set := settings(remote, t.TempDir())
	set.Rewrites, set.Origin = "refuse", remote.Head()
	s := start(t, remote, set)
	s.becomes("prod", "checkout.timeout", `"30s"`)
	s.push("Shorter", s.edited("config/checkout.yaml", "30s", "20s"))
	s.becomes("prod", "checkout.timeout", `"20s"`)
	if seconds := s.blockedFor("prod"); seconds != 0 {
		t.Errorf("nothing is kept out, for %gs", seconds)
	}
	remote.Git("reset", "--quiet", "--hard", "HEAD~1")
	remote.Write(s.edited("config/checkout.yaml", "30s", "10s"))
	remote.Commit("Another past")
	remote.ForcePush()
	s.announce()
	eventually(t, "it is refused", func() bool { return s.status().Refused != nil })
	var first float64
	eventually(t, "the metric tells of it", func() bool { first = s.blockedFor("prod"); return first > 0 })
	eventually(t, "the metric rises", func() bool { return s.blockedFor("prod") > first })
	if got := s.value("prod", "checkout.timeout"); got != `"20s"` {
		t.Errorf("live is %s", got)
	}
}
