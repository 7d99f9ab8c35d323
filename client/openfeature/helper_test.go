package openfeature_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"
	"go.uber.org/goleak"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/client/local"
	trunkline "github.com/trunkline/trunkline/client/openfeature"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/notify"
	"github.com/trunkline/trunkline/notify/notifytest"
	"github.com/trunkline/trunkline/value"
	"github.com/trunkline/trunkline/value/document"
)

// generous is a deadline that only a fault exceeds.
const generous = 20 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const configured = `{"search":{"ranking":false,"depth":3,"ratio":0.5,"page":{"size":10,"hosts":["a"]}},"checkout":{"color":"blue"},"secret":{"$redacted":true,"fp":"ab"},"nothing":null}`

var shop = map[string]string{
	"rollouts/ranking": `environments: [prod]
salt: rank
set: {search.ranking: true}
rules: [{name: staff, when: 'context.email.endsWith("@example.com")'}, {name: half, when: context.country == "DE", percentage: 50%}]
`,
	"rollouts/halted": "environments: [prod]\nset: {search.depth: 9}\nrules: [{name: all}]\n",
	"rollouts/page":   "environments: [prod]\nset: {search.page: {size: 20, hosts: [b, c]}}\nrules: [{name: grown, when: context.age > 18}]\n",
	"experiments/button": `environments: [prod]
status: running
layer: checkout
salt: button
phase: 2
traffic: 100%
variants: {control: {weight: 50%}, green: {weight: 50%, set: {checkout.color: green}}}
force: {qa: green}
plan: {unitsTotal: 10, minimumEffect: {relative: 1%}}
`,
	"layers/checkout": "salt: lay\n",
}

// definitions reads files by their paths.
func definitions(t testing.TB, files map[string]string) *experiment.Definitions {
	t.Helper()
	read := map[string]map[string]*value.Value{"rollouts": {}, "experiments": {}, "layers": {}}
	for path, text := range files {
		v, problems := document.Decode(&value.File{Path: path}, document.YAML, []byte(text), document.Limits{})
		if v == nil {
			t.Fatalf("%s: %v", path, problems)
		}
		folder, key, _ := strings.Cut(path, "/")
		read[folder][key] = v
	}
	d, problems := experiment.Parse(experiment.Files{Rollouts: read["rollouts"], Experiments: read["experiments"], Layers: read["layers"]})
	for _, p := range problems {
		t.Fatal(p)
	}
	return d
}

// server is a hub behind an address, for a credential with rights.
type server struct {
	live *notifytest.Live
	addr string
	stop func()
}

func serve(t testing.TB, live *notifytest.Live, addr string, rights access.Right) *server {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	hub := notify.New(notify.Options{Live: live})
	who := &access.Identity{Name: "test", Kind: access.KindToken, Grant: access.Whole(rights)}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hub.ServeHTTP(w, r.WithContext(access.NewContext(r.Context(), who)))
	}))
	_ = srv.Listener.Close()
	srv.Listener = notify.Listen(l)
	srv.Start()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- hub.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		<-ended
		srv.Close()
	})
	t.Cleanup(stop)
	return &server{live, l.Addr().String(), stop}
}

// selling is a server of the shop, of which a rollout is stopped.
func selling(t testing.TB) *server {
	t.Helper()
	live := notifytest.NewLive()
	live.Definitions = definitions(t, shop)
	v := live.PutJSON("prod", configured)
	stopped := v.Snapshot.With(experiment.Options{Stopped: func(_ experiment.Kind, key string) bool { return key == "halted" }})
	live.Again("prod", func(v *apply.Version) { v.Snapshot = stopped })
	return serve(t, live, "127.0.0.1:0", access.Define)
}

func provider(s *server) *trunkline.Provider {
	return trunkline.New(local.Options{Options: client.Options{URL: "http://" + s.addr, Env: "prod"}})
}

// connected is an API of its own with a provider that is ready.
func connected(t testing.TB, p *trunkline.Provider) (*openfeature.EvaluationAPI, openfeature.IClient) {
	t.Helper()
	api := isolated.NewAPI()
	t.Cleanup(func() { _ = api.Shutdown(context.Background()) })
	ctx, cancel := context.WithTimeout(t.Context(), generous)
	defer cancel()
	if err := api.SetProviderAndWait(ctx, p); err != nil {
		t.Fatal(err)
	}
	return api, api.NewClient()
}
