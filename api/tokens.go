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
	if !access.FromContext(r.Context()).Grant.Covers(asked.Grant) {
		(&problem{http.StatusForbidden, "forbidden", "the token would be granted more than the credential that asks for it", "grant it less, or ask an operator"}).write(w)
		return
	}
	text, made, err := a.o.Tokens.New(access.TokenOptions{Name: asked.Name, Grant: asked.Grant, Expires: asked.Expires})
	if err != nil {
		(&problem{http.StatusBadRequest, "badToken", err.Error(), "see operate.md for what a token can be granted"}).write(w)
		return
	}
	a.note(r, audit.Event{Kind: "credential", Reason: "made", Details: map[string]string{"token": made.ID, "name": made.Name}})
	writeJSON(w, http.StatusCreated, MadeToken{text, made})
}

func (a *api) tokens(w http.ResponseWriter, r *http.Request) {
	who := access.FromContext(r.Context())
	list := slices.DeleteFunc(a.o.Tokens.List(), func(t access.Token) bool { return !who.Grant.Covers(t.Grant) })
	writeJSON(w, http.StatusOK, TokenList{append([]access.Token{}, list...)})
}

func (a *api) revokeToken(w http.ResponseWriter, r *http.Request) {
	name, who := r.PathValue("name"), access.FromContext(r.Context())
	beyond := slices.ContainsFunc(a.o.Tokens.List(), func(t access.Token) bool {
		return (t.ID == name || t.Name == name) && !who.Grant.Covers(t.Grant)
	})
	revoked, err := []access.Token(nil), access.ErrUnknownToken
	if !beyond { // what is granted more is as if it were not there
		revoked, err = a.o.Tokens.Revoke(name)
	}
	switch {
	case errors.Is(err, access.ErrUnknownToken):
		(&problem{http.StatusNotFound, "unknownToken", err.Error(), "see GET /v1/tokens"}).write(w)
	case err != nil:
		(&problem{http.StatusServiceUnavailable, "notRevoked", "the token could not be revoked", "try again in a moment; the server's log says why"}).write(w)
	default:
		for _, t := range revoked {
			a.note(r, audit.Event{Kind: "credential", Reason: "revoked", Details: map[string]string{"token": t.ID, "name": t.Name}})
		}
		writeJSON(w, http.StatusOK, TokenList{revoked})
	}
}
