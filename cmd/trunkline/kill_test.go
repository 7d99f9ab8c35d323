package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/api"
	"github.com/trunkline/trunkline/audit"
	"github.com/trunkline/trunkline/internal/gittest"
)

const (
	kills        = 12
	killPatience = 30 * time.Second
)

// child is a server in a process of its own.
type child struct {
	cmd *exec.Cmd
	url string
}

func startChild(t *testing.T, remote *gittest.Remote, data string, args ...string) *child {
	t.Helper()
	return follow(t, exec.Command("trunkline", append([]string{
		"serve", "--repo", remote.URL(), "--data", data, "--listen", "127.0.0.1:0", "--poll", "1s",
	}, args...)...))
}

// follow starts a command that becomes a server.
func follow(t *testing.T, cmd *exec.Cmd) *child {
	t.Helper()
	talk, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: cmd}
	t.Cleanup(c.kill)
	lines := bufio.NewScanner(talk)
	var said string
	for lines.Scan() {
		said += lines.Text() + "\n"
		if m := servingAt.FindStringSubmatch(lines.Text()); m != nil {
			c.url = "http://" + m[1]
			go func() {
				for lines.Scan() { // so that the child never waits for us
				}
			}()
			return c
		}
	}
	t.Fatalf("the server did not begin to serve:\n%s", said)
	return nil
}

func (c *child) kill() {
	if c.cmd.ProcessState == nil {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
	}
}

// verdicts are what the log holds, by commit and environment. They must be on disk: nothing may wait.
func (c *child) verdicts(ctx context.Context) (map[string]string, error) {
	found := map[string]string{}
	for before := ""; ; {
		body, err := ask(ctx, c.url, "", "/v1/versions", url.Values{"limit": {"200"}, "before": {before}})
		if err != nil {
			return nil, err
		}
		var list api.VersionList
		if err := json.Unmarshal(body, &list); err != nil {
			return nil, err
		}
		for _, v := range list.Versions {
			for env, e := range v.Environments {
				found[v.Commit+" "+env] = fmt.Sprintf("%s rollbackOf=%s changes=%d", e.Verdict, v.RollbackOf, e.ChangesTotal)
			}
		}
		if before = list.Next; before == "" {
			return found, nil
		}
	}
}

