package access

import "time"

// Bounds of what is kept and read.
const (
	// MaxEnvironments is how many environments one grant may name.
	MaxEnvironments = 64
	// MaxGrantPatterns is how many patterns one grant may hold.
	MaxGrantPatterns = 256
	// MaxTokens is how many tokens one file may hold, expired ones included.
	MaxTokens = 10_000

	maxTokenFile   = 16 << 20 // bytes
	maxTokenName   = 100
	maxDetailBytes = 1000                // of what goes on record of a token in one piece: the log keeps little more
	maxDetails     = 12                  // such pieces of its environments, and of its patterns; the last may be cut, and the record says so
	keepExpired    = 30 * 24 * time.Hour // before an expired token is dropped from the file
	lockPatience   = 5 * time.Second     // for a change of the token file, while another process changes it
	lockPause      = 10 * time.Millisecond
	usedEvery      = time.Minute     // what last uses are rounded down to
	flushUsedEvery = 5 * time.Minute // how often last uses are written

	pollEvery = 500 * time.Millisecond // how often changed files and expired credentials are looked for

	maxCredential = 16 << 10 // bytes of what follows Bearer

	maxSettings   = 1 << 20 // bytes of the file of JWT providers
	maxProviders  = 50
	maxAudiences  = 50
	maxRules      = 500         // of one provider
	maxConditions = 20          // of one rule
	maxMatchers   = 200         // of one condition
	maxClaimName  = 256         // bytes of a name made of claims
	maxLeeway     = time.Minute // for clocks that differ
	usualLeeway   = 30 * time.Second
	maxVerified   = 10_000 // JWTs whose signatures need not be checked again
	verifiedFor   = time.Minute
	maxJWKS       = 1 << 20 // bytes
	maxKeys       = 100     // of one issuer
	maxSameKid    = 4       // of them, that have the same name: each is tried with a signature
	minRSABits    = 2048
	maxKeyFailure = 300 // bytes of why keys cannot be had: it may quote what an issuer answers
	maxKeyWaiters = 64  // requests that wait for the keys of one issuer
	keyIDShown    = 12  // characters of a digest that names a JWT

	ticketLife         = 30 * time.Second
	maxTickets         = 100_000 // that wait to be used
	maxTicketsIdentity = 10_000  // of one identity, or of one address with a public token
	minTickets         = 1_000   // used ones, below which nothing is tidied up

	maxBuckets      = 100_000          // identities, or addresses, whose rates are kept apart
	maxRefusalKinds = 500              // that are told apart within a minute: each becomes a record, of a log that can be full
	sessionPatience = 10 * time.Second // after which a client that found no room may ask again
)

// keyTimes are those that a test shortens.
type keyTimes struct {
	fetch   time.Duration // for one fetch, from name lookup to the last byte
	refresh time.Duration // between fetches that went well
	retry   time.Duration // between fetches that failed, and least time between any two
	file    time.Duration // between looks at a file
	keep    time.Duration // how long keys serve that cannot be fetched again
	wait    time.Duration // of a request, for keys that may come
}

var usualKeyTimes = keyTimes{
	fetch: 10 * time.Second, refresh: 15 * time.Minute, retry: 10 * time.Second, file: time.Second, keep: 24 * time.Hour, wait: 3 * time.Second,
}

// Limits are what one identity and one address may take. A zero field means its default, a negative number none. Addresses of IPv6
// count by /64.
//
// Callers of this machine without a credential are not limited. Callers of this machine count by identity alone, because a proxy may
// stand there; who serves through one elsewhere raises the limits of an address. Requests with a public token, which any visitor of
// a page holds, count by address alone, so that none takes away from the others; so do its tickets.
type Limits struct {
	Requests        Rate // of an identity; default 1,000/s, 2,000 at once
	AddressRequests Rate // of an address; default 2,000/s, 4,000 at once
	Failures        Rate // of an address: answers that a credential is bad or missing; default 5/s, 50 at once
	Webhooks        Rate // of an address; default 20/s, 100 at once
	Sessions        int  // of an identity, at a time; default 50,000
	AddressSessions int  // of an address, at a time; default 20,000
	Patterns        int  // of an identity's sessions together; default 200,000
	AddressPatterns int  // of an address's sessions together; default 100,000
}

// Within is the limits of a server that can hold so many sessions: neither one identity nor one address may take them all.
func (l Limits) Within(sessions int) Limits {
	l = l.orUsual()
	bound := func(n *int, most int) {
		if *n >= 0 {
			*n = min(*n, max(most, 1))
		}
	}
	bound(&l.Sessions, sessions*3/4)
	bound(&l.AddressSessions, sessions/2)
	return l
}

// Rate bounds requests over time.
type Rate struct {
	PerSecond float64
	Burst     int // how many may come at once; default what comes in a second
}

var usualLimits = Limits{
	Requests: Rate{1_000, 2_000}, AddressRequests: Rate{2_000, 4_000}, Failures: Rate{5, 50}, Webhooks: Rate{20, 100},
	Sessions: 50_000, AddressSessions: 20_000, Patterns: 200_000, AddressPatterns: 100_000,
}

// orUsual fills in the defaults.
func (l Limits) orUsual() Limits {
	rate := func(r *Rate, usual Rate) {
		if r.PerSecond == 0 {
			*r = usual
		}
		if r.Burst <= 0 {
			r.Burst = max(int(r.PerSecond), 1)
		}
	}
	count := func(n *int, usual int) {
		if *n == 0 {
			*n = usual
		}
	}
	rate(&l.Requests, usualLimits.Requests)
	rate(&l.AddressRequests, usualLimits.AddressRequests)
	rate(&l.Failures, usualLimits.Failures)
	rate(&l.Webhooks, usualLimits.Webhooks)
	count(&l.Sessions, usualLimits.Sessions)
	count(&l.AddressSessions, usualLimits.AddressSessions)
	count(&l.Patterns, usualLimits.Patterns)
	count(&l.AddressPatterns, usualLimits.AddressPatterns)
	return l
}
