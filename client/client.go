// Package client follows the configuration of one environment over the stream of a Trunkline server.
//
// [Dial] connects, waits for the first values and follows until [Client.Close]; it connects again whenever it must:
//
//	config, err := client.Dial(ctx, client.Options{URL: "http://127.0.0.1:7420", Env: "prod", Patterns: []string{"checkout.**"}})
//	defer config.Close()
//	retries := config.Int("checkout.retries", 3)
//
// Reading takes no lock: it sees the newest values, all from one version. While the server cannot be reached the last values stay,
// and Stale tells since when. [Feed.Watch] tells of changes. Where a program keeps its goroutines itself, [New] makes a client that
// [Client.Run] runs. [Options.Context] says who asks, where rollouts and experiments set values; a back end that asks for many users at once
// decides by itself, with package local. Programs that take a [Reader] can be tested without a server, with package clienttest, and follow a repository
// by themselves, with package follow.
package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/value"
)

// Options say what to follow.
type Options struct {
	// URL of the server, as http://127.0.0.1:7420.
	URL string
	// Env is the environment; it may be empty where the server has only one.
	Env string
	// Patterns select the values; none means all. See [Client.SetPatterns].
	Patterns []string
	// Context tells who asks, for values that depend on it. See [Client.SetContext].
	Context map[string]any
	// Evaluate says who decides what rollouts and experiments set. Package local is for [Local], which needs the right define.
	Evaluate Evaluation
	// Token returns the credential; it is asked before each connection, so that a rotated one is taken up. Nil: none is sent.
	Token func() (string, error)
	// Name and Version tell the server who asks.
	Name, Version string
	// TLS is for servers of https whose certificate the system does not trust. It may be nil.
	TLS *tls.Config

	// Accept is asked whether the program can use what came, before anybody reads it. With an error the values stay as they were, and
	// the server is told of it, in at most 1024 bytes that people will read: it must hold no secret. What comes next is asked of again;
	// so is the same, after a new connection. Accept may take its time: it holds up nothing but what it judges, and what came in
	// between is passed over. It is called from one goroutine at a time, and first about what Keep has. Nil accepts everything.
	Accept func(*State) error
	// Keep is a file for the last values that were accepted, of mode 0600. With it a program starts when no server can be reached: with
	// the values of its last run, which are stale until a server says otherwise. A file that was kept for another server, environment,
	// patterns or context is not used, nor is a damaged one. Empty: nothing is kept. With [Local] the definitions stand in it, too.
	Keep string

	// OnEvent is called from Run's goroutine for whatever happens, in order. It may be nil, and must not wait.
	OnEvent func(Event)
	Log     *slog.Logger
}

// Evaluation says who decides what rollouts and experiments set.
type Evaluation string

// With Remote the server decides, for whom [Options.Context] tells of, and sends values that are decided. With Local it sends the values as they
// are configured, and the definitions.
const (
	Remote Evaluation = ""
	Local  Evaluation = wire.EvaluateLocal
)

// EventKind tells what happened.
type EventKind string

// The kinds of events.
const (
	Kept         EventKind = "kept"     // the values of the last run were found on disk
	Snapshot     EventKind = "snapshot" // all values came anew
	Delta        EventKind = "delta"    // some values changed
	Current      EventKind = "current"  // connected again, and nothing had changed
	Assigned     EventKind = "assigned" // the assignments are others, and nothing else
	Rejected     EventKind = "rejected" // the program did not accept what came
	Disconnected EventKind = "disconnected"
)

// Event is something that happened. State is what the client has from then on; of Rejected, what was not accepted.
type Event struct {
	Kind    EventKind
	State   *State
	Changes []value.Change // from what the client had before to State; nil when it had nothing, or when definitions alone changed
	Cause   string         // of a delta: commit, rollback, rewrite, pin, unpin, start, ramp, context, stop or resume
	Err     error          // of Rejected and Disconnected
	Retry   time.Duration  // of Disconnected: after which it is tried again
}

// Client follows one environment. It is read as a [Feed].
type Client struct {
	*Feed
	feeder Feeder
	o      Options
	url    string
	times  times
	bounds bounds
	ask    *ask

	once  sync.Once
	first chan struct{} // closed when there are values, or will be none
	stop  context.CancelFunc
	ended chan struct{} // closed when the Run that Dial began has returned; nil without Dial

	mu      sync.Mutex
	fatal   error // why following ended
	trouble error // why there are no values yet
}

var _ Reader = (*Client)(nil)

// ErrRefused is wrapped by the error of Run when the server will not serve this client, and trying again is of no use.
var ErrRefused = errors.New("refused by the server")

// Dial follows in the background until Close, and returns when there are values: the server's, or, with [Options.Keep], those of the
// last run, if no server answers within three seconds. It is an error if there are none before ctx ends, which bounds nothing else.
func Dial(ctx context.Context, o Options) (*Client, error) {
	c, err := New(o)
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop, c.ended = stop, make(chan struct{})
	go func() {
		defer close(c.ended)
		_ = c.Run(running) // Err tells
	}()
	if err := c.Wait(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// New makes a client, which does nothing until it is run.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.URL)
	switch {
	case err == nil && u.User != nil:
		return nil, errors.New("the server's URL holds a credential: show it by Token")
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
	c := &Client{o: o, url: u.JoinPath("v1/stream").String(), times: usualTimes, bounds: usualBounds, ask: newAsk(), first: make(chan struct{})}
	c.Feed, c.feeder = NewFeed()
	if c.ask.want.context, err = encodeContext(o.Context); err != nil {
		return nil, err
	}
	c.ask.want.patterns = slices.Clone(o.Patterns)
	if err := c.check(c.ask.want); err != nil {
		return nil, err
	}
	return c, nil
}

// Close ends following and waits until nothing is left of it. The values stay.
func (c *Client) Close() {
	if c.ended != nil {
		c.stop()
		<-c.ended
	}
	c.feeder.End(ErrClosed)
}

// Wait blocks until there are values, the server refuses the client, or ctx ends.
func (c *Client) Wait(ctx context.Context) error {
	select {
	case <-c.first:
		if err := c.Err(); err != nil || c.State() != nil {
			return err
		}
		return ErrClosed
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.trouble != nil {
		return fmt.Errorf("no values from %s: %w (%w)", c.o.URL, ctx.Err(), c.trouble)
	}
	return fmt.Errorf("no values from %s: %w", c.o.URL, ctx.Err())
}

// Err tells why the server refuses this client, so that following has ended; nil while it goes on, and after Close.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fatal
}

// available lets go of those who wait for values.
func (c *Client) available() { c.once.Do(func() { close(c.first) }) }

// troubled notes why there are no values yet.
func (c *Client) troubled(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trouble = err
}

func (c *Client) event(e Event) {
	if c.o.OnEvent != nil {
		c.o.OnEvent(e)
	}
}
