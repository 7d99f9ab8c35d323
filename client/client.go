// Package client follows the configuration of one environment over the stream of a Trunkline server.
//
// Make a [Client] with [New] and run [Client.Run] in a goroutine of your own; it connects, and connects again whenever it must,
// until its context ends. [Client.Wait] blocks until the first values are there. Reading ([Client.String], [Client.Int], …) takes
// no lock: it sees the newest values, all from one version. While the server cannot be reached the last values stay, and
// [Client.Stale] tells since when.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/value"
)

const (
	maxExplanation = 4 << 10 // bytes of a refusal

	maxMessage = 64 << 20         // bytes of one message of the server
	silence    = 70 * time.Second // without a word, after which the connection counts as dead
	firstRetry = 200 * time.Millisecond
	mostRetry  = 30 * time.Second
	mostAsked  = 5 * time.Minute  // that a server may ask to wait
	settled    = 10 * time.Second // for which a connection must have lasted to count as good
	dialTime   = 10 * time.Second
	writeTime  = 10 * time.Second
	closeTime  = 2 * time.Second // for the close code after an error
)

// Options say what to follow.
type Options struct {
	// URL of the server, as http://127.0.0.1:7420.
	URL string
	// Env is the environment; it may be empty where the server has only one.
	Env string
	// Patterns select the values; none means all.
	Patterns []string
	// Token returns the credential; it is asked before each connection, so that a rotated one is taken up. Nil: none is sent.
	Token func() (string, error)
	// Name and Version tell the server who asks.
	Name, Version string
	// OnEvent is called from Run's goroutine for whatever happens, in order. It may be nil.
	OnEvent func(Event)
	Log     *slog.Logger
}

// EventKind tells what happened.
type EventKind string

// The kinds of events.
const (
	Snapshot     EventKind = "snapshot" // all values came anew
	Delta        EventKind = "delta"    // some values changed
	Current      EventKind = "current"  // connected again, and nothing had changed
	Disconnected EventKind = "disconnected"
)

// Event is something that happened. State is what the client has from then on.
type Event struct {
	Kind    EventKind
	State   *State
	Changes []value.Change
	Cause   string // of a delta: commit, rollback, rewrite or start
	Err     error  // of Disconnected
	Retry   time.Duration
}

// State is what a client has. It is immutable.
type State struct {
	Values     *value.Value
	Cursor     string
	Commit     string
	Author     string
	Subject    string
	RollbackOf string
}

// Client follows one environment.
type Client struct {
	o     Options
	url   string
	state atomic.Pointer[State]
	first chan struct{}
	once  sync.Once

	mu    sync.Mutex
	stale time.Time // since when there is no connection; zero while there is one
	fatal error
}

// New makes a client, which does nothing until it is run.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.URL)
	switch {
	case err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%q is no server's URL: write it like http://127.0.0.1:7420", o.URL)
	case u.Scheme == "http" || u.Scheme == "https":
		u.Scheme = "ws" + strings.TrimPrefix(u.Scheme, "http")
	case u.Scheme != "ws" && u.Scheme != "wss":
		return nil, fmt.Errorf("%q is no server's URL: it begins with http:// or https://", o.URL)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Client{o: o, url: u.JoinPath("v1/stream").String(), first: make(chan struct{}), stale: time.Now()}, nil
}

// ErrRefused is wrapped by the error of Run when the server will not serve this client, and trying again is of no use.
var ErrRefused = errors.New("refused by the server")

