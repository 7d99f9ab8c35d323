// Command inprocess is a service that follows its configuration's repository by itself: no server, and nothing that listens.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/follow"
)

func main() {
	repo := flag.String("repo", "", "remote: an https or ssh URL, or a directory")
	env := flag.String("env", "prod", "environment")
	dir := flag.String("dir", "", "directory to keep, to start without the remote")
	poll := flag.Duration("poll", 30*time.Second, "time between looks at the remote")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	patient, cancel := context.WithTimeout(ctx, time.Minute)
	config, err := follow.Open(patient, follow.Options{
		Repo: *repo, Env: *env, Patterns: []string{"checkout.**"}, Dir: *dir, Poll: *poll, Log: slog.Default(),
	})
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer config.Close()
	if err := serve(ctx, config); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, err)
	}
}

// serve is the program. It takes any reader: a client, a repository, or in tests a fake.
func serve(ctx context.Context, config client.Reader) error {
	for update, err := range config.Watch(ctx, "checkout") {
		if err != nil {
			return err
		}
		fmt.Printf("at %.7s a checkout takes %s at most, with %d retries\n", update.State.Commit,
			config.Duration("checkout.timeout", 30*time.Second), config.Int("checkout.retries", 3))
	}
	return nil
}
