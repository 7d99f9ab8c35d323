package access

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// Refusal tells how often requests of one kind were refused within a minute.
type Refusal struct {
	Minute   time.Time    // its beginning
	Reason   string       // one of the Reason constants
	Identity string       // as [Identity.String]; "-" without a good credential
	Network  netip.Prefix // of the peers: /24 of IPv4, /48 of IPv6; zero where it cannot be told, or there were too many to tell apart
	Count    int
}

// refusals adds up what was refused, for records that a flood of requests must not flood.
type refusals struct {
	report func([]Refusal) // nil: nothing is kept

	mu     sync.Mutex
	counts map[refusalKey]int
}

type refusalKey struct {
	minute   int64 // Unix time
	reason   string
	identity string
	network  netip.Prefix
}

func newRefusals(report func([]Refusal)) *refusals {
	return &refusals{report: report, counts: map[refusalKey]int{}}
}

func (c *refusals) add(reason string, i *Identity, remoteAddr string, now time.Time) {
	if c.report == nil {
		return
	}
	key := refusalKey{now.Truncate(time.Minute).Unix(), reason, "-", networkOf(remoteAddr)}
	if i.authenticated() {
		key.identity = i.String()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.counts[key]; !known && len(c.counts) >= maxRefusalKinds {
		key.identity, key.network = "-", netip.Prefix{} // at most one more for each reason
	}
	c.counts[key]++
}

func networkOf(remoteAddr string) netip.Prefix {
	addr, bits := AddressOf(remoteAddr), 48 // what one site has: by /64 one caller alone could fill the record
	if addr.Is4() {
		bits = 24
	}
	network, _ := addr.Prefix(bits) // zero where there is no address
	return network
}

// run hands out what was added up, each minute and at the end.
func (c *refusals) run(ctx context.Context) {
	if c.report == nil {
		return
	}
	for {
		now := time.Now()
		timer := time.NewTimer(now.Truncate(time.Minute).Add(time.Minute).Sub(now))
		select {
		case <-ctx.Done():
			timer.Stop()
			c.hand()
			return
		case <-timer.C:
			c.hand()
		}
	}
}

func (c *refusals) hand() {
	c.mu.Lock()
	counts := c.counts
	c.counts = map[refusalKey]int{}
	c.mu.Unlock()
	var list []Refusal
	for key, n := range counts {
		list = append(list, Refusal{time.Unix(key.minute, 0).UTC(), key.reason, key.identity, key.network, n})
	}
	if len(list) == 0 {
		return
	}
	slices.SortFunc(list, func(a, b Refusal) int { return strings.Compare(a.order(), b.order()) })
	c.report(list)
}

func (r Refusal) order() string {
	return r.Minute.Format(time.RFC3339) + " " + r.Reason + " " + r.Identity + " " + r.Network.String()
}

// Count counts what was refused, here or by others: by the code of the answer, or another of a small set. who is nil where it is not known.
func (g *Guard) Count(who *Identity, remoteAddr, reason string) {
	if who == nil {
		who = nobody
	}
	g.observe(reason)
	g.refusals.add(reason, who, remoteAddr, time.Now())
}
