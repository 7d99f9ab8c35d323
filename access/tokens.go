package access

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Token describes a token without its text.
type Token struct {
	ID       string    `json:"id"`   // a part of the text that is no secret
	Name     string    `json:"name"` // several may have the same: old and new, while one takes over from the other
	Grant    Grant     `json:"grant"`
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires,omitzero"`  // zero: never
	LastUsed time.Time `json:"lastUsed,omitzero"` // by a request or an open stream, to the minute, and up to five minutes late in other processes; zero: never
}

// Recorded is what is to know of the token, as it goes on record: what takes more than one detail goes on in environments2, patterns2 and so on.
func (t Token) Recorded() map[string]string {
	expires := "never"
	if !t.Expires.IsZero() {
		expires = t.Expires.Format(time.RFC3339)
	}
	details := map[string]string{
		"token": t.ID, "name": t.Name, "expires": expires, "public": strconv.FormatBool(t.Grant.public), "rights": strings.Join(t.Grant.rights.Names(), " "),
	}
	patterns := make([]string, len(t.Grant.patterns))
	for i, p := range t.Grant.patterns {
		patterns[i] = p.String()
	}
	spread(details, "environments", t.Grant.environments)
	spread(details, "patterns", patterns)
	return details
}

// spread puts words into as many details of a record as they take, up to maxDetails.
func spread(details map[string]string, name string, words []string) {
	key := name
	for n := 1; len(words) > 0; {
		longer := strings.TrimPrefix(details[key]+" "+words[0], " ")
		if len(longer) > maxDetailBytes && details[key] != "" && n < maxDetails {
			n++
			key = name + strconv.Itoa(n)
			continue
		}
		details[key], words = longer, words[1:]
	}
}

// TokenOptions say what a new token is to be.
type TokenOptions struct {
	Name    string
	Grant   Grant
	Expires time.Time // to the second; zero: never
}

// ErrUnknownToken is the error when no token has a name or an ID.
var ErrUnknownToken = errors.New("no token has this name or ID")

// TokenError is the error of [Tokens.New] for a token that cannot be as it is asked for. Any other is the server's own.
type TokenError struct{ what string }

func (e *TokenError) Error() string { return e.what }

// Tokens are those of one file. Several processes may use it at a time: the server that looks tokens up and notices changes within
// a second while [Tokens.Run] runs, and commands that make and revoke them. It holds digests alone. All methods may be called from
// many goroutines.
//
// When the file cannot be read while it is in use, the tokens read before stay, and [Tokens.Err] tells. A file that is removed
// revokes all of its tokens.
type Tokens struct {
	file     string
	log      *slog.Logger
	onChange func([]Change) // nil where nobody asks

	known atomic.Pointer[map[string]*knownToken] // by ID; the map is never changed
	used  atomic.Bool                            // there are last uses that the file does not have
	lives lifetimes

	mu   sync.Mutex  // held from reading the file to taking up what it holds
	read os.FileInfo // the file that known is of; nil when there was none
	err  error       // why the file could not be read
}

// knownToken is one token as requests find it.
type knownToken struct {
	record   tokenRecord
	digest   digest
	identity *Identity
	used     atomic.Int64 // Unix time; 0: never
}

// OpenTokens reads the tokens of a file; there are none when it does not exist. A file that others than its owner may read, or that
// cannot be taken whole, is an error.
func OpenTokens(file string, log *slog.Logger) (*Tokens, error) {
	t := &Tokens{file: file, log: log}
	t.known.Store(&map[string]*knownToken{})
	records, info, err := readTokens(file)
	if err != nil {
		return nil, err
	}
	_ = t.take(records, info) // nothing was known before
	return t, nil
}

// OnChange has f told what other processes changed in the file, whenever that is taken up. It is called before Run, and f must not block.
func (t *Tokens) OnChange(f func([]Change)) { t.onChange = f }

// tell hands on what other processes changed. No lock may be held.
func (t *Tokens) tell(changes []Change) {
	if len(changes) > 0 && t.onChange != nil {
		t.onChange(changes)
	}
}