// Run follows until ctx ends, or until the server refuses this client for good.
func (c *Client) Run(ctx context.Context) error {
	for try := 0; ; try++ {
		began := time.Now()
		err := c.follow(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, ErrRefused) {
			c.refuse(err)
			return err
		}
		if time.Since(began) >= settled {
			try = 0
		}
		wait := c.pause(err, try)
		c.lost(err, wait)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// restarting is the error of a connection that the server ended, asking to come back after a while.
type restarting struct{ after time.Duration }

func (r *restarting) Error() string { return "the server stops or restarts" }

// pause is how long to wait before connecting again: what the server asked for, else a random part of a time that doubles.
func (c *Client) pause(err error, try int) time.Duration {
	var asked *restarting
	if errors.As(err, &asked) {
		return min(max(asked.after, firstRetry), mostAsked)
	}
	most := min(firstRetry<<min(try, 16), mostRetry)
	return most/10 + rand.N(most)
}

func (c *Client) lost(err error, wait time.Duration) {
	c.mu.Lock()
	if c.stale.IsZero() {
		c.stale = time.Now()
	}
	c.mu.Unlock()
	c.o.Log.Warn("disconnected", "component", "client", "err", err, "retry", wait)
	c.event(Event{Kind: Disconnected, State: c.state.Load(), Err: err, Retry: wait})
}

func (c *Client) refuse(err error) {
	c.mu.Lock()
	c.fatal = err
	c.mu.Unlock()
	c.once.Do(func() { close(c.first) })
}

// Wait blocks until the first values are there, the server refuses the client, or ctx ends.
func (c *Client) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-c.first:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fatal
}

// State is what the client has now; nil before the first values.
func (c *Client) State() *State { return c.state.Load() }

// Stale tells since when there is no connection; zero while there is one.
func (c *Client) Stale() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stale
}

// follow connects once and follows until the connection ends.
func (c *Client) follow(ctx context.Context) error {
	dialer := websocket.Dialer{
		Proxy: http.ProxyFromEnvironment, HandshakeTimeout: dialTime, Subprotocols: []string{wire.Subprotocol}, ReadBufferSize: 4096,
	}
	header, err := c.credential()
	if err != nil {
		return err
	}
	ws, answer, err := dialer.DialContext(ctx, c.url, header)
	if err != nil {
		return c.dialError(err, answer)
	}
	defer ws.Close()
	stop := context.AfterFunc(ctx, func() { _ = ws.Close() })
	defer stop()
	ws.SetReadLimit(maxMessage)
	hello := wire.Client{Type: wire.TypeHello, Client: wire.Name{Name: c.o.Name, Version: c.o.Version}, Env: c.o.Env, Patterns: c.o.Patterns}
	if s := c.state.Load(); s != nil {
		hello.Cursor = s.Cursor
	}
	if err := send(ws, hello); err != nil {
		return err
	}
	for {
		_ = ws.SetReadDeadline(time.Now().Add(silence))
		_, data, err := ws.ReadMessage()
		if err != nil {
			return closeError(err)
		}
		m, err := wire.ParseServer(data)
		if err != nil {
			return err
		}
		if err := c.take(ws, m); err != nil {
			return err
		}
	}
}

func send(ws *websocket.Conn, m wire.Client) error {
	_ = ws.SetWriteDeadline(time.Now().Add(writeTime))
	return ws.WriteMessage(websocket.TextMessage, wire.Encode(m))
}

func (c *Client) credential() (http.Header, error) {
	if c.o.Token == nil {
		return nil, nil
	}
	token, err := c.o.Token()
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	return http.Header{"Authorization": {"Bearer " + token}}, nil
}

// dialError tells why there is no connection. A token that was good may be replaced by its next: then connecting again is of use.
func (c *Client) dialError(err error, answer *http.Response) error {
	if answer == nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer answer.Body.Close()
	why := explanation(answer)
	switch answer.StatusCode {
	case http.StatusUnauthorized:
		if c.o.Token != nil && c.state.Load() != nil {
			return fmt.Errorf("connect: %s", why)
		}
		fallthrough
	case http.StatusForbidden, http.StatusMisdirectedRequest:
		return fmt.Errorf("%w: %s", ErrRefused, why)
	}
	return fmt.Errorf("connect: %s", why)
}

