package value

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"sync"
)

// Key keys the digests that stand in for values: without it a short secret could be guessed from its digest. In the place of an empty
// key stands one that the process made up, so that digests can be compared as long as it runs and tell nothing afterwards.
type Key []byte

var ownKey = sync.OnceValue(func() Key { return Key(rand.Text()) })

// Digest is the keyed digest of a value's content (HMAC-SHA256 over the value's [Sum]), in hexadecimal. A nil value has none.
func (k Key) Digest(v *Value) string {
	if v == nil {
		return ""
	}
	if len(k) == 0 {
		k = ownKey()
	}
	mac := hmac.New(sha256.New, k)
	sum := v.Sum()
	mac.Write(sum[:])
	return hex.EncodeToString(mac.Sum(nil))
}

// Fingerprint is the beginning of the digest: enough to see that a value changed.
func (k Key) Fingerprint(v *Value) string {
	digest := k.Digest(v)
	return digest[:min(len(digest), 2*FingerprintBytes)]
}

// Depth is how much is redacted.
type Depth uint8

// The depths. A program that is delivered its configuration must find in it whatever nobody marked; what people read may hide more.
const (
	// Delivered hides what a mark selects.
	Delivered Depth = iota
	// Shown hides, beside that, what looks secret: a string below a key that tells of a secret, or one that has the shape of one.
	Shown
)

// Redactor replaces what is not for its readers. The result of one call is a starting point for the next: parts whose pointers did not
// change keep those of their redacted form. It may be used by several goroutines.
type Redactor struct {
	walk redaction

	mu     sync.Mutex // above what it guards, and told of walk
	marks  string
	before *Value
	result *Value
}

// NewRedactor makes a Redactor whose fingerprints are keyed.
func NewRedactor(key Key, depth Depth) *Redactor {
	return &Redactor{walk: redaction{key: key, depth: depth, told: map[string]telling{}}}
}

// Redact returns the tree with everything redacted that a mark selects: each scalar below it, and each list as a whole, unless
// the mark reaches into the list by an index or a wildcard. What looks secret is redacted string by string.
func (r *Redactor) Redact(root *Value, marks []Pattern) *Value {
	r.mu.Lock()
	defer r.mu.Unlock()
	texts := make([]string, len(marks))
	for i, m := range marks {
		texts[i] = m.String()
	}
	if joined := strings.Join(texts, "\n"); joined != r.marks {
		r.marks, r.before, r.result = joined, nil, nil
	}
	r.result = r.walk.below(root, spot{marks: newFront(marks)}, r.before, r.result)
	r.before = root
	return r.result
}

// RedactAt redacts what stands at a path of a tree, as [Redactor.Redact] would there. It starts from nothing and remembers nothing.
func (r *Redactor) RedactAt(path Path, v *Value, marks []Pattern) *Value {
	walk := redaction{key: r.walk.key, depth: r.walk.depth, told: map[string]telling{}}
	at := spot{marks: newFront(marks)}
	for _, key := range path {
		if at.marks.matched() {
			break
		}
		at = walk.step(at, key)
	}
	return walk.below(v, at, nil, nil)
}

// redaction is one walk through a tree.
type redaction struct {
	key   Key
	depth Depth
	told  map[string]telling // of the keys met so far
}

// spot is what is known of a place in a tree by the way to it.
type spot struct {
	marks front
	keys  telling
}

// maxTold is how many keys are remembered.
const maxTold = 10_000

func (r *redaction) step(from spot, key string) spot {
	next := spot{from.marks.step(key), from.keys}
	if r.depth == Delivered || from.keys == secret {
		return next
	}
	told, known := r.told[key]
	if !known {
		told = tells(key)
		if len(r.told) >= maxTold {
			clear(r.told)
		}
		r.told[key] = told
	}
	next.keys = max(from.keys, told)
	return next
}

// below redacts v. was is what stood in its place the last time, and had what became of that.
func (r *redaction) below(v *Value, at spot, was, had *Value) *Value {
	switch {
	case r.depth == Delivered && len(at.marks) == 0:
		return v
	case v == was && had != nil:
		return had
	case at.marks.matched():
		return r.all(v, was, had)
	case v.Kind() == String && r.depth == Shown && secretText(at.keys, v.str):
		return r.redacted(v)
	case v.Kind() != Map && v.Kind() != List:
		return v
	}
	var changed []Entry
	for i, e := range v.Entries() {
		key := e.Key
		if v.Kind() == List {
			key = strconv.Itoa(i)
		}
		next := r.below(e.Value, r.step(at, key), below(was, e.Key), below(had, e.Key))
		if next != e.Value && changed == nil {
			changed = append(changed, v.Entries()...)
		}
		if changed != nil {
			changed[i].Value = next
		}
	}
	if changed == nil {
		return v
	}
	return v.Place().collection(v.Kind(), changed)
}

// all redacts every scalar and list of what a mark selects.
func (r *redaction) all(v, was, had *Value) *Value {
	if v == was && had != nil {
		return had
	}
	if v.Kind() != Map {
		return r.redacted(v)
	}
	entries := make([]Entry, v.Len())
	for i, e := range v.Entries() {
		entries[i] = Entry{e.Key, r.all(e.Value, below(was, e.Key), below(had, e.Key))}
	}
	return NewMap(entries, v.Place())
}

func (r *redaction) redacted(v *Value) *Value {
	if v.Kind() == Redacted {
		return v
	}
	return NewRedacted(r.key.Fingerprint(v), v.Place())
}
