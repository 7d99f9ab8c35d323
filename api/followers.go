package api

import (
	"context"
	"net/http"
	"sync"

	"github.com/trunkline/trunkline/access"
)

// followers are the readers that follow the audit log, of which there are so many at most, and fewer of each.
type followers struct {
	ended context.Context // when they are to go
	end   context.CancelFunc

	mu  sync.Mutex
	all int
	of  map[string]int // by identity, and by address where there is no credential
}

func newFollowers() *followers {
	f := &followers{of: map[string]int{}}
	f.ended, f.end = context.WithCancel(context.Background())
	return f
}

// Stop ends the answers that follow the audit log. It is to be called when the server shuts down, which would wait for them.
func (h *Handler) Stop() { h.api.followers.end() }

// enter makes room for one more, until leave is called.
func (f *followers) enter(r *http.Request, who *access.Identity) (leave func(), refused *problem) {
	key := who.String()
	if who.Kind == access.KindLocal || who.Kind == access.KindInsecure {
		key += " " + access.AddressOf(r.RemoteAddr).String()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.of[key] >= maxFollowersIdentity:
		return nil, tooManyFollowersIdentity
	case f.all >= maxFollowers:
		return nil, tooManyFollowers
	}
	f.all++
	f.of[key]++
	return func() { f.leave(key) }, nil
}

func (f *followers) leave(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all--
	if f.of[key]--; f.of[key] == 0 {
		delete(f.of, key)
	}
}

var (
	tooManyFollowers         = &problem{http.StatusTooManyRequests, "tooManyFollowers", "too many follow the audit log", "come again when one has gone"}
	tooManyFollowersIdentity = &problem{
		http.StatusTooManyRequests, "tooManyFollowersIdentity", "too many follow the audit log with this credential, or from this address without one",
		"let fewer do it, and share what they are told",
	}
)

// during is a context that ends with the request, with its credential, or when followers are to go.
func (f *followers) during(r *http.Request, who *access.Identity) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(r.Context())
	credential := who.OnEnd(func(access.End) { cancel() })
	server := context.AfterFunc(f.ended, cancel)
	return ctx, func() {
		credential()
		server()
		cancel()
	}
}