// explanation is what the server says of its refusal.
func explanation(answer *http.Response) string {
	var body struct {
		Error struct{ Message, Hint string }
	}
	data, _ := io.ReadAll(io.LimitReader(answer.Body, maxExplanation))
	if json.Unmarshal(data, &body) != nil || body.Error.Message == "" {
		return "the server answers " + answer.Status
	}
	return strings.TrimSuffix(body.Error.Message+"; "+body.Error.Hint, "; ")
}

func closeError(err error) error {
	var closed *websocket.CloseError
	if errors.As(err, &closed) && wire.Terminal(closed.Code) {
		return fmt.Errorf("%w: %s", ErrRefused, closed.Text)
	}
	return err
}

// take acts on one message.
func (c *Client) take(ws *websocket.Conn, m *wire.Server) error {
	switch m.Type {
	case wire.TypeSnapshot, wire.TypeDelta, wire.TypeCurrent:
		if err := c.advance(m); err != nil {
			return err
		}
	case wire.TypePing:
		if old := c.state.Load(); old == nil || old.Cursor != m.Cursor {
			return c.forget("the server is at another state than we have")
		}
	case wire.TypeGoaway:
		return &restarting{time.Duration(min(m.RetryAfterMs, int(mostAsked.Milliseconds()))) * time.Millisecond}
	case wire.TypeError:
		return reported(ws, m)
	default:
		return nil // a newer server may say more than we know
	}
	return send(ws, wire.Client{Type: wire.TypeAck, Cursor: c.state.Load().Cursor})
}

// reported is the error that a server tells of. The close code after it says whether connecting again is of use.
func reported(ws *websocket.Conn, m *wire.Server) error {
	_ = ws.SetReadDeadline(time.Now().Add(closeTime))
	_, _, err := ws.ReadMessage()
	var closed *websocket.CloseError
	if errors.As(err, &closed) && wire.Terminal(closed.Code) {
		return fmt.Errorf("%w: %s; %s", ErrRefused, m.Message, m.Hint)
	}
	return fmt.Errorf("the server reports %s: %s", m.Code, m.Message)
}

// advance brings the state to what a message tells.
func (c *Client) advance(m *wire.Server) error {
	old := c.state.Load()
	next := &State{Cursor: m.Cursor, Commit: m.Commit, Author: m.Author, Subject: m.Subject, RollbackOf: m.RollbackOf}
	event := Event{Kind: EventKind(m.Type), State: next, Cause: m.Cause}
	switch m.Type {
	case wire.TypeSnapshot:
		v, err := value.ParseJSON(m.Values)
		if err != nil {
			return fmt.Errorf("values of a snapshot: %w", err)
		}
		next.Values = v
	case wire.TypeCurrent:
		if old == nil || old.Cursor != m.Cursor {
			return c.forget("the server takes us for another state than we have")
		}
		next.Values = old.Values
	case wire.TypeDelta:
		if old == nil || old.Cursor != m.From {
			return c.forget("a delta begins at another state than we have")
		}
		v, err := applyPatch(old.Values, m.Patch)
		if err != nil {
			return c.forget(err.Error())
		}
		next.Values, next.Cursor = v, m.To
	}
	if old != nil {
		event.Changes = value.Diff(old.Values, next.Values)
	}
	c.state.Store(next)
	c.mu.Lock()
	c.stale = time.Time{}
	c.mu.Unlock()
	c.once.Do(func() { close(c.first) })
	c.event(event)
	return nil
}

// forget drops the cursor, so that the next connection begins with a snapshot. The values stay until then.
func (c *Client) forget(why string) error {
	if old := c.state.Load(); old != nil {
		without := *old
		without.Cursor = ""
		c.state.Store(&without)
	}
	return errors.New(why)
}

func (c *Client) event(e Event) {
	if c.o.OnEvent != nil {
		c.o.OnEvent(e)
	}
}
