package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
)

const (
	sessionsWanted  = 10_000
	grantsDiffering = 100
	ownDescriptors  = 512 // that this process keeps for other things
	dialers         = 64  // that connect at a time
	broadcasts      = 11
	sessionPatience = time.Minute
)

// crowd is what so many sessions took.
type crowd struct {
	sessions  int
	all       float64 // seconds until all had their first values
	kilobytes float64 // of the server's resident memory, for each
	first     float64 // median ms from the announcement of a change until the first had it
	last      float64 // until the last had it
}

// sessions measures a crowd of sessions whose credentials grant the same, and one whose credentials grant a hundred different things.
func (s *suite) sessions(ctx context.Context) error {
	same, err := s.crowd(ctx, "same", func(int) int { return 0 })
	if err != nil {
		return err
	}
	differing, err := s.crowd(ctx, "differing", func(i int) int { return i })
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%d sessions with %d grants", differing.sessions, grantsDiffering)
	note := fmt.Sprintf("beside %d with one; client on the same cores", same.sessions)
	s.add(row{what: what + ": all have their first values", measured: differing.all, limit: same.all, compared: true, unit: "s", note: note})
	s.add(row{what: what + ": memory of each", measured: differing.kilobytes, limit: same.kilobytes, compared: true, unit: "kB", note: note})
	s.add(row{
		what: what + ": a change has reached all", measured: differing.last, limit: same.last, compared: true, unit: "ms",
		note: fmt.Sprintf("%s; from its announcement, the first after %.0f ms and %.0f ms; median of %d", note, differing.first, same.first, broadcasts),
	})
	return nil
}

// crowd starts a server with a hundred tokens, of which each grants one of the groups and what all have in common, and has as many
// sessions follow it as descriptors allow.
func (s *suite) crowd(ctx context.Context, name string, group func(token int) int) (c crowd, err error) {
	r, err := newRemote(ctx, filepath.Join(s.dir, name), writeGroups)
	if err != nil {
		return c, err
	}
	defer r.server.Close()
	p, err := s.start(ctx, filepath.Join(s.dir, name, "data"), "--repo", r.url(), "--poll", "10m")
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	tokens, err := p.tokens(ctx, name, grantsDiffering, func(i int) string {
		return fmt.Sprintf(`{"environments": ["*"], "patterns": ["group%d.**", "common.**"]}`, group(i))
	})
	if err != nil {
		return c, err
	}
	if c.sessions, err = room(p); err != nil {
		return c, err
	}
	all := &clients{received: make(chan time.Time, 2*c.sessions)}
	defer all.close()
	if err := c.gather(ctx, p, all, tokens); err != nil {
		return c, err
	}
	return c, c.tell(ctx, p, r, all)
}

// gather connects the sessions.
func (c *crowd) gather(ctx context.Context, p *process, all *clients, tokens []string) error {
	before, err := p.settledRSS(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := all.connect(p.url, tokens, c.sessions); err != nil {
		return err
	}
	if _, err := all.wait(c.sessions); err != nil {
		return err
	}
	c.all = time.Since(began).Seconds()
	after, err := p.settledRSS(ctx)
	c.kilobytes = (after - before) * 1000 / float64(c.sessions)
	return err
}

// tell pushes changes of what all see, each when all have the one before.
func (c *crowd) tell(ctx context.Context, p *process, r *remote, all *clients) error {
	var firsts, lasts []float64
	for i := range broadcasts {
		if err := write(r.work, commonFile, common(i+1)); err != nil {
			return err
		}
		if err := r.push(ctx, fmt.Sprintf("Change %d", i)); err != nil {
			return err
		}
		began := time.Now()
		if err := announce(ctx, p.url, r.url()); err != nil {
			return err
		}
		times, err := all.wait(c.sessions)
		if err != nil {
			return err
		}
		firsts, lasts = append(firsts, times[0].Sub(began).Seconds()*1000), append(lasts, times[len(times)-1].Sub(began).Seconds()*1000)
	}
	c.first, c.last = median(firsts), median(lasts)
	return nil
}

// room is how many sessions the server and this process can hold.
func room(p *process) (int, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, err
	}
	return min(sessionsWanted, p.room, int(min(limit.Cur, 1<<20))-ownDescriptors), nil
}

