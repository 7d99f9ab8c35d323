package access

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"
)

// Refused is the error for a request that may not go on. The values are
// shared: do not change them.
type Refused struct {
	Status  int    // of the HTTP answer
	Reason  string // one of the Reason constants
	Message string // what is wrong, for people; holds nothing of the request
	Hint    string // what to do about it

	// RetryAfter is when to come again; zero where that would not help.
	RetryAfter time.Duration

	challenge string // of the header WWW-Authenticate
}

// Why a request was refused. The set is small and fixed, for metrics, and the
// codes in answers are the same.
const (
	ReasonPeer      = "peerNotLocal"
	ReasonHost      = "hostNotLocal"
	ReasonOrigin    = "originForeign"
	ReasonForwarded = "forwarded"

	ReasonMissing   = "credentialMissing"
	ReasonTwice     = "credentialTwice"     // more than one credential
	ReasonScheme    = "credentialScheme"    // not Bearer
	ReasonMalformed = "credentialMalformed" // cut, mistyped, too long, or none of ours
	ReasonInURL     = "credentialInURL"     // where it would be logged
	ReasonUnknown   = "tokenUnknown"        // never made, or revoked
	ReasonExpired   = "tokenExpired"
	ReasonOperator  = "operatorNotLocal" // the operator's token from elsewhere
	ReasonTicket    = "ticketUnknown"    // used, expired, never made, or of another page

	ReasonTicketless = "ticketNeedsCredential"

	ReasonJWTAlgorithm = "jwtAlgorithm"
	ReasonJWTIssuer    = "jwtIssuer"
	ReasonJWTKey       = "jwtKey" // signed by a key that the issuer does not publish
	ReasonJWTSignature = "jwtSignature"
	ReasonJWTAudience  = "jwtAudience"
	ReasonJWTExpired   = "jwtExpired"
	ReasonJWTEarly     = "jwtNotYetValid"
	ReasonJWTClaims    = "jwtNoGrant"         // genuine, but nothing is granted to it
	ReasonJWTKeys      = "jwtKeysUnavailable" // the issuer's keys are not at hand

	ReasonRight = "rightMissing"

	ReasonRequests        = "tooManyRequests" // of an identity
	ReasonAddressRequests = "tooManyRequestsAddress"
	ReasonFailures        = "tooManyFailures"
	ReasonWebhooks        = "tooManyWebhooks"
	ReasonSessions        = "tooManySessions" // of an identity
	ReasonAddressSessions = "tooManySessionsAddress"
	ReasonPatterns        = "tooManyPatterns" // of an identity
	ReasonAddressPatterns = "tooManyPatternsAddress"
	ReasonTickets         = "tooManyTickets"
)

func (r *Refused) Error() string { return r.Message }

// Write answers a request:
//
//	{"error": {"code": "hostNotLocal", "message": "…", "hint": "…"}}
func (r *Refused) Write(w http.ResponseWriter) {
	type body struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Hint    string `json:"hint"`
	}
	if r.challenge != "" {
		w.Header().Set("WWW-Authenticate", r.challenge)
	}
	if r.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(r.RetryAfter.Seconds()))))
	}
	if r.Reason == ReasonFailures {
		w.Header().Set("Connection", "close") // who only fails need not keep one
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(r.Status)
	// An error here means that the caller has gone; nothing is left to do.
	_ = json.NewEncoder(w).Encode(map[string]body{"error": {r.Reason, r.Message, r.Hint}})
}

// after is the same refusal with the time to come again, a second at least.
func (r *Refused) after(wait time.Duration) *Refused {
	later := *r
	later.RetryAfter = max(wait, time.Second)
	return &later
}

// The refusals are made once, so that refusing costs strangers more than us.
var (
	refusedPeer = &Refused{
		Status:  http.StatusForbidden,
		Reason:  ReasonPeer,
		Message: "only callers on the same machine may read without a credential",
		Hint:    "call from the machine the server runs on, or start the server with --insecure to let any address read",
	}
	// 421 rather than 403: the connection is good, the name is not one we
	// answer for, and a client may try another connection.
	refusedHost = &Refused{
		Status:  http.StatusMisdirectedRequest,
		Reason:  ReasonHost,
		Message: "the Host header is not a local name",
		Hint:    "use localhost, 127.0.0.1 or [::1] in the URL, or start the server with --insecure to answer to any name",
	}
	refusedOrigin = &Refused{
		Status:  http.StatusForbidden,
		Reason:  ReasonOrigin,
		Message: "a web page of another origin may not read this",
		Hint:    "open the page from this server or from localhost, under the name the server is called by",
	}
	refusedForwarded = &Refused{
		Status:  http.StatusForbidden,
		Reason:  ReasonForwarded,
		Message: "the request came through a proxy, so who sent it cannot be told",
		Hint:    "call the server directly, or start it with --insecure to let whoever reaches the proxy read",
	}
)

// What a server with credentials answers in place of the above: a credential
// would let these requests on.
var (
	missingCredential = &Refused{
		Status: http.StatusUnauthorized, Reason: ReasonMissing, Message: "this server asks everybody for a credential",
		Hint: "send a token as Authorization: Bearer tlk_…", challenge: "Bearer",
	}
	missingPeer      = credentialInstead(refusedPeer, "send a token as Authorization: Bearer tlk_…")
	missingForwarded = credentialInstead(refusedForwarded, "send a token as Authorization: Bearer tlk_…")
	unlistedOrigin   = &Refused{
		Status: refusedOrigin.Status, Reason: ReasonOrigin, Message: refusedOrigin.Message,
		Hint: "have the page's origin allowed with --cors-origins, and send a credential",
	}
)

