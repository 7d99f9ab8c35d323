package access

import "time"

// For tests alone.
var (
	WellFormed = wellFormed
	Glob       = glob
	NewToken   = newToken
	ParseKeys  = parseKeys
)

const (
	MaxBuckets         = maxBuckets
	MaxCredential      = maxCredential
	MaxTickets         = maxTickets
	MaxTicketsIdentity = maxTicketsIdentity
	MaxSameKid         = maxSameKid
	MaxRefusalKinds    = maxRefusalKinds
	TokenLength        = tokenLength
)

// KeyTimes are the times of fetching keys.
type KeyTimes struct{ Fetch, Refresh, Retry, File, Keep, Wait time.Duration }

// With is o with times that a test shortens; a zero one stays.
func (o JWTOptions) With(t KeyTimes) JWTOptions {
	times := usualKeyTimes
	for _, set := range []struct {
		to   *time.Duration
		from time.Duration
	}{{&times.fetch, t.Fetch}, {&times.refresh, t.Refresh}, {&times.retry, t.Retry}, {&times.file, t.File}, {&times.keep, t.Keep}, {&times.wait, t.Wait}} {
		if set.from != 0 {
			*set.to = set.from
		}
	}
	o.times = times
	return o
}

// ParseProviders reads JWT settings as a file of the name.
func ParseProviders(file string, data []byte) error {
	_, err := parseProviders(file, data, func(string, keyLocation) *keySource { return nil })
	return err
}

// ParseTokens reads a token file.
func ParseTokens(data []byte) error {
	_, err := parseTokens(data)
	return err
}

// SetMaxVerified sets how many JWTs are remembered.
func (j *JWTs) SetMaxVerified(n int) { j.verified.most = n }

// TicketsKept is how many tickets take memory.
func (g *Guard) TicketsKept() int {
	g.tickets.mu.Lock()
	defer g.tickets.mu.Unlock()
	return max(len(g.tickets.queue), len(g.tickets.open))
}

// ForgetFull forgets the identities whose buckets are full.
func (g *Guard) ForgetFull() {
	b := g.limiter.requests
	b.mu.Lock()
	defer b.mu.Unlock()
	b.swept = time.Time{}
	b.sweep(time.Now())
}
