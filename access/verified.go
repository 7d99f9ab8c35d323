package access

import (
	"crypto/sha256"
	"sync"
	"time"
)

// verified remembers JWTs whose signatures were good, for a short time.
type verified struct {
	most int // how many

	mu    sync.RWMutex
	known map[digest]verifiedJWT
}

type verifiedJWT struct {
	identity *Identity
	under    *jwtSettings // it was judged by
	keys     *keySource
	set      *keySet // the keys there were
	until    time.Time
}

// find returns the identity of a JWT that is as good as when it was verified: by the same settings and keys, and not expired.
func (v *verified) find(d *digest, settings *jwtSettings, now time.Time) *Identity {
	v.mu.RLock()
	k, ok := v.known[*d]
	v.mu.RUnlock()
	if !ok || !k.good(settings, now) {
		return nil
	}
	return k.identity
}

func (k *verifiedJWT) good(settings *jwtSettings, now time.Time) bool {
	return k.under == settings && k.keys.current.Load() == k.set && now.Before(k.until) && !k.identity.expired(now)
}

// keep remembers one more. When there is no room, those that are no longer good go, or else any one.
func (v *verified) keep(d digest, k verifiedJWT, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.known == nil {
		v.known = map[digest]verifiedJWT{}
	}
	if len(v.known) >= v.most {
		v.sweep(k.under, now)
	}
	v.known[d] = k
}

// sweep makes room. The lock must be held.
func (v *verified) sweep(settings *jwtSettings, now time.Time) {
	for d, k := range v.known {
		if !k.good(settings, now) {
			delete(v.known, d)
		}
	}
	for d := range v.known {
		if len(v.known) < v.most*9/10 { // a tenth at once, so that not each new one walks over all
			return
		}
		delete(v.known, d)
	}
}

var digestBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 2048); return &b }}

// digestOf digests a credential of any length. It seldom allocates.
func digestOf(text string) digest {
	buf := digestBuffers.Get().(*[]byte)
	*buf = append((*buf)[:0], text...)
	d := digest(sha256.Sum256(*buf))
	digestBuffers.Put(buf)
	return d
}
