package api

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/audit"
)

// Tokens are those that operators make and revoke; [access.Tokens] is one.
type Tokens interface {
	New(access.TokenOptions) (text string, made access.Token, err error)
	List() []access.Token
	Revoke(idOrName string) ([]access.Token, error)
}

// NewToken is the body of POST /v1/tokens.
type NewToken struct {
	Name    string       `json:"name"`
	Grant   access.Grant `json:"grant"`
	Expires time.Time    `json:"expires,omitzero"` // never without it
}

// MadeToken is the answer of POST /v1/tokens. It is the only one that holds the token.
type MadeToken struct {
	Text string `json:"token"`
	access.Token
}

// TokenList is the answer of GET and DELETE /v1/tokens.
type TokenList struct {
	Tokens []access.Token `json:"tokens"`
}

func (a *api) newToken(w http.ResponseWriter, r *http.Request) {
	var asked NewToken
	if refused := body(w, r, &asked); refused != nil {
		refused.write(w)
		return
	}
	who := access.FromContext(r.Context())
	if !who.Grant.Covers(asked.Grant) {
		(&problem{http.StatusForbidden, "forbidden", "the token would be granted more than the credential that asks for it", "grant it less, or ask an operator"}).write(w)
		return
	}
	if refused := outlives(asked.Expires, who.Expires); refused != nil {
		refused.write(w)
		return
	}
	text, made, err := a.o.Tokens.New(access.TokenOptions{Name: asked.Name, Grant: asked.Grant, Expires: asked.Expires})
	if err != nil {
		a.unmade(err).write(w)
		return
	}
	a.note(r, audit.Event{Kind: "credential", Reason: "made", Details: made.Recorded()})
	writeJSON(w, http.StatusCreated, MadeToken{text, made})
}

// outlives refuses a token that would be good for longer than the credential by which it is made: whoever has that would have it for ever.
func outlives(expires, maker time.Time) *problem {
	if maker.IsZero() || !expires.IsZero() && !expires.After(maker) {
		return nil
	}
	end := maker.UTC().Format(time.RFC3339)
	return &problem{
		http.StatusForbidden, "forbidden", "the token would outlive the credential that asks for it, which expires at " + end,
		"let it expire no later, or ask an operator whose credential does not expire",
	}
}

// unmade tells why a token could not be made: what is wrong with it, or else what its maker cannot mend, which is for the log.
func (a *api) unmade(err error) *problem {
	var wrong *access.TokenError
	if errors.As(err, &wrong) {
		return &problem{http.StatusBadRequest, "badToken", wrong.Error(), "see operate.md for what a token can be granted"}
	}
	a.o.Slog.Error("a token cannot be made", "component", "api", "err", err)
	return &problem{http.StatusServiceUnavailable, "notMade", "the token could not be made", "try again in a moment; the server's log says why"}
}

func (a *api) tokens(w http.ResponseWriter, r *http.Request) {
	who := access.FromContext(r.Context())
	list := slices.DeleteFunc(a.o.Tokens.List(), func(t access.Token) bool { return !who.Grant.Covers(t.Grant) })
	writeJSON(w, http.StatusOK, TokenList{append([]access.Token{}, list...)})
}

func (a *api) revokeToken(w http.ResponseWriter, r *http.Request) {
	revoked, err := a.revoke(r.PathValue("name"), access.FromContext(r.Context()))
	for _, t := range revoked {
		a.note(r, audit.Event{Kind: "credential", Reason: "revoked", Details: t.Recorded()})
	}
	switch {
	case errors.Is(err, access.ErrUnknownToken):
		(&problem{http.StatusNotFound, "unknownToken", err.Error(), "see GET /v1/tokens"}).write(w)
	case err != nil:
		a.o.Slog.Error("a token cannot be revoked", "component", "api", "err", err)
		(&problem{http.StatusServiceUnavailable, "notRevoked", "the token could not be revoked", "try again in a moment; the server's log says why"}).write(w)
	default:
		writeJSON(w, http.StatusOK, TokenList{revoked})
	}
}

// revoke revokes the token with an ID, or else all that have a name, one by one: those that are granted more than who asks are as if they
// were not there, also where one has the name of another that is not.
func (a *api) revoke(idOrName string, who *access.Identity) (revoked []access.Token, err error) {
	list := slices.DeleteFunc(a.o.Tokens.List(), func(t access.Token) bool {
		return t.ID != idOrName && t.Name != idOrName || !who.Grant.Covers(t.Grant)
	})
	if i := slices.IndexFunc(list, func(t access.Token) bool { return t.ID == idOrName }); i >= 0 {
		list = list[i : i+1]
	}
	for _, t := range list {
		gone, err := a.o.Tokens.Revoke(t.ID)
		if err != nil && !errors.Is(err, access.ErrUnknownToken) { // another request was faster
			return revoked, err
		}
		revoked = append(revoked, gone...)
	}
	if len(revoked) == 0 {
		return nil, access.ErrUnknownToken
	}
	return revoked, nil
}
