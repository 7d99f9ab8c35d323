package server

import (
	"cmp"
	"fmt"
	"path/filepath"

	"github.com/trunkline/trunkline/access"
)

// credentials are what callers may show.
type credentials struct {
	guard  *access.Guard
	tokens *access.Tokens
}

func (s *Server) credentials() (*credentials, error) {
	tokens, err := access.OpenTokens(cmp.Or(s.settings.TokensFile, filepath.Join(s.settings.Data, "tokens.json")), s.log)
	if err != nil {
		return nil, fmt.Errorf("tokens: %w", err)
	}
	o := access.GuardOptions{
		Insecure: s.settings.Insecure, CredentialsOnly: s.settings.CredentialsOnly, Tokens: tokens, Origins: s.settings.CORSOrigins, Report: s.reportRefusals,
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
	return &credentials{guard: access.NewGuard(o), tokens: tokens}, nil
}

// reportRefusals tells of what was refused within a minute, added up.
func (s *Server) reportRefusals(list []access.Refusal) {
	for _, r := range list {
		s.log.Info("refused", "component", "access", "reason", r.Reason, "identity", r.Identity, "network", r.Network, "count", r.Count)
	}
}
