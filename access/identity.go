package access

import (
	"context"
	"log/slog"
	"time"

	"github.com/trunkline/trunkline/value"
)

// Kind is how a caller was told.
type Kind string

// The kinds.
const (
	KindNobody   Kind = "nobody"   // no guard has judged
	KindToken    Kind = "token"    // by a token of [Tokens]
	KindJWT      Kind = "jwt"      // by a JSON Web Token
	KindOperator Kind = "operator" // by the operator's token
	KindLocal    Kind = "local"    // without a credential, from this machine
	KindInsecure Kind = "insecure" // without a credential, by a server that lets anybody read
)

// Identity is who asks. To all but its guard it is immutable; it is shared by the requests with the same credential, and holds nothing secret.
type Identity struct {
	Name    string // of the token, or made of a JWT's claims, after ISSUER# where there are several; who takes over from another has the same
	Kind    Kind
	ID      string // of the one credential: a token's ID, or the beginning of a JWT's digest; else empty
	Grant   Grant
	Expires time.Time    // zero: never
	Claims  *value.Value // of a JWT, a map; else nil

	life     *lifetime // nil where it does not end while the server runs
	requests *bucket   // what the guard counts them by, under its limiter's lock
}

// String names who asks, for logs, records and limits: token:checkout.
func (i *Identity) String() string { return string(i.Kind) + ":" + i.Name }

// identityKey tells identities apart without making a string of them.
type identityKey struct {
	kind Kind
	name string
}

func (i *Identity) key() identityKey { return identityKey{i.Kind, i.Name} }

func (i *Identity) expired(now time.Time) bool { return !i.Expires.IsZero() && !now.Before(i.Expires) }

// over tells whether the credential has ended, for whichever reason.
func (i *Identity) over(now time.Time) bool { return i.expired(now) || i.life != nil && i.life.over() }

// authenticated tells whether there was a credential.
func (i *Identity) authenticated() bool {
	return i.Kind == KindToken || i.Kind == KindJWT || i.Kind == KindOperator
}

// apart tells whether what the credential does is counted by its name: a public token is any visitor's of a page, and without one there is
// none.
func (i *Identity) apart() bool { return i.authenticated() && !i.Grant.Public() }

// LogValue keeps claims out of logs.
func (i *Identity) LogValue() slog.Value { return slog.StringValue(i.String()) }

// OnEnd has f called once when the credential ends: revoked, expired, or granted something else. f is called for one session after
// the other, so it must not block; if the credential has ended already, it is called before OnEnd returns. stop takes f back, and
// reports whether it did so before f was called; who no longer waits must call it.
func (i *Identity) OnEnd(f func(End)) (stop func() bool) {
	if i.life == nil {
		return func() bool { return true }
	}
	return i.life.onEnd(f)
}

// nobody is who is not known, and granted nothing.
var nobody = &Identity{Kind: KindNobody}

// Callers without a credential. They read what is not sensitive, with its history.
var (
	local    = &Identity{Name: "anyone", Kind: KindLocal, Grant: Whole(History)}
	insecure = &Identity{Name: "anyone", Kind: KindInsecure, Grant: Whole(History)}
)

type contextKey struct{}

// NewContext returns a context that carries who asks.
func NewContext(ctx context.Context, i *Identity) context.Context {
	return context.WithValue(ctx, contextKey{}, i)
}

// FromContext returns who asks. Where no guard has judged it is an identity that is granted nothing, never nil.
func FromContext(ctx context.Context) *Identity {
	if i, ok := ctx.Value(contextKey{}).(*Identity); ok {
		return i
	}
	return nobody
}
