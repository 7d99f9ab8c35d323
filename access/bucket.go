package access

import (
	"sync"
	"time"
)

// buckets bound the rate of each of many keys (GCRA, the generic cell rate algorithm of ITU-T I.371): a key has the time at which its
// bucket will be full again, and a request is let on if that lies no further ahead than a whole bucket takes.
//
// A key is forgotten only when its bucket is full, so that nobody begins anew by making others. While there is no room, keys that
// are not known share one bucket.
type buckets[K comparable] struct {
	interval time.Duration // in which one request fits
	whole    time.Duration // in which an empty bucket fills
	none     bool          // no bound

	mu    sync.Mutex
	full  map[K]time.Time
	rest  time.Time // of the shared bucket
	swept time.Time
}

func newBuckets[K comparable](r Rate) *buckets[K] {
	b := &buckets[K]{none: r.PerSecond < 0, full: map[K]time.Time{}}
	if !b.none {
		b.interval = time.Duration(float64(time.Second) / r.PerSecond)
		b.whole = b.interval * time.Duration(r.Burst)
	}
	return b
}

// take counts one request, unless the bucket is empty: then it returns after which time there will be room.
func (b *buckets[K]) take(key K, now time.Time) (wait time.Duration, ok bool) {
	if b.none {
		return 0, true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	at, known := b.full[key]
	if !known && len(b.full) >= maxBuckets && !b.sweep(now) {
		return b.count(&b.rest, now)
	}
	wait, ok = b.count(&at, now)
	b.full[key] = at
	return wait, ok
}

func (b *buckets[K]) count(full *time.Time, now time.Time) (wait time.Duration, ok bool) {
	next := *full
	if next.Before(now) {
		next = now
	}
	next = next.Add(b.interval)
	if ahead := next.Sub(now); ahead > b.whole {
		return ahead - b.whole, false
	}
	*full = next
	return 0, true
}

// sweep forgets the keys whose buckets are full, at most once a second, and reports whether there is room.
func (b *buckets[K]) sweep(now time.Time) bool {
	if now.Sub(b.swept) < time.Second {
		return false
	}
	b.swept = now
	for key, full := range b.full {
		if !now.Before(full) {
			delete(b.full, key)
		}
	}
	return len(b.full) < maxBuckets
}