// New makes a token. Its text is told this once and kept nowhere.
func (t *Tokens) New(o TokenOptions) (text string, made Token, err error) {
	if err := checkTokenName(o.Name); err != nil {
		return "", Token{}, &TokenError{err.Error()}
	}
	now := time.Now().UTC().Truncate(time.Second)
	expires := o.Expires.UTC().Truncate(time.Second)
	switch {
	case o.Grant.Key() == "":
		return "", Token{}, &TokenError{"a token needs a grant"}
	case !o.Expires.IsZero() && !expires.After(now):
		return "", Token{}, &TokenError{"the token would have expired already"}
	case o.Expires.IsZero():
		expires = time.Time{}
	}
	text, id, d := newToken()
	r := tokenRecord{ID: id, Name: o.Name, SHA256: hex.EncodeToString(d[:]), Grant: o.Grant, Created: now, Expires: expires}
	err = t.change(lockPatience, func(records []tokenRecord) ([]tokenRecord, error) {
		if len(records) >= MaxTokens {
			return nil, &TokenError{fmt.Sprintf("there are %d tokens already: revoke some", len(records))}
		}
		return append(records, r), nil
	})
	if err != nil {
		return "", Token{}, err
	}
	return text, r.token(r.LastUsed), nil
}

// Revoke removes the token with an ID, or else all that have a name, and returns them. Sessions with them end within a second, in
// this process before it returns. The error is [ErrUnknownToken] when there is none.
func (t *Tokens) Revoke(idOrName string) ([]Token, error) {
	var revoked []Token
	err := t.change(lockPatience, func(records []tokenRecord) ([]tokenRecord, error) {
		isID := slices.ContainsFunc(records, func(r tokenRecord) bool { return r.ID == idOrName })
		kept := slices.DeleteFunc(records, func(r tokenRecord) bool {
			gone := r.ID == idOrName || !isID && r.Name == idOrName
			if gone {
				revoked = append(revoked, r.token(r.LastUsed))
			}
			return gone
		})
		if len(revoked) == 0 {
			return nil, ErrUnknownToken
		}
		return kept, nil
	})
	if err != nil {
		return nil, err
	}
	return revoked, nil
}

// List describes all tokens, by name and then by age. Expired ones are among them for 30 days, or until something else changes.
func (t *Tokens) List() []Token {
	t.useOpen(time.Now())
	var list []Token
	for _, k := range *t.known.Load() {
		list = append(list, k.record.token(k.lastUsed()))
	}
	slices.SortFunc(list, func(a, b Token) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), a.Created.Compare(b.Created), strings.Compare(a.ID, b.ID))
	})
	return list
}

// Err tells why the file could not be read when it was last looked at; nil when it could.
func (t *Tokens) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// Run takes up changes of the file, ends sessions whose tokens were revoked, changed or expired, and writes when tokens were last used,
// until ctx ends. [Guard.Run] calls it.
func (t *Tokens) Run(ctx context.Context) error {
	ticks := time.NewTicker(pollEvery)
	defer ticks.Stop()
	flushed := time.Now()
	for {
		select {
		case <-ctx.Done():
			t.flush(lockPatience)
			return ctx.Err()
		case <-ticks.C:
		}
		now := time.Now()
		t.poll()
		t.lives.tick(now)
		if now.Sub(flushed) >= flushUsedEvery {
			t.flush(0) // whatever waited for another process would hold up what revokes
			flushed = now
		}
	}
}

// identify tells who has a token, which must be well formed.
func (t *Tokens) identify(text string, now time.Time) (*Identity, *Refused) {
	k, d := (*t.known.Load())[idOf(text)], tokenDigest(text)
	switch {
	case k == nil || !k.digest.is(&d):
		return nil, refusedUnknown
	case k.identity.expired(now):
		return nil, refusedExpired
	}
	t.use(k, now)
	return k.identity, nil
}

// use notes that a token is used.
func (t *Tokens) use(k *knownToken, now time.Time) {
	if minute := now.Truncate(usedEvery).Unix(); minute > k.used.Load() {
		k.used.Store(minute)
		t.used.Store(true)
	}
}

// useOpen notes that the tokens of open sessions are used: who revokes what seems unused would end them.
func (t *Tokens) useOpen(now time.Time) {
	for _, k := range *t.known.Load() {
		if k.identity.life.waited() {
			t.use(k, now)
		}
	}
}