// settledRSS is the resident memory, in MB, of a process that has returned what it no longer needs.
func (p *process) settledRSS(ctx context.Context) (float64, error) {
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(5 * time.Second):
	}
	return p.rss()
}

const commonFile = "config/common.yaml"

// writeGroups writes values of each group, and some that are for all.
func writeGroups(dir string) error {
	for i := range grantsDiffering {
		text := fmt.Sprintf("name: group %d\nlimits: {cpu: %d, memory: 512Mi}\ntimeouts: {connect: 200ms, read: 2s}\nhosts: [a.internal, b.internal]\n", i, i)
		if err := write(dir, fmt.Sprintf("config/group%d.yaml", i), text); err != nil {
			return err
		}
	}
	return write(dir, commonFile, common(0))
}

func common(revision int) string {
	return fmt.Sprintf("revision: %d\nregion: eu\nlog: {level: info, sampling: 0.1}\n", revision)
}

// clients are many sessions in this process.
type clients struct {
	received chan time.Time // when each message came that holds values
	running  sync.WaitGroup

	mu    sync.Mutex
	conns []*websocket.Conn
}

// connect opens sessions, a number at a time, with one token after the other.
func (c *clients) connect(url string, tokens []string, n int) error {
	d := websocket.Dialer{Subprotocols: []string{"trunkline.v1.json"}, ReadBufferSize: 512, WriteBufferPool: &sync.Pool{}, HandshakeTimeout: sessionPatience}
	address := "ws" + strings.TrimPrefix(url, "http") + "/v1/stream"
	var next atomic.Int64
	errs := make([]error, dialers)
	var dialing sync.WaitGroup
	for i := range errs {
		dialing.Go(func() {
			for at := int(next.Add(1)) - 1; at < n && errs[i] == nil; at = int(next.Add(1)) - 1 {
				ws, _, err := d.Dial(address, http.Header{"Authorization": {"Bearer " + tokens[at%len(tokens)]}})
				if errs[i] = err; err != nil {
					break
				}
				c.mu.Lock()
				c.conns = append(c.conns, ws)
				c.mu.Unlock()
				errs[i] = ws.WriteMessage(websocket.TextMessage, []byte(`{"type":"hello"}`))
				c.running.Go(func() { c.read(ws) })
			}
		})
	}
	dialing.Wait()
	return errors.Join(errs...)
}

// read takes what a session is sent, and answers it as clients do.
func (c *clients) read(ws *websocket.Conn) {
	for {
		_, data, err := ws.ReadMessage()
		if err != nil {
			return
		}
		text := string(data)
		if !strings.HasPrefix(text, `{"type":"ping"`) {
			c.received <- time.Now()
		}
		if ws.WriteMessage(websocket.TextMessage, []byte(`{"type":"ack","cursor":"`+cursorOf(text)+`"}`)) != nil {
			return
		}
	}
}

// cursorOf is the cursor that a message leads to.
func cursorOf(text string) string {
	for _, name := range []string{`"to":"`, `"cursor":"`} {
		if _, rest, found := strings.Cut(text, name); found {
			cursor, _, _ := strings.Cut(rest, `"`)
			return cursor
		}
	}
	return ""
}

// wait waits until all have received one more message with values, and returns when they did.
func (c *clients) wait(n int) ([]time.Time, error) {
	var times []time.Time
	patience := time.After(sessionPatience)
	for len(times) < n {
		select {
		case at := <-c.received:
			times = append(times, at)
		case <-patience:
			return nil, fmt.Errorf("%d of %d sessions have what is live after %s", len(times), n, sessionPatience)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	return times, nil
}

func (c *clients) close() {
	for _, ws := range c.conns {
		_ = ws.Close()
	}
	c.running.Wait()
}
