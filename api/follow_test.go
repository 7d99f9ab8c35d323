package api_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/api"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/audit"
)

// followed is a log that has a batch at hand when its reader's credential ends after the first record.
type followed struct {
	api.Log
	end func()
}

func (f followed) Follow(_ context.Context, _ uint64, visit func(audit.Entry) error) error {
	for n := range uint64(3) {
		if err := visit(audit.Entry{Sequence: n + 1, Record: &audit.Record{Kind: "stop", Event: &audit.EventRecord{Reason: "x"}}}); err != nil {
			return err
		}
		f.end()
	}
	return nil
}

// Who follows the audit log is told nothing more once the credential has ended, also of what was read for them before.
func TestFollowingEndsWithTheCredential(t *testing.T) {
	ctx, cancel := context.WithCancel(access.NewContext(t.Context(), &access.Identity{Name: "x", Kind: access.KindToken, Grant: access.Whole(access.History)}))
	defer cancel()
	handler := api.New(api.Options{Live: apply.NewLive(), Log: followed{end: cancel}})
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/audit?follow", nil))
	if told := w.Body.String(); strings.Count(told, `"sequence"`) != 1 {
		t.Errorf("the reader is told %s", told)
	}
}

// waiting is a log without anything new. Who follows it is told of on a channel.
type waiting struct {
	api.Log
	came chan struct{}
}

func (l waiting) Follow(ctx context.Context, _ uint64, _ func(audit.Entry) error) error {
	l.came <- struct{}{}
	<-ctx.Done()
	return ctx.Err()
}

// Nobody takes the places of others who want to follow the audit log, and those who leave make room.
func TestFollowersOfOneIdentity(t *testing.T) {
	var refused []string
	log := waiting{came: make(chan struct{})}
	handler := api.New(api.Options{Live: apply.NewLive(), Log: log, Refused: func(_ *access.Identity, _, code string) { refused = append(refused, code) }})
	var all sync.WaitGroup
	follow := func(kind access.Kind, name, address string) (answer *httptest.ResponseRecorder, end func()) {
		ctx, cancel := context.WithCancel(t.Context())
		who := &access.Identity{Name: name, Kind: kind, Grant: access.Whole(access.History)}
		r := httptest.NewRequestWithContext(access.NewContext(ctx, who), http.MethodGet, "/v1/audit?follow", nil)
		r.RemoteAddr = address
		w, done := httptest.NewRecorder(), make(chan struct{})
		all.Go(func() {
			defer close(done)
			handler.ServeHTTP(w, r)
		})
		select {
		case <-log.came:
			return nil, func() { cancel(); <-done }
		case <-done:
			cancel()
			return w, cancel
		}
	}
	const most = 4
	var end func()
	for range most {
		_, end = follow(access.KindToken, "one", "192.0.2.1:1")
	}
	answer, _ := follow(access.KindToken, "one", "192.0.2.2:1")
	if answer == nil || answer.Code != http.StatusTooManyRequests || !strings.Contains(answer.Body.String(), `"tooManyFollowersIdentity"`) || answer.Header().Get("Retry-After") == "" {
		t.Errorf("one more is answered with %v", answer)
	}
	end()
	if answer, _ := follow(access.KindToken, "one", "192.0.2.1:1"); answer != nil {
		t.Errorf("after one has gone the answer is %s", answer.Body)
	}
	for n := range 2 * most {
		answer, _ := follow(access.KindInsecure, "anyone", fmt.Sprintf("192.0.2.%d:1", n/most))
		if answer != nil {
			t.Errorf("the address of number %d is refused: %s", n, answer.Body)
		}
	}
	if answer, _ := follow(access.KindInsecure, "anyone", "192.0.2.1:2"); answer == nil || !strings.Contains(answer.Body.String(), `"tooManyFollowersIdentity"`) {
		t.Errorf("one address has more: %v", answer)
	}
	for range most {
		follow(access.KindToken, "two", "192.0.2.1:1")
	}
	if answer, _ := follow(access.KindToken, "three", "192.0.2.1:1"); answer == nil || !strings.Contains(answer.Body.String(), `"tooManyFollowers"`) {
		t.Errorf("beyond what the server takes: %v", answer)
	}
	if got := strings.Join(refused, " "); got != "tooManyFollowersIdentity tooManyFollowersIdentity tooManyFollowers" {
		t.Errorf("counted are %s", got)
	}
	handler.Stop()
	all.Wait() // all have ended
}
