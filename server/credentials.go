package server

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/audit"
)

// credentials are what callers may show.
type credentials struct {
	guard   *access.Guard
	tokens  *access.Tokens
	reveals *reveals
}

func (s *Server) credentials(log *audit.Log) (*credentials, error) {
	tokens, err := access.OpenTokens(cmp.Or(s.settings.TokensFile, filepath.Join(s.settings.Data, "tokens.json")), s.log)
	if err != nil {
		return nil, fmt.Errorf("tokens: %w", err)
	}
	o := access.GuardOptions{
		Insecure: s.settings.Insecure, CredentialsOnly: s.settings.CredentialsOnly, Tokens: tokens, Origins: s.settings.CORSOrigins, Report: func(list []access.Refusal) { s.reportRefusals(log, list) },
		Observe: func(reason string) { s.metrics.refused.WithLabelValues(reason).Inc() },
	}
	if s.settings.JWTFile != "" {
		o.JWTs, err = access.OpenJWTs(s.settings.JWTFile, access.JWTOptions{
			Log: s.log, Fetched: func(issuer, outcome string) { s.metrics.jwks.WithLabelValues(issuer, outcome).Inc() },
		})
		if err != nil {
			return nil, fmt.Errorf("--jwt-file: %w", err)
		}
	}
	if o.Operator, err = access.NewOperator(s.settings.Data); err != nil {
		return nil, err
	}
	return &credentials{guard: access.NewGuard(o), tokens: tokens, reveals: newReveals(func(events []audit.Event) { s.note(log, events) })}, nil
}

// notePatience is how long notes may take together. What the log does not take in time follows.
const notePatience = 2 * time.Second

// note puts on record what nobody waits for.
func (s *Server) note(log *audit.Log, events []audit.Event) {
	ctx, cancel := s.ending.patience(notePatience, stopNotes)
	defer cancel()
	for _, e := range events {
		_ = log.Note(ctx, e) // the log itself tells that it is behind
	}
}

// reportRefusals puts on record what was refused within a minute, added up.
func (s *Server) reportRefusals(log *audit.Log, list []access.Refusal) {
	events := make([]audit.Event, len(list))
	for i, r := range list {
		s.log.Info("refused", "component", "access", "reason", r.Reason, "identity", r.Identity, "network", r.Network, "count", r.Count)
		events[i] = audit.Event{
			Kind: "refusal", At: r.Minute, By: r.Identity, Reason: r.Reason,
			Details: map[string]string{"network": r.Network.String(), "count": strconv.Itoa(r.Count)},
		}
	}
	s.note(log, events)
}

// reveals adds up, by the minute, who was shown which sensitive values.
type reveals struct {
	note   func([]audit.Event)
	mu     sync.Mutex
	counts map[revealed]int
	lost   int // beyond maxReveals
}

type revealed struct{ by, env, path string }

const (
	maxReveals  = 1000 // that are told apart within a minute
	revealEvery = time.Minute
)

func newReveals(note func([]audit.Event)) *reveals {
	return &reveals{note: note, counts: map[revealed]int{}}
}

func (r *reveals) add(who *access.Identity, env, path string) {
	key := revealed{who.String(), env, path}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.counts[key]; !known && len(r.counts) >= maxReveals {
		r.lost++
		return
	}
	r.counts[key]++
}

// run puts them on record until ctx ends, and then what is left.
func (r *reveals) run(ctx context.Context) error {
	ticks := time.NewTicker(revealEvery)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			r.flush()
			return ctx.Err()
		case <-ticks.C:
			r.flush()
		}
	}
}

func (r *reveals) flush() {
	r.mu.Lock()
	counts, lost := r.counts, r.lost
	r.counts, r.lost = map[revealed]int{}, 0
	r.mu.Unlock()
	var events []audit.Event
	for key, n := range counts {
		events = append(events, audit.Event{
			Kind: "reveal", By: key.by, Environment: key.env, Details: map[string]string{audit.DetailPath: key.path, "count": strconv.Itoa(n)},
		})
	}
	if lost > 0 {
		events = append(events, audit.Event{
			Kind: "reveal", Reason: "more reads of sensitive values than are told apart", Details: map[string]string{"count": strconv.Itoa(lost)},
		})
	}
	r.note(events)
}