// poll reads the file again if it has changed.
func (t *Tokens) poll() {
	var over endings
	var changes []Change
	defer func() { over.tell(); t.tell(changes) }()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil && unchanged(t.file, t.read) {
		return
	}
	records, info, err := readTokens(t.file)
	if err == nil {
		changes = edited(*t.known.Load(), records, time.Now())
		over = t.take(records, info)
	} else if t.err == nil || t.err.Error() != err.Error() {
		t.log.Error("the tokens cannot be read; those read before stay", "component", "access", "err", err)
	}
	t.err = err
}

// flush writes when tokens were last used. What cannot be written now is written the next time.
func (t *Tokens) flush(patience time.Duration) {
	t.useOpen(time.Now())
	if !t.used.Swap(false) {
		return
	}
	err := t.change(patience, func(records []tokenRecord) ([]tokenRecord, error) {
		for i, r := range records {
			if k := (*t.known.Load())[r.ID]; k != nil && k.lastUsed().After(r.LastUsed) {
				records[i].LastUsed = k.lastUsed()
			}
		}
		return records, nil
	})
	if err != nil {
		t.used.Store(true)
		t.log.Warn("when tokens were last used cannot be written; it is tried again", "component", "access", "err", err)
	}
}

// change edits the file as it is now, and takes up what it holds then. It waits so long for other processes.
func (t *Tokens) change(patience time.Duration, edit func([]tokenRecord) ([]tokenRecord, error)) error {
	unlock, err := t.lock(patience)
	if err != nil {
		return err
	}
	defer unlock()
	var over endings
	var changes []Change
	defer func() { over.tell(); t.tell(changes) }()
	t.mu.Lock()
	defer t.mu.Unlock()
	records, _, err := readTokens(t.file)
	if err != nil {
		return err
	}
	others := edited(*t.known.Load(), records, time.Now())
	if records, err = edit(records); err != nil {
		return err
	}
	old := time.Now().Add(-keepExpired)
	records = slices.DeleteFunc(records, func(r tokenRecord) bool { return !r.Expires.IsZero() && r.Expires.Before(old) })
	info, err := writeTokens(t.file, records)
	if info != nil {
		changes = others
		over = t.take(records, info) // it is in place even if it may not survive a crash of the machine
	}
	return err
}

func (t *Tokens) lock(patience time.Duration) (unlock func(), err error) {
	for end := time.Now().Add(patience); ; time.Sleep(lockPause) {
		unlock, taken, err := tryLock(t.file + ".lock")
		if err != nil {
			return nil, fmt.Errorf("tokens: %w", err)
		}
		if taken {
			return unlock, nil
		}
		if !time.Now().Before(end) {
			return nil, fmt.Errorf("tokens: %s is being changed by another process: try again", t.file)
		}
	}
}

// take makes records those that are known, and returns what ends by that. mu must be held, but by [OpenTokens].
func (t *Tokens) take(records []tokenRecord, info os.FileInfo) (over endings) {
	before := *t.known.Load()
	now := make(map[string]*knownToken, len(records))
	for _, r := range records {
		k := before[r.ID]
		if k == nil || !k.record.same(&r) {
			k = t.newKnown(r)
		}
		now[r.ID] = k
	}
	t.known.Store(&now)
	t.read, t.err = info, nil
	for id, k := range before {
		switch after := now[id]; {
		case after == nil:
			over = append(over, ending{k.identity.life, Revoked})
		case after != k:
			over = append(over, ending{k.identity.life, Changed})
		}
	}
	return over
}

func (t *Tokens) newKnown(r tokenRecord) *knownToken {
	d, err := r.digest()
	if err != nil {
		panic(err) // records are checked when they are read
	}
	i := &Identity{Name: r.Name, Kind: KindToken, ID: r.ID, Grant: r.Grant, Expires: r.Expires}
	i.life = t.lives.begin(i.Expires)
	k := &knownToken{record: r, digest: d, identity: i}
	if !r.LastUsed.IsZero() {
		k.used.Store(r.LastUsed.Unix())
	}
	return k
}

func (k *knownToken) lastUsed() time.Time {
	if used := k.used.Load(); used != 0 {
		return time.Unix(used, 0).UTC()
	}
	return time.Time{}
}

func (r *tokenRecord) token(lastUsed time.Time) Token {
	return Token{ID: r.ID, Name: r.Name, Grant: r.Grant, Created: r.Created, Expires: r.Expires, LastUsed: lastUsed}
}
