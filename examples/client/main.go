// Command client is a service that reads its configuration from a Trunkline server.
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
)

func main() {
	server := flag.String("server", "http://127.0.0.1:7420", "URL of the server")
	env := flag.String("env", "prod", "environment")
	keep := flag.String("keep", "", "file for the last values, to start without a server")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	patient, cancel := context.WithTimeout(ctx, 10*time.Second)
	config, err := client.Dial(patient, client.Options{
		URL: *server, Env: *env, Patterns: []string{"checkout.**"}, Name: "example", Accept: accept, Keep: *keep, Log: slog.Default(),
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

// accept refuses what this program cannot work with. The server is told, and the values stay as they were.
func accept(s *client.State) error {
	if s.Int("checkout.retries", 0) > 10 {
		return errors.New("more than 10 retries would keep buyers waiting")
	}
	return nil
}

// serve is the program. It takes any reader: a client, a repository, or in tests a fake.
func serve(ctx context.Context, config client.Reader) error {
	for update, err := range config.Watch(ctx, "checkout") {
		if err != nil {
			return err
		}
		for _, c := range update.Changes {
			fmt.Printf("%s is %s\n", c.Path, c.New)
		}
		fmt.Printf("a checkout takes %s at most, with %d retries\n",
			config.Duration("checkout.timeout", 30*time.Second), config.Int("checkout.retries", 3))
	}
	return nil
}
