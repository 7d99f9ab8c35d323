package api_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/api"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/history"
)

// mirror is one in which a name means what the test says.
type mirror struct {
	*gitsync.Follower
	means error
}

func (m *mirror) Named(context.Context, string) (gitsync.Hash, error) { return gitsync.Hash{}, m.means }

// What cannot be answered is told with a code and a next step, and what a caller can do nothing about with none of its details.
func TestVersionsThatCannotBeReached(t *testing.T) {
	f, err := gitsync.Open(t.Context(), gitsync.Options{URL: "http://127.0.0.1:1/none.git", Branch: "main", Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var log bytes.Buffer
	m := &mirror{Follower: f}
	live := apply.NewLive()
	handler := api.New(api.Options{
		Live: live, History: history.New(history.Options{Mirror: m, Live: live}), Slog: slog.New(slog.NewTextHandler(&log, nil)),
	})
	who := &access.Identity{Name: "test", Kind: access.KindToken, Grant: access.Whole(access.History)}
	for _, test := range []struct {
		means       error
		status      int
		holds       []string
		retry, told bool
	}{
		{&gitsync.AmbiguousError{Name: "0123456", Candidates: []gitsync.Hash{{1}, {2}}}, 409, []string{"ambiguousVersion", gitsync.Hash{1}.String(), gitsync.Hash{2}.String(), "more digits"}, false, false},
		{gitsync.ErrNotFound, 404, []string{"unknownVersion"}, false, false},
		{history.ErrBusy, 503, []string{"busy"}, true, false},
		{context.Canceled, 503, []string{"brokenOff"}, true, false},
		{errors.New("a disk that fails"), 503, []string{"pastUnavailable", "server's log"}, true, true},
	} {
		m.means = test.means
		for _, path := range []string{"/v1/config/a?env=prod&at=0123456", "/v1/diff?env=prod&from=0123456", "/v1/matrix?env=prod&at=0123456", "/v1/blame/a?env=prod&at=0123456", "/v1/explain/a?env=prod&at=0123456"} {
			log.Reset()
			r := httptest.NewRequest(http.MethodGet, path, nil)
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r.WithContext(access.NewContext(r.Context(), who)))
			body := w.Body.String()
			for _, part := range test.holds {
				if !strings.Contains(body, part) {
					t.Errorf("%s: %s, want %q", path, body, part)
				}
			}
			if w.Code != test.status || (w.Header().Get("Retry-After") != "") != test.retry || strings.Contains(body, "disk") {
				t.Errorf("%s: %d %v %s", path, w.Code, w.Header(), body)
			}
			if told := strings.Contains(log.String(), "a disk that fails"); told != test.told {
				t.Errorf("%s: in the log stands %s", path, log.String())
			}
		}
	}
}

// A working tree has no earlier versions: what asks of them is told so, or is not there.
func TestWithoutAHistory(t *testing.T) {
	handler := api.New(api.Options{Live: apply.NewLive()})
	who := &access.Identity{Name: "test", Kind: access.KindToken, Grant: access.Whole(access.History)}
	for path, want := range map[string]string{"/v1/config/a?at=v1.0": "noHistory", "/v1/diff": "notFound", "/v1/matrix": "notFound", "/v1/blame/a": "notFound", "/v1/explain/a": "notFound"} {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r.WithContext(access.NewContext(r.Context(), who)))
		if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}
