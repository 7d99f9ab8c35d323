package server

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strconv"
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
	changed := func(list []access.Change) { s.noteChanges(log, list) }
	tokens.OnChange(changed)
	o := access.GuardOptions{
		Insecure: s.settings.Insecure, CredentialsOnly: s.settings.CredentialsOnly, Tokens: tokens, Origins: s.settings.CORSOrigins,
		Report: func(list []access.Refusal) { s.reportRefusals(log, list) },
		Limits: access.Limits{}.Within(s.bounds.sessions), Observe: func(reason string) { s.metrics.refused.WithLabelValues(reason).Inc() },
	}
	if s.settings.JWTFile != "" {
		o.JWTs, err = access.OpenJWTs(s.settings.JWTFile, access.JWTOptions{
			Log: s.log, Changed: changed, Fetched: func(issuer, outcome string) { s.metrics.jwks.WithLabelValues(issuer, outcome).Inc() },
		})
		if err != nil {
			return nil, fmt.Errorf("--jwt-file: %w", err)
		}
	}
	if o.Operator, err = access.NewOperator(s.settings.Data); err != nil {
		return nil, err
	}
	return &credentials{guard: access.NewGuard(o), tokens: tokens, reveals: newReveals(func(events []audit.Event) { s.note(log, events, notePatience) })}, nil
}

// note puts on record what nobody waits for.
func (s *Server) note(log *audit.Log, events []audit.Event, patience time.Duration) {
	ctx, cancel := s.ending.patience(patience, stopNotes)
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
	s.note(log, events, notePatience)
}

// noteChanges puts on record what was changed in the files of credentials. By whom is not known.
func (s *Server) noteChanges(log *audit.Log, list []access.Change) {
	events := make([]audit.Event, len(list))
	for i, c := range list {
		events[i] = audit.Event{Kind: "credential", Reason: c.What + " in the server's files", Details: c.Details}
	}
	s.note(log, events, changePatience)
}
