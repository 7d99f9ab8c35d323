package local_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/client/local"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/notify"
	"github.com/trunkline/trunkline/notify/notifytest"
	"github.com/trunkline/trunkline/value"
)

// definitions are those of a repository with one file: rollouts/new-ranking.yaml.
func definitions() *experiment.Definitions {
	file, err := value.ParseJSON([]byte(`{"environments": ["prod"], "set": {"search.ranking": "new"}, "rules": [{"name": "germany", "when": "context.country == \"DE\""}]}`))
	if err != nil {
		panic(err)
	}
	d, _ := experiment.Parse(experiment.Files{Rollouts: map[string]*value.Value{"new-ranking": file}})
	return d
}

// exampleServer stands in for a Trunkline server that follows a repository. Its callers have the right define.
func exampleServer() (live *notifytest.Live, url string, stop func()) {
	live = notifytest.NewLive()
	live.Definitions = definitions()
	live.PutJSON("prod", `{"search":{"ranking":"old","limit":20}}`)
	hub := notify.New(notify.Options{Live: live})
	who := &access.Identity{Kind: access.KindToken, Grant: access.Whole(access.Define)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hub.ServeHTTP(w, r.WithContext(access.NewContext(r.Context(), who)))
	}))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- hub.Run(ctx) }()
	return live, server.URL, func() {
		cancel()
		<-ended
		server.Close()
	}
}

// A back end answers for many users over one connection.
func Example() {
	_, url, stop := exampleServer()
	defer stop()
	config, err := local.Dial(context.Background(), local.Options{Options: client.Options{URL: url, Env: "prod"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer config.Close()

	for _, country := range []string{"DE", "FR"} {
		request, err := config.ForMap(map[string]any{"targetingKey": "u1", "country": country})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(country, request.String("search.ranking", "old"), request.Int("search.limit", 10))
	}
	// Output:
	// DE new 20
	// FR old 20
}

// Why somebody has a value, or has it not, is told check by check.
func ExampleView_Explain() {
	_, url, stop := exampleServer()
	defer stop()
	config, err := local.Dial(context.Background(), local.Options{Options: client.Options{URL: url, Env: "prod"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer config.Close()

	request, err := config.ForMap(map[string]any{"country": "DE"})
	if err != nil {
		fmt.Println(err)
		return
	}
	why, _ := request.Explain(experiment.KindRollout, "new-ranking")
	for _, check := range why.Checks {
		fmt.Printf("%s: %s\n", check.Check, check.Text)
	}
	// Output:
	// status: it is in effect
	// forced: the file does not force the unit
	// prerequisite: it requires nothing else
	// rule: the rule germany matches, and includes everybody
}
