package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/api"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/audit"
)

// office is where tokens are made and revoked.
type office struct {
	t       *testing.T
	handler http.Handler
	noted   []audit.Event
	log     bytes.Buffer
}

func openOffice(t *testing.T, file string) *office {
	t.Helper()
	tokens, err := access.OpenTokens(file, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	o := &office{t: t}
	o.handler = api.New(api.Options{
		Live: apply.NewLive(), Tokens: tokens, Slog: slog.New(slog.NewTextHandler(&o.log, nil)),
		Note: func(_ context.Context, e audit.Event) error { o.noted = append(o.noted, e); return nil },
	})
	return o
}

// post asks for a token as somebody who may operate everything, until a time.
func (o *office) post(expires time.Time, body string) (status int, answer string) {
	who := &access.Identity{Name: "ci", Kind: access.KindJWT, Grant: access.Whole(access.AllRights), Expires: expires}
	r := httptest.NewRequest(http.MethodPost, "/v1/tokens", strings.NewReader(body))
	w := httptest.NewRecorder()
	o.handler.ServeHTTP(w, r.WithContext(access.NewContext(r.Context(), who)))
	return w.Code, w.Body.String()
}

func TestWhatATokenGrantsIsOnRecord(t *testing.T) {
	o := openOffice(t, filepath.Join(t.TempDir(), "tokens.json"))
	end := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	for _, test := range []struct {
		body string
		want map[string]string
	}{
		{
			`{"name": "x", "grant": {"environments": ["prod", "stag*"], "patterns": ["b", "a.**"], "rights": ["reveal", "operate"]}, "expires": "` + end + `"}`,
			map[string]string{"name": "x", "environments": "prod stag*", "patterns": "a.** b", "rights": "reveal operate", "public": "false", "expires": end},
		},
		{
			`{"name": "web", "grant": {"environments": ["*"], "public": true}}`,
			map[string]string{"name": "web", "environments": "*", "rights": "publish", "public": "true", "expires": "never"},
		},
	} {
		status, answer := o.post(time.Time{}, test.body)
		var made struct{ Token, ID string }
		if err := json.Unmarshal([]byte(answer), &made); err != nil || status != http.StatusCreated {
			t.Fatalf("%d %s", status, answer)
		}
		test.want["token"] = made.ID
		e := o.noted[len(o.noted)-1]
		if e.Kind != "credential" || e.Reason != "made" || e.By != "jwt:ci" || !maps.Equal(e.Details, test.want) {
			t.Errorf("on record is %+v", e)
		}
		for _, text := range e.Details {
			if strings.Contains(text, made.Token) {
				t.Error("the token itself is on record")
			}
		}
	}
}

// Who has a credential for some time makes none that is good for longer.
func TestTokensDoNotOutliveTheirMakers(t *testing.T) {
	o := openOffice(t, filepath.Join(t.TempDir(), "tokens.json"))
	end := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	for _, test := range []struct {
		maker   time.Time
		expires string
		want    int
	}{
		{end, "", http.StatusForbidden},
		{end, end.Add(time.Second).Format(time.RFC3339), http.StatusForbidden},
		{end, end.Format(time.RFC3339), http.StatusCreated},
		{end, end.Add(-time.Minute).In(time.FixedZone("", 3600)).Format(time.RFC3339), http.StatusCreated},
		{time.Time{}, "", http.StatusCreated},
		{time.Time{}, end.AddDate(1, 0, 0).Format(time.RFC3339), http.StatusCreated},
	} {
		body := `{"name": "x", "grant": {"environments": ["prod"], "patterns": ["**"]}}`
		if test.expires != "" {
			body = strings.Replace(body, `}}`, `}, "expires": "`+test.expires+`"}`, 1)
		}
		before := len(o.noted)
		status, answer := o.post(test.maker, body)
		if status != test.want || (len(o.noted) > before) != (status == http.StatusCreated) {
			t.Errorf("%s by who is good until %s: %d %s", body, test.maker, status, answer)
		}
		if status == http.StatusForbidden && !(strings.Contains(answer, `"forbidden"`) && strings.Contains(answer, end.Format(time.RFC3339))) {
			t.Errorf("it is answered with %s", answer)
		}
	}
}

// What is wrong with a token is its maker's to mend; what is wrong with the server's files is for its log alone.
func TestTokensThatCannotBeMade(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	o := openOffice(t, filepath.Join(dir, "tokens.json"))
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	status, answer := o.post(time.Time{}, `{"name": "x", "grant": {"environments": ["prod"], "patterns": ["**"]}}`)
	if status != http.StatusServiceUnavailable || !strings.Contains(answer, `"notMade"`) || strings.Contains(answer, dir) || strings.Contains(answer, "tokens.json") {
		t.Errorf("%d %s", status, answer)
	}
	if !strings.Contains(o.log.String(), dir) || len(o.noted) > 0 {
		t.Errorf("the log says %q, and on record is %v", o.log.String(), o.noted)
	}
	for _, body := range []string{
		`{"name": "?", "grant": {"environments": ["prod"], "patterns": ["**"]}}`,
		`{"name": "x", "grant": {"environments": ["prod"], "patterns": ["**"]}, "expires": "2020-01-01T00:00:00Z"}`,
	} {
		if status, answer := o.post(time.Time{}, body); status != http.StatusBadRequest || !strings.Contains(answer, `"badToken"`) {
			t.Errorf("%s: %d %s", body, status, answer)
		}
	}
}