func credentialInstead(r *Refused, hint string) *Refused {
	return &Refused{Status: http.StatusUnauthorized, Reason: r.Reason, Message: r.Message, Hint: hint, challenge: "Bearer"}
}

// badRequest, badCredential and tooMany are families that differ in reason and words alone.
func badRequest(reason, message, hint string) *Refused {
	return &Refused{
		Status: http.StatusBadRequest, Reason: reason, Message: message, Hint: hint, challenge: `Bearer error="invalid_request"`,
	}
}

func badCredential(reason, message, hint string) *Refused {
	return &Refused{
		Status: http.StatusUnauthorized, Reason: reason, Message: message, Hint: hint, challenge: `Bearer error="invalid_token"`,
	}
}

func tooMany(reason, message, hint string) *Refused {
	return &Refused{Status: http.StatusTooManyRequests, Reason: reason, Message: message, Hint: hint, RetryAfter: time.Second}
}

var (
	refusedTwice  = badRequest(ReasonTwice, "the request brings more than one credential", "send one, in one Authorization header")
	refusedInURL  = badRequest(ReasonInURL, "the URL holds a credential, which logs and histories keep", "send it as Authorization: Bearer …, and revoke this one")
	refusedScheme = badCredential(ReasonScheme, "the Authorization header is not of the scheme Bearer", "send Authorization: Bearer …")

	refusedMalformed = badCredential(ReasonMalformed, "the credential is not whole", "check that it was copied from end to end")
	refusedUnknown   = badCredential(ReasonUnknown, "the token is not known, or was revoked", "have a token made with: trunkline token new")
	refusedExpired   = badCredential(ReasonExpired, "the token has expired", "have a token made with: trunkline token new")
	refusedTicket    = badCredential(ReasonTicket, "the ticket was used, has expired, or is of another page", "get a new one for each connection")

	refusedAlgorithm = badCredential(ReasonJWTAlgorithm, "the JWT is signed by an algorithm that its issuer is not allowed", "see algorithms in the server's JWT settings")
	refusedIssuer    = badCredential(ReasonJWTIssuer, "the JWT's issuer is not one the server trusts", "see issuer in the server's JWT settings")
	refusedKey       = badCredential(ReasonJWTKey, "the JWT is signed by a key that its issuer does not publish", "get a new JWT from the issuer")
	refusedSignature = badCredential(ReasonJWTSignature, "the JWT's signature is not good", "get a new JWT from the issuer")
	refusedAudience  = badCredential(ReasonJWTAudience, "the JWT is meant for another audience", "ask the issuer for one of the audiences in the server's JWT settings")
	refusedOld       = badCredential(ReasonJWTExpired, "the JWT has expired", "get a new one from the issuer")
	refusedEarly     = badCredential(ReasonJWTEarly, "the JWT is not valid yet", "compare the clocks of the issuer and the server")

	refusedClaims = &Refused{
		Status: http.StatusForbidden, Reason: ReasonJWTClaims, Message: "nothing is granted to this JWT",
		Hint: "add a rule that its claims meet to the server's JWT settings", challenge: `Bearer error="insufficient_scope"`,
	}
	refusedKeys = &Refused{
		Status: http.StatusServiceUnavailable, Reason: ReasonJWTKeys, Message: "the keys of the JWT's issuer are not at hand",
		Hint: "try again in a moment", RetryAfter: 5 * time.Second,
	}
	refusedOperator = &Refused{
		Status: http.StatusForbidden, Reason: ReasonOperator, Message: "the operator's token serves on the server's machine alone",
		Hint: "call the server by 127.0.0.1 or [::1] there, or have a token made with: trunkline token new",
	}

	refusedTicketless = &Refused{
		Status: http.StatusForbidden, Reason: ReasonTicketless, Message: "a ticket stands in for a credential, and there is none",
		Hint: "call without a ticket, or send a token as Authorization: Bearer tlk_…", challenge: "Bearer",
	}

	refusedRequests        = tooMany(ReasonRequests, "too many requests with this credential", "send fewer, or follow changes with the stream")
	refusedAddressRequests = tooMany(ReasonAddressRequests, "too many requests from this address", "send fewer, or follow changes with the stream")
	refusedFailures        = tooMany(ReasonFailures, "too many bad credentials from this address", "mend the credential before trying again")
	refusedWebhooks        = tooMany(ReasonWebhooks, "too many webhooks from this address", "one for each push is enough")
	refusedSessions        = tooMany(ReasonSessions, "too many sessions with this credential", "close some, or use another credential").after(sessionPatience)
	refusedAddressSessions = tooMany(ReasonAddressSessions, "too many sessions from this address", "close some").after(sessionPatience)
	refusedPatterns        = tooMany(ReasonPatterns, "the sessions with this credential have too many patterns", "ask with fewer, wider ones").after(sessionPatience)
	refusedAddressPatterns = tooMany(ReasonAddressPatterns, "the sessions from this address have too many patterns", "ask with fewer, wider ones").after(sessionPatience)
	refusedTickets         = tooMany(ReasonTickets, "too many tickets wait to be used", "use them, or wait until they expire").after(ticketLife)
)

// NotGranted refuses what needs a right that the caller lacks.
func NotGranted(right Right) *Refused {
	return &Refused{
		Status: http.StatusForbidden, Reason: ReasonRight, Message: "this needs the right " + right.String(),
		Hint: "use a credential that has it", challenge: `Bearer error="insufficient_scope"`,
	}
}
