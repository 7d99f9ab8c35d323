package validator_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/apply/validator"
	"github.com/trunkline/trunkline/value"
)

// TestMain sets what is read once in a process: a certificate to trust, that of httptest, and a proxy that nobody may ask.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "validator")
	if err != nil {
		panic(err)
	}
	server := httptest.NewTLSServer(nil)
	block := &pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}
	server.Close()
	file := filepath.Join(dir, "roots.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o644); err != nil {
		panic(err)
	}
	os.Setenv("SSL_CERT_FILE", file)
	os.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(dir)
		os.Exit(code)
	}))
}

// candidate changes a pool, and has a sensitive password.
func candidate(t *testing.T) compile.Candidate {
	t.Helper()
	sensitive, err := value.ParsePattern("db.password")
	if err != nil {
		t.Fatal(err)
	}
	snapshot := func(text string) *compile.Snapshot {
		v, err := value.ParseJSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		delivered := value.NewRedactor(value.Key("key"), value.Delivered).Redact(v, []value.Pattern{sensitive})
		return &compile.Snapshot{Environment: "prod", Values: v, Delivered: delivered}
	}
	return compile.Candidate{
		Environment: "prod", ID: "4be2", Rollback: true,
		Commit: compile.DescribeCommit("Ada", "ada@shop.example", "Double the pool", "Double the pool\n", []string{"bo@shop.example"}),
		New:    snapshot(`{"db":{"password":"hunter2","pool":40,"ratio":1.0}}`),
		Old:    snapshot(`{"db":{"password":"hunter1","pool":20,"ratio":1.0}}`),
	}
}

// only makes the one validator of a settings file, which may be reached on this machine.
func only(t *testing.T, entry string, args ...any) compile.Validator {
	t.Helper()
	file := "allowHosts: [127.0.0.1, localhost, checks.test]\nvalidators:\n  - {name: capacity, " + fmt.Sprintf(entry, args...) + "}\n"
	return parsed(t, file)[0]
}

func parsed(t *testing.T, file string) []compile.Validator {
	t.Helper()
	validators, err := validator.Parse("validators.yaml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	return validators
}

// quoted writes a string, or a list of them, as YAML takes it.
func quoted(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// serve answers with a handler until the test ends.
func serve(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

// asked is the question that a validator asks.
func asked(t *testing.T, more string, c compile.Candidate) string {
	t.Helper()
	var question string
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		question = string(body)
		_, _ = io.WriteString(w, `{"verdict":"valid"}`)
	})
	problems, err := only(t, "url: %q%s", server.URL, more).Validate(t.Context(), c)
	if err != nil || len(problems) > 0 {
		t.Fatalf("%v, %v", problems, err)
	}
	return question
}

// noAnswer expects an error of a text that begins so.
func noAnswer(t *testing.T, v compile.Validator, want string) {
	t.Helper()
	problems, err := v.Validate(t.Context(), candidate(t))
	if err == nil || problems != nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v and the error %v, want %q", problems, err, want)
	}
}

const commitAsked = `"commit":{"author":"Ada","coAuthors":["bo@shop.example"],"email":"ada@shop.example","id":"4be2",` +
	`"message":"Double the pool\n","subject":"Double the pool"},"environment":"prod","rollback":true`

func TestQuestion(t *testing.T) {
	redacted := func(v *compile.Snapshot) string {
		password, _ := v.Delivered.Lookup("db.password")
		return password.String()
	}
	c := candidate(t)
	want := `{"baseline":{"db":{"password":` + redacted(c.Old) + `,"pool":20,"ratio":1.0}},` + commitAsked +
		`,"values":{"db":{"password":` + redacted(c.New) + `,"pool":40,"ratio":1.0}},"version":1}`
	if diff := cmp.Diff(want, asked(t, "", c)); diff != "" {
		t.Error(diff)
	}
	if !strings.HasPrefix(redacted(c.New), `{"$redacted":true,"fp":"`) {
		t.Errorf("the password is asked as %s", redacted(c.New))
	}
}

func TestQuestionRevealed(t *testing.T) {
	want := `{"baseline":{"db":{"password":"hunter1","pool":20,"ratio":1.0}},` + commitAsked +
		`,"values":{"db":{"password":"hunter2","pool":40,"ratio":1.0}},"version":1}`
	if diff := cmp.Diff(want, asked(t, ", reveal: true", candidate(t))); diff != "" {
		t.Error(diff)
	}
}

// TestQuestionOfFiles is about files that are no commit yet, without a version before.
func TestQuestionOfFiles(t *testing.T) {
	files := compile.Candidate{Environment: "prod", New: &compile.Snapshot{Values: value.Empty, Delivered: value.Empty}}
	want := `{"baseline":null,"commit":null,"environment":"prod","rollback":false,"values":{},"version":1}`
	if diff := cmp.Diff(want, asked(t, "", files)); diff != "" {
		t.Error(diff)
	}
}

func TestOtherEnvironmentsAreNotAsked(t *testing.T) {
	v := only(t, `url: "http://127.0.0.1:1/", environments: [staging, canary]`)
	if problems, err := v.Validate(t.Context(), candidate(t)); err != nil || problems != nil {
		t.Errorf("%v, %v", problems, err)
	}
	noAnswer(t, only(t, `url: "http://127.0.0.1:1/", environments: [staging, prod]`), "dial tcp 127.0.0.1:1: ")
}

// TestTurns asks more than may be asked at a time.
func TestTurns(t *testing.T) {
	const most = 8
	var now, peak atomic.Int64
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for n := now.Add(1); ; {
			if before := peak.Load(); n <= before || peak.CompareAndSwap(before, n) {
				break
			}
		}
		time.Sleep(20 * time.Millisecond)
		now.Add(-1)
		_, _ = io.WriteString(w, `{"verdict":"valid"}`)
	})
	v, c := only(t, "url: %q", server.URL), candidate(t)
	var wg sync.WaitGroup
	for range 3 * most {
		wg.Go(func() {
			if _, err := v.Validate(t.Context(), c); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if peak.Load() > most {
		t.Errorf("%d were asked at a time", peak.Load())
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	server := serve(t, func(http.ResponseWriter, *http.Request) { cancel(); <-release })
	defer close(release)
	if _, err := only(t, "url: %q", server.URL).Validate(ctx, candidate(t)); err != context.Canceled {
		t.Errorf("got %v", err)
	}
}

func TestDescribe(t *testing.T) {
	validators := parsed(t, `
allowHosts: [checks.example.com]
validators:
  - {name: capacity, command: [/usr/local/bin/check, --key, hunter2], environment: {KEY: hunter2}, environments: [prod, canary]}
  - {name: quota, url: "https://checks.example.com/hunter2?key=hunter2", reveal: true}
`)
	want := map[string]string{
		"capacity": "command /usr/local/bin/check for prod, canary",
		"quota":    "https://checks.example.com, sees sensitive values",
	}
	if diff := cmp.Diff(want, validator.Describe(validators)); diff != "" {
		t.Error(diff)
	}
}
