package access

import (
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/trunkline/trunkline/value"
)

// JWTOptions say what [JWTs] work with.
type JWTOptions struct {
	Log *slog.Logger
	// Fetched, if set, is told the outcome of each look at an issuer's keys: fetched, unchanged or failed.
	Fetched func(issuer, outcome string)
	// Changed, if set, is told what was changed in the file, whenever that is taken up. It must not block.
	Changed func([]Change)

	times keyTimes
}

// JWTs are JSON Web Tokens (RFC 7519) of the issuers that a settings file names, with the rules that map their claims to a name and a
// grant. Changes of the file are noticed within a second while [JWTs.Run] runs; sessions go on whose name and grant they leave
// alone. When the file cannot be read while it is in use, the settings read before stay, and [JWTs.Err] tells.
//
// Only the algorithms of the settings are good, and only with keys made for them, which come from the issuer's JSON Web Key Set and
// never from the JWT. A signature is checked once a minute and not with each request. All methods may be called from many goroutines.
type JWTs struct {
	file string
	o    JWTOptions

	settings atomic.Pointer[jwtSettings]
	verified verified
	lives    lifetimes

	mu   sync.Mutex // held from reading the file to taking up what it holds
	read os.FileInfo
	err  error
}

// jwtSettings are what the file held. They are never changed.
type jwtSettings struct {
	providers map[string]*provider // by issuer
}

// OpenJWTs reads the settings file, YAML, JSON or TOML by its name; docs/operate.md describes it. An error tells the file and the line.
// Keys are fetched by [JWTs.Run] alone.
func OpenJWTs(file string, o JWTOptions) (*JWTs, error) {
	if o.Fetched == nil {
		o.Fetched = func(string, string) {}
	}
	if o.Changed == nil {
		o.Changed = func([]Change) {}
	}
	if o.times == (keyTimes{}) {
		o.times = usualKeyTimes
	}
	j := &JWTs{file: file, o: o, verified: verified{most: maxVerified}}
	if err := j.load(); err != nil {
		return nil, err
	}
	return j, nil
}

// Err tells why the settings could not be read when the file was last looked at; nil when they could.
func (j *JWTs) Err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}

// load takes up the settings. Sources of keys that stay where they are stay themselves, with their keys. mu must be held, but by
// [OpenJWTs].
func (j *JWTs) load() error {
	before := map[string]*provider{}
	if s := j.settings.Load(); s != nil {
		before = s.providers
	}
	providers, info, err := readProviders(j.file, func(issuer string, at keyLocation) *keySource {
		if p := before[issuer]; p != nil && p.keys.at == at {
			return p.keys
		}
		return newKeySource(issuer, at, j.o.times, j.o.Log, j.o.Fetched)
	})
	if err != nil {
		return err
	}
	j.settings.Store(&jwtSettings{providers})
	j.read = info
	return nil
}

// Run fetches keys, takes up changed settings, and ends sessions whose JWTs expired or are granted something else, until ctx ends.
// [Guard.Run] calls it.
func (j *JWTs) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	stops := map[*keySource]context.CancelFunc{}
	ticks := time.NewTicker(pollEvery)
	defer ticks.Stop()
	for {
		j.follow(ctx, &running, stops)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticks.C:
		}
		j.poll()
		j.lives.tick(time.Now())
	}
}

// follow starts the sources of the present settings and stops the others.
func (j *JWTs) follow(ctx context.Context, running *sync.WaitGroup, stops map[*keySource]context.CancelFunc) {
	wanted := map[*keySource]bool{}
	for _, p := range j.settings.Load().providers {
		wanted[p.keys] = true
		if stops[p.keys] == nil {
			ctx, cancel := context.WithCancel(ctx)
			stops[p.keys] = cancel
			running.Go(func() { p.keys.run(ctx) })
		}
	}
	for source, stop := range stops {
		if !wanted[source] {
			stop()
			delete(stops, source)
		}
	}
}

// poll reads the settings again if the file has changed.
func (j *JWTs) poll() {
	var over endings
	var changes []Change
	defer func() {
		over.tell()
		if len(changes) > 0 {
			j.o.Changed(changes)
		}
	}()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err == nil && unchanged(j.file, j.read) {
		return
	}
	before := j.settings.Load().providers
	err := j.load()
	if err == nil {
		over, changes = j.lives.judged(), reissued(before, j.settings.Load().providers)
	} else if j.err == nil || j.err.Error() != err.Error() {
		j.o.Log.Error("the JWT settings cannot be read; those read before stay", "component", "access", "err", err)
	}
	j.err = err
}

// identify tells who has a JWT. It may wait for keys.
func (j *JWTs) identify(ctx context.Context, text string, now time.Time) (*Identity, *Refused) {
	d := digestOf(text)
	settings := j.settings.Load()
	if i := j.verified.find(&d, settings, now); i != nil {
		return i, nil
	}
	t, refused := parseJWT(text)
	if refused != nil {
		return nil, refused
	}
	p := settings.providers[t.issuer]
	if p == nil {
		return nil, refusedIssuer
	}
	set, refused := p.verify(ctx, t)
	if refused != nil {
		return nil, refused
	}
	expires, refused := p.window(t.claims, now)
	if refused != nil {
		return nil, refused
	}
	name, grant, refused := p.judge(t.claims)
	if refused != nil {
		return nil, refused
	}
	i := &Identity{Name: name, Kind: KindJWT, ID: hex.EncodeToString(d[:])[:keyIDShown], Grant: grant, Expires: expires, Claims: t.claims}
	i.life = j.lives.begin(i.Expires)
	i.life.judge = func() (End, bool) { return j.judgeAgain(i, p) }
	j.verified.keep(d, verifiedJWT{i, settings, p.keys, set, now.Add(verifiedFor)}, now)
	return i, nil
}

