package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/notify"
	"github.com/trunkline/trunkline/notify/notifytest"
)

// exampleServer stands in for a Trunkline server that follows a repository.
func exampleServer() (live *notifytest.Live, url string, stop func()) {
	live = notifytest.NewLive()
	live.PutJSON("prod", `{"checkout":{"retries":2,"timeout":"20s","hosts":["a","b"]}}`)
	hub := notify.New(notify.Options{Live: live})
	server := httptest.NewServer(access.NewGuard(access.GuardOptions{}).Wrap(hub))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- hub.Run(ctx) }()
	return live, server.URL, func() {
		cancel()
		<-ended
		server.Close()
	}
}

func Example() {
	_, url, stop := exampleServer()
	defer stop()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	config, err := client.Dial(ctx, client.Options{URL: url, Env: "prod", Patterns: []string{"checkout.**"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer config.Close()

	fmt.Println(config.Int("checkout.retries", 3), config.Duration("checkout.timeout", 30*time.Second), config.Bool("checkout.express", false))

	var checkout struct {
		Retries int
		Timeout time.Duration
		Hosts   []string
	}
	if err := config.Decode("checkout", &checkout); err != nil {
		fmt.Println(err)
	}
	fmt.Printf("%+v\n", checkout)
	// Output:
	// 2 20s false
	// {Retries:2 Timeout:20s Hosts:[a b]}
}

// A watch begins with what there is, and goes on with every change.
func ExampleFeed_Watch() {
	live, url, stop := exampleServer()
	defer stop()
	config, err := client.Dial(context.Background(), client.Options{URL: url})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer config.Close()

	for update, err := range config.Watch(context.Background(), "checkout.retries") {
		if err != nil {
			fmt.Println(err)
			break
		}
		retries := update.State.Int("checkout.retries", 3)
		fmt.Println("retries:", retries)
		if retries == 5 {
			break
		}
		live.PutJSON("prod", `{"checkout":{"retries":5,"timeout":"20s"}}`) // as a push does
	}
	// Output:
	// retries: 2
	// retries: 5
}

// What a program cannot use it does not get; the server shows who rejected a version, and why.
func ExampleOptions_accept() {
	live, url, stop := exampleServer()
	defer stop()
	rejected := make(chan error, 1)
	config, err := client.Dial(context.Background(), client.Options{
		URL: url,
		Accept: func(s *client.State) error {
			if s.Int("checkout.retries", 0) > 10 {
				return errors.New("more than 10 retries would keep buyers waiting")
			}
			return nil
		},
		OnEvent: func(e client.Event) {
			if e.Kind == client.Rejected {
				rejected <- e.Err
			}
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer config.Close()

	live.PutJSON("prod", `{"checkout":{"retries":100}}`)
	fmt.Println("rejected:", <-rejected)
	fmt.Println("retries:", config.Int("checkout.retries", 3))
	// Output:
	// rejected: more than 10 retries would keep buyers waiting
	// retries: 2
}
