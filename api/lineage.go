package api

import (
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/gitsync"
)

// Lineage tells what a commit takes back in an environment.
type Lineage struct {
	Kind    apply.LineageKind `json:"kind"`
	Version string            `json:"version,omitempty"` // whose content a rollback restores
	First   string            `json:"first,omitempty"`   // the oldest commit that is taken back
	Last    string            `json:"last,omitempty"`    // the newest; the same when it is one
	Paths   []string          `json:"paths,omitempty"`   // the values that a partial revert takes back
	Claim   *Claim            `json:"claim,omitempty"`
	// Confirmed: the content bears out what the message says.
	Confirmed bool `json:"confirmed"`
}

// Claim is what a commit's message says that it takes back.
type Claim struct {
	Reapply bool     `json:"reapply,omitempty"` // it takes back a taking back
	Commits []string `json:"commits,omitempty"` // as they are written
	Subject string   `json:"subject,omitempty"` // that the message quotes
}

// lineageOf is nil where there is none.
func lineageOf(l *apply.Lineage) *Lineage {
	if l == nil {
		return nil
	}
	out := &Lineage{Kind: l.Kind, Version: nameOf(l.Version), First: nameOf(l.First), Last: nameOf(l.Last), Paths: l.Paths, Confirmed: l.Confirmed}
	if l.Claim != nil {
		out.Claim = &Claim{l.Claim.Reapply, l.Claim.Commits, l.Claim.Subject}
	}
	return out
}

// nameOf is a commit's name; empty for none.
func nameOf(h gitsync.Hash) string {
	if h.IsZero() {
		return ""
	}
	return h.String()
}
