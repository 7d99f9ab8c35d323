package follow_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/trunkline/trunkline/follow"
	"github.com/trunkline/trunkline/internal/gittest"
)

// commit makes a repository, or goes on with it: any Git remote will do.
func commit(dir, text string) {
	if err := os.WriteFile(filepath.Join(dir, "config", "checkout.yaml"), []byte(text), 0o600); err != nil {
		panic(err)
	}
	for _, step := range [][]string{{"init", "--quiet", "--initial-branch=main"}, {"add", "--all"}, {"commit", "--quiet", "-m", "Change"}} {
		if out, err := gittest.Command(context.Background(), dir, step...).CombinedOutput(); err != nil {
			panic(fmt.Sprintf("git %s: %v: %s", step[0], err, out))
		}
	}
}

// A program that follows a repository by itself needs no server.
func Example() {
	dir, err := os.MkdirTemp("", "example-*")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	remote := filepath.Join(dir, "remote")
	if err := os.MkdirAll(filepath.Join(remote, "config"), 0o700); err != nil {
		panic(err)
	}
	commit(remote, "retries: 2\n")

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	config, err := follow.Open(ctx, follow.Options{Repo: remote, Dir: filepath.Join(dir, "kept")})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer config.Close()

	for update, err := range config.Watch(ctx, "checkout.retries") {
		if err != nil {
			fmt.Println(err)
			break
		}
		retries := update.State.Int("checkout.retries", 3)
		fmt.Println("retries:", retries)
		if retries == 5 {
			break
		}
		commit(remote, "retries: 5\n")
		config.Look() // or wait for the next poll
	}
	// Output:
	// retries: 2
	// retries: 5
}
