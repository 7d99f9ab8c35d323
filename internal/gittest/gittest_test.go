package gittest_test

import (
	"net/http"
	"runtime"
	"testing"

	"github.com/trunkline/trunkline/internal/gittest"
)

func TestRemoteIsClonedOverHTTP(t *testing.T) {
	remote := gittest.NewRemote(t)
	remote.Write(map[string]string{"a/b.yaml": "x: 1\n"})
	want := remote.Commit("First", gittest.Author("Alan", "alan@example.com"), gittest.Body("Why."))
	remote.Push()

	dir := t.TempDir()
	cmd := gittest.Command(t.Context(), dir, "clone", "--quiet", "--bare", remote.URL(), "clone.git")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("clone: %v\n%s", err, out)
	}
	out, err := gittest.Command(t.Context(), dir, "--git-dir=clone.git", "log", "-1", "--format=%H %an %s").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := string(out); got != want+" Alan First\n" {
		t.Errorf("the clone holds %q, want commit %s", got, want)
	}
	if remote.Requests() == 0 {
		t.Error("no request was counted")
	}
}

func TestFaultsEnd(t *testing.T) {
	remote := gittest.NewRemote(t)
	status := func() int {
		res, err := http.Get(remote.URL() + "/info/refs?service=git-upload-pack")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		return res.StatusCode
	}
	remote.Fault(gittest.Status(503))
	if got := status(); got != 503 {
		t.Errorf("status under a fault: %d, want 503", got)
	}
	remote.Fault(gittest.Stall)
	done := make(chan int)
	go func() { done <- status() }()
	for remote.Requests() < 2 {
		runtime.Gosched()
	}
	remote.Fault(gittest.None)
	if got := <-done; got != 200 {
		t.Errorf("status after the stall ended: %d, want 200", got)
	}
}