// judgeAgain tells whether the present settings make something else of a JWT that a provider of earlier ones let in.
func (j *JWTs) judgeAgain(i *Identity, was *provider) (End, bool) {
	p := j.settings.Load().providers[was.issuer]
	switch {
	case p == was:
		return "", false
	case p == nil:
		return Revoked, true
	}
	name, grant, refused := p.judge(i.Claims)
	switch {
	case refused != nil:
		return Revoked, true
	case p.keys != was.keys || name != i.Name || grant.Key() != i.Grant.Key():
		return Changed, true
	default:
		return "", false
	}
}

// parsedJWT is a JWT of which nothing has been verified.
type parsedJWT struct {
	jws    *jose.JSONWebSignature
	kid    string
	alg    jose.SignatureAlgorithm
	issuer string
	claims *value.Value
}

// parseJWT takes a JWT apart. Errors of the libraries are not passed on: they quote it.
func parseJWT(text string) (parsedJWT, *Refused) {
	jws, err := jose.ParseSignedCompact(text, signatures)
	var algorithm *jose.ErrUnexpectedSignatureAlgorithm
	if errors.As(err, &algorithm) {
		return parsedJWT{}, refusedAlgorithm
	}
	if err != nil {
		return parsedJWT{}, refusedMalformed
	}
	header := jws.Signatures[0].Protected
	claims, err := value.ParseJSON(jws.UnsafePayloadWithoutVerification())
	extended := header.ExtraHeaders["crit"] != nil || header.ExtraHeaders["b64"] != nil // RFC 7797 forbids the latter in a JWT
	if err != nil || claims.Kind() != value.Map || extended {
		return parsedJWT{}, refusedMalformed
	}
	issuer, _ := claims.Get("iss")
	if issuer == nil || issuer.Kind() != value.String {
		return parsedJWT{}, refusedIssuer
	}
	return parsedJWT{jws, header.KeyID, jose.SignatureAlgorithm(header.Algorithm), issuer.Str(), claims}, nil
}

// verify checks the signature, and returns the keys among which was the one that made it.
func (p *provider) verify(ctx context.Context, t parsedJWT) (*keySet, *Refused) {
	if !slices.Contains(p.algorithms, t.alg) {
		return nil, refusedAlgorithm
	}
	keys, set, refused := p.keys.find(ctx, t.kid, t.alg)
	if refused != nil {
		return nil, refused
	}
	for _, k := range keys {
		if _, err := t.jws.Verify(k.key); err == nil {
			return set, nil
		}
	}
	return nil, refusedSignature
}

// window checks the times of a JWT, and returns when it expires, leeway included.
func (p *provider) window(claims *value.Value, now time.Time) (expires time.Time, refused *Refused) {
	exp, ok := numericDate(claims, "exp")
	if !ok || exp.IsZero() { // without an end it could not be taken back
		return time.Time{}, refusedOld
	}
	expires = exp.Add(p.leeway)
	if !now.Before(expires) {
		return time.Time{}, refusedOld
	}
	for _, name := range []string{"nbf", "iat"} {
		if from, ok := numericDate(claims, name); !ok || now.Add(p.leeway).Before(from) {
			return time.Time{}, refusedEarly
		}
	}
	return expires, nil
}

// numericDate reads a time, which is zero when the claim is missing. It is not ok when it is no time of the years 1970 to 9999.
func numericDate(claims *value.Value, name string) (t time.Time, ok bool) {
	const last = 253402300799 // 9999-12-31T23:59:59Z
	v, found := claims.Get(name)
	if !found {
		return time.Time{}, true
	}
	seconds := v.Float()
	if v.Kind() != value.Int && v.Kind() != value.Float || seconds < 0 || seconds > last {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0), true
}

// addressed tells whether a JWT is meant for one of the audiences. They are compared as they are, without wildcards.
func (p *provider) addressed(claims *value.Value) bool {
	aud, _ := claims.Get("aud")
	if aud == nil {
		return false
	}
	if aud.Kind() == value.String {
		return slices.Contains(p.audiences, aud.Str())
	}
	return slices.ContainsFunc(aud.Entries(), func(e value.Entry) bool {
		return e.Key == "" && e.Value.Kind() == value.String && slices.Contains(p.audiences, e.Value.Str())
	})
}

// judge maps claims to a name and a grant: those of the first rule whose conditions they meet.
func (p *provider) judge(claims *value.Value) (name string, grant Grant, refused *Refused) {
	if !p.addressed(claims) {
		return "", Grant{}, refusedAudience
	}
	if !allMet(p.require, claims) {
		return "", Grant{}, refusedClaims
	}
	for _, r := range p.rules {
		if !allMet(r.when, claims) {
			continue
		}
		name, ok := r.name.name(claims)
		if !ok {
			return "", Grant{}, refusedClaims
		}
		return p.prefix + name, r.grant, nil
	}
	return "", Grant{}, refusedClaims
}
