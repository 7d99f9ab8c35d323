package notify_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/client/wire"
)

// foreigners are WebSocket clients that know nothing of ours. They are run where they are installed.
var foreigners = map[string]struct {
	find    []string // runs without an error where it is there
	script  string
	install string
}{
	"ws":                {[]string{"node", "-e", "require('ws')"}, "ws.js", "npm install ws, and name its node_modules in NODE_PATH"},
	"python-websockets": {[]string{"/usr/bin/python3", "-c", "import websockets"}, "client.py", "apt-get install python3-websockets"},
}

// outcomes are what a client is to meet, by what it tries. Not all try all.
var outcomes = map[string]string{
	"plain":             "1000 hello:large,small update:small",
	"compressed":        "1000 deflate hello:large,small update:small",
	"small windows":     "1000 hello:large,small update:small", // of which the server knows nothing
	"garbage":           "4400 badMessage",
	"binary":            "4400 badMessage",
	"unmasked":          "1002",
	"raw bytes":         "1002",
	"too large":         "4400 badMessage",
	"bomb":              "4400 badMessage",
	"endless fragments": "4400 badMessage",
	"many fragments":    "4400 badMessage",
	"pings":             "4030 tooManyMessages",
	"updates":           "4030 tooManyUpdates",
	"nobody":            "4400 badMessage",
	"goes":              "4000",
}

func TestForeignClients(t *testing.T) {
	for name, f := range foreigners {
		t.Run(name, func(t *testing.T) {
			if err := exec.Command(f.find[0], f.find[1:]...).Run(); err != nil {
				t.Skipf("%s is not installed here (%v): %s", name, err, f.install)
			}
			s := serve(t, nil)
			s.live.PutJSON("prod", `{"small":1,"large":"`+strings.Repeat("many words, ", 50_000)+`"}`)
			healthy := s.follow(t, "prod", "small")
			script, err := filepath.Abs(filepath.Join("testdata", "foreign", f.script))
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), f.find[0], script, s.endpoint()) //nolint:gosec // our own script
			var talk bytes.Buffer
			cmd.Stderr = &talk
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v: %s", err, talk.Bytes())
			}
			tried := 0
			for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); tried++ {
				var told struct{ Name, Result string }
				if err := json.Unmarshal(lines.Bytes(), &told); err != nil {
					t.Fatalf("%v: %s", err, lines.Text())
				}
				if want := outcomes[told.Name]; told.Result != want {
					t.Errorf("%s: %q, want %q", told.Name, told.Result, want)
				}
			}
			if tried < 10 {
				t.Errorf("only %d outcomes: %s", tried, out)
			}
			s.wait(t, "their end", func() bool { return s.sessions == 1 })
			s.live.PutJSON("prod", `{"small":2}`)
			healthy.expect(wire.TypeDelta)
		})
	}
}
