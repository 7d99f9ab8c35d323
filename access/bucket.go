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
	known map[K]*bucket
	rest  bucket // that is shared
	swept time.Time
}

type bucket struct {
	full      time.Time // when it will be
	forgotten bool
}

func newBuckets[K comparable](r Rate) *buckets[K] {
	b := &buckets[K]{none: r.PerSecond < 0, known: map[K]*bucket{}, rest: bucket{forgotten: true}}
	if !b.none {
		b.interval = time.Duration(float64(time.Second) / r.PerSecond)
		b.whole = b.interval * time.Duration(r.Burst)
	}
	return b
}

// take counts one request, unless the bucket is empty: then it returns after which time there will be room.
func (b *buckets[K]) take(key K, now time.Time) (wait time.Duration, ok bool) {
	var kept *bucket
	return b.takeFrom(&kept, key, now)
}

// takeFrom is take for who keeps the bucket from one time to the next, and need not have it looked for.
func (b *buckets[K]) takeFrom(kept **bucket, key K, now time.Time) (wait time.Duration, ok bool) {
	if b.none {
		return 0, true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if *kept == nil || (*kept).forgotten {
		*kept = b.of(key, now)
	}
	return b.count(*kept, now)
}

// of is the bucket of a key.
func (b *buckets[K]) of(key K, now time.Time) *bucket {
	if known := b.known[key]; known != nil {
		return known
	}
	if len(b.known) >= maxBuckets && !b.sweep(now) {
		return &b.rest
	}
	made := &bucket{}
	b.known[key] = made
	return made
}

func (b *buckets[K]) count(from *bucket, now time.Time) (wait time.Duration, ok bool) {
	next := from.full
	if next.Before(now) {
		next = now
	}
	next = next.Add(b.interval)
	if ahead := next.Sub(now); ahead > b.whole {
		return ahead - b.whole, false
	}
	from.full = next
	return 0, true
}

// sweep forgets the keys whose buckets are full, at most once a second, and reports whether there is room.
func (b *buckets[K]) sweep(now time.Time) bool {
	if now.Sub(b.swept) < time.Second {
		return false
	}
	b.swept = now
	for key, known := range b.known {
		if !now.Before(known.full) {
			known.forgotten = true
			delete(b.known, key)
		}
	}
	return len(b.known) < maxBuckets
}
