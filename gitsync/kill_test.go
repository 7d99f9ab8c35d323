package gitsync_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/internal/gittest"
)

// The test binary is its own child: with this in its environment, it follows until it is killed.
const childEnv = "TRUNKLINE_GITSYNC_CHILD"

// child follows URL and directory, given with the last commit taken, and prints each commit once it was taken.
func child() int {
	args := strings.Split(os.Getenv(childEnv), "\n")
	f, err := gitsync.Open(context.Background(), gitsync.Options{URL: args[0], Dir: args[1], Poll: time.Second})
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	var taken gitsync.Hash
	_ = taken.UnmarshalText([]byte(args[2]))
	fmt.Println("open", f.Head())
	gitsync.SetPacks(f, 4) // joined all the time, to be killed in the middle of that too
	go func() {
		for range time.Tick(time.Millisecond) {
			f.Hint()
		}
	}()
	_ = f.Run(context.Background(), taken, func(_ context.Context, u gitsync.Update) error {
		for _, c := range u.Commits {
			if _, err := f.Tree(c.Tree); err != nil {
				fmt.Println("error", err)
			}
			fmt.Println("commit", c.Hash)
		}
		if u.Rewrite != nil {
			fmt.Println("error rewrite", u.Rewrite.Old, u.Rewrite.New)
		}
		return nil
	})
	return 0
}

// Killed at any moment, the next start goes on: no commit is left out, and none comes that was taken before.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	var pushed []string
	push := func() {
		remote.Write(map[string]string{"config/large.yaml": filler(len(pushed), 20_000)})
		pushed = append(pushed, change(remote, fmt.Sprint("Change ", len(pushed))))
		remote.Push()
	}
	push()
	dir := t.TempDir()
	rounds := 15
	if testing.Short() {
		rounds = 5
	}
	var commits []string
	for round := range rounds {
		delay := time.Duration(rand.IntN(60)) * time.Millisecond
		commits = append(commits, runAndKill(t, remote.URL(), dir, last(commits), delay, push)...)
		if t.Failed() {
			t.Fatalf("in round %d, killed after %s", round, delay)
		}
	}
	w := follow(t, remote.URL(), at(dir), taken(parseOrZero(last(commits))))
	for last(commits) != last(pushed) {
		for _, c := range w.next().Commits {
			commits = append(commits, c.Hash.String())
		}
	}
	if got, want := strings.Join(commits, "\n"), strings.Join(pushed[len(pushed)-len(commits):], "\n"); got != want {
		t.Errorf("handed on:\n%s\nwant:\n%s", got, want)
	}
	git(t, mirrorOf(t, w), "fsck", "--strict")
}

func last(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[len(list)-1]
}

func parseOrZero(s string) (h gitsync.Hash) {
	_ = h.UnmarshalText([]byte(s))
	return h
}

// runAndKill runs a child, pushes once it is open, kills it a while later, and returns what it took.
func runAndKill(t *testing.T, url, dir, taken string, delay time.Duration, push func()) []string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childEnv+"="+strings.Join([]string{url, dir, taken}, "\n"))
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	var commits []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		kind, text, _ := strings.Cut(lines.Text(), " ")
		switch kind {
		case "open":
			push()
			timer := time.AfterFunc(delay, func() { _ = cmd.Process.Kill() })
			defer timer.Stop()
		case "commit":
			commits = append(commits, text)
		default:
			t.Errorf("the child says: %s", lines.Text())
		}
	}
	_ = cmd.Wait()
	return commits
}
