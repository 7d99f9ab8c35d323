package ofrep

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/trunkline/trunkline/access"
)

// streams are the event streams that are open.
//
// A browser opens a stream by a ticket that serves once, and cannot open it again when the connection breaks: it must be given another
// address. OpenFeature's client then asks for its flags once more, with the ETag of the last answer, and keeps the old address if that
// has not changed. So the ETag tells which stream the answer offered, and after that stream has ended it is good no longer. A client
// that opens no stream keeps its ETag.
type streams struct {
	mu       sync.Mutex
	most     int
	mostOf   int // of one address
	count    int
	of       map[netip.Addr]int  // but this machine's own, where a proxy may stand
	open     map[string]int      // by ID: a page may open the next before it lets go of the last
	ended    map[string]struct{} // which were open, and are no longer
	floor    time.Time           // of older ones nothing is known but that they are not open
	stopping chan struct{}
}

func newStreams(now time.Time, most int) *streams {
	return &streams{most: most, mostOf: max(most/2, 1), of: map[netip.Addr]int{}, open: map[string]int{}, ended: map[string]struct{}{}, floor: now, stopping: make(chan struct{})}
}

// newStreamID is a name for a stream, which tells when it was offered.
func newStreamID(now time.Time) string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // it never fails
	return strconv.FormatInt(now.UnixMilli(), 36) + hex.EncodeToString(b[:])
}

// offered is when a stream was; the zero time for what is no name of ours.
func offered(id string) time.Time {
	if len(id) <= 8 {
		return time.Time{}
	}
	ms, err := strconv.ParseInt(id[:len(id)-8], 36, 64)
	if err != nil || len(id) > 32 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func entityTag(hash, id string) string {
	if id == "" {
		return `"` + hash + `"`
	}
	return `"` + hash + "." + id + `"`
}

// understand reads the ETag that a client has: the hash of the answer, and the stream that it was offered. Both are empty where that
// stream has ended.
func (s *streams) understand(headers []string, now time.Time) (hash, id string) {
	if len(headers) == 0 {
		return "", ""
	}
	tag := strings.Trim(strings.TrimPrefix(strings.TrimSpace(headers[0]), "W/"), `"`)
	if hash, id, _ = strings.Cut(tag, "."); id == "" {
		return hash, ""
	}
	if s.stale(id, now) {
		return "", ""
	}
	return hash, id
}

func (s *streams) stale(id string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[id] > 0 {
		return false
	}
	_, ended := s.ended[id]
	at := offered(id)
	return ended || at.Before(s.floor.Truncate(time.Millisecond)) || at.After(now)
}

var (
	refusedFull = &access.Refused{
		Status: http.StatusServiceUnavailable, Reason: "tooManyStreamsServer", Message: "the server holds as many event streams as it can",
		Hint: "ask for the flags from time to time instead", RetryAfter: 10 * time.Second,
	}
	refusedAddress = &access.Refused{
		Status: http.StatusTooManyRequests, Reason: "tooManyStreamsAddress", Message: "too many event streams from this address",
		Hint: "close some, or ask for the flags from time to time instead", RetryAfter: 10 * time.Second,
	}
	refusedStopping = &access.Refused{
		Status: http.StatusServiceUnavailable, Reason: "serverStops", Message: "the server stops", Hint: "connect again in a while", RetryAfter: time.Second,
	}
)

// enter makes room for a stream, which must leave.
func (s *streams) enter(id string, addr netip.Addr) *access.Refused {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stopped():
		return refusedStopping
	case s.count >= s.most:
		return refusedFull
	case !addr.IsLoopback() && s.of[addr] >= s.mostOf:
		return refusedAddress
	}
	s.count++
	s.of[addr]++
	if id != "" {
		s.open[id]++
		delete(s.ended, id)
	}
	return nil
}

func (s *streams) leave(id string, addr netip.Addr, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count--
	if s.of[addr]--; s.of[addr] == 0 {
		delete(s.of, addr)
	}
	if id == "" {
		return
	}
	if s.open[id]--; s.open[id] > 0 {
		return
	}
	delete(s.open, id)
	if len(s.ended) >= maxEnded {
		s.ended, s.floor = map[string]struct{}{}, now
	}
	s.ended[id] = struct{}{}
}

func (s *streams) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopped() {
		close(s.stopping)
	}
}

func (s *streams) stopped() bool {
	select {
	case <-s.stopping:
		return true
	default:
		return false
	}
}