// settled waits until nothing waits for the log and the head is judged, and returns the verdicts.
func (c *child) settled(t *testing.T, head string) map[string]string {
	t.Helper()
	deadline := time.Now().Add(killPatience)
	for {
		body, err := ask(t.Context(), c.url, "", "/v1/status", nil)
		var s api.Status
		if err == nil {
			err = json.Unmarshal(body, &s)
		}
		if err == nil && s.Log.Pending == 0 && (head == "" && s.Judged != "" || head == s.Judged) {
			if all, err := c.verdicts(t.Context()); err == nil {
				return all
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("not settled on %s within %s: %v %s", head, killPatience, err, body)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// verified checks the whole chain of the log, and that the record is in it of which a head was told before. It returns the head there is.
func (c *child) verified(t *testing.T, data string, told audit.Head) audit.Head {
	t.Helper()
	token, err := os.ReadFile(filepath.Join(data, access.OperatorFile))
	if err != nil {
		t.Fatal(err)
	}
	query := url.Values{}
	if told.Sequence > 0 {
		query = url.Values{"sequence": {strconv.FormatUint(told.Sequence, 10)}, "sha256": {told.SHA256}}
	}
	body, err := ask(t.Context(), c.url, strings.TrimSpace(string(token)), "/v1/audit/verify", query)
	if err != nil {
		t.Fatal(err)
	}
	var v audit.Verification
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatal(err)
	}
	if v.Break != nil || len(v.Unproven) > 0 || v.Head.Sequence < told.Sequence {
		t.Errorf("the log is verified by record %d: %s", told.Sequence, body)
	}
	return v.Head
}

// TestKilledAtAnyMoment ends the server by kill -9 over and over, while somebody pushes all the time: good commits, bad ones, ones
// that are bad in one environment, and reverts. Nothing that was acknowledged is lost, every start serves and finds its log whole, and in
// the end the verdicts are those of a server that was never killed.
func TestKilledAtAnyMoment(t *testing.T) {
	remote := gittest.NewRemote(t)
	remote.Write(map[string]string{
		"config/web.yaml":               "step: 0\nretries: 3\n",
		"environments/prod/web.yaml":    "prod: true\n",
		"environments/staging/web.yaml": "staging: true\n",
		"schemas/web.schema.json":       `{"properties": {"retries": {"maximum": 10}, "staging": {"type": "boolean"}}}`,
	})
	first := remote.Commit("Begin")
	remote.Push()
	data := filepath.Join(t.TempDir(), "data")

	ctx, cancel := context.WithCancel(t.Context())
	var writer sync.WaitGroup
	writer.Go(func() { pushAllTheTime(ctx, remote) })
	acknowledged := map[string]string{}
	heads := []audit.Head{{}} // of the log, as the servers told them
	for range kills {
		c := startChild(t, remote, data, "--origin", first)
		if err := waitReady(t.Context(), c.url); err != nil {
			t.Fatal(err)
		}
		heads = append(heads, c.verified(t, data, heads[len(heads)-1]))
		moment := time.After(rand.N(500 * time.Millisecond))
		for alive := true; alive; {
			if seen, err := c.verdicts(t.Context()); err == nil {
				compare(t, "after a kill", acknowledged, seen)
				if body, err := ask(t.Context(), c.url, "", "/v1/status", nil); err == nil {
					var s api.Status
					if json.Unmarshal(body, &s) == nil && s.Log.Pending == 0 {
						acknowledged = seen
					}
				}
			}
			select {
			case <-moment:
				alive = false
			case <-time.After(5 * time.Millisecond):
			}
		}
		heads = append(heads, c.verified(t, data, heads[len(heads)-1]))
		c.kill()
	}
	cancel()
	writer.Wait()

	head := remote.Git("rev-parse", "origin/main")
	final := startChild(t, remote, data, "--origin", first)
	got := final.settled(t, head)
	compare(t, "at the end", acknowledged, got)
	for _, head := range heads {
		final.verified(t, data, head)
	}
	reference := startChild(t, remote, filepath.Join(t.TempDir(), "reference"), "--origin", first)
	want := reference.settled(t, head)
	compare(t, "beside a server that was never killed", want, got)
	if len(got) != len(want) || len(want) < 2*kills {
		t.Errorf("%d verdicts beside %d", len(got), len(want))
	}
}

// compare checks that what was there is there.
func compare(t *testing.T, when string, before, now map[string]string) {
	t.Helper()
	for id, verdict := range before {
		if now[id] != verdict {
			t.Errorf("%s: %s was %q and is %q", when, id, verdict, now[id])
		}
	}
}

func waitReady(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, killPatience)
	defer cancel()
	for {
		_, err := ask(ctx, url, "", "/readyz", nil)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(errors.New("the server did not become ready"), err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// pushAllTheTime pushes one commit after the other, some of them bad.
func pushAllTheTime(ctx context.Context, remote *gittest.Remote) {
	for step := 1; ctx.Err() == nil; step++ {
		retries, staging := 3, "true"
		switch step % 6 {
		case 2:
			retries = 30
		case 4:
			staging = "perhaps"
		}
		files := map[string]string{
			"config/web.yaml":               fmt.Sprintf("step: %d\nretries: %d\n", step%9, retries),
			"environments/staging/web.yaml": fmt.Sprintf("staging: %s\n# %d\n", staging, step/9%4),
		}
		if err := pushOnce(ctx, remote.Work(), files, fmt.Sprintf("Step %d", step)); err != nil && ctx.Err() == nil {
			panic(err)
		}
	}
}

func pushOnce(ctx context.Context, work string, files map[string]string, subject string) error {
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(work, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	for _, args := range [][]string{
		{"commit", "--quiet", "--all", "--allow-empty", "-m", subject},
		{"push", "--quiet", "origin", "HEAD:main"},
	} {
		if out, err := gittest.Command(context.WithoutCancel(ctx), work, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("git %s: %w: %s", args[0], err, out)
		}
	}
	return nil
}
