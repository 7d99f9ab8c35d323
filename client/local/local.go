// Package local decides in the program who gets which values: for back ends that serve many users over one connection to a Trunkline server.
//
// [Dial] follows an environment as package client does, with the definitions of its rollouts and experiments, and asks the server nothing after
// that:
//
//	config, err := local.Dial(ctx, local.Options{Options: client.Options{URL: "https://config.example", Env: "prod"}})
//	defer config.Close()
//
//	who, err := local.Context(map[string]any{"targetingKey": user.ID, "country": user.Country})
//	request := config.For(who)
//	if request.Bool("search.newRanking", false) { … }
//
// What is read from one [View] is of one version and one time. Deciding is what the server does, by the same code: the same user has the same
// variants in every process and over every interface. Reading takes no lock. The credential needs the right define.
//
// A version whose definitions cannot be read is not accepted: what there was stays, the server is told why, and [client.Options.OnEvent] as well.
package local

import (
	"context"
	"fmt"
	"sync"

	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// Options say what to follow: those of package client, but for Evaluate, which is always [client.Local], and Context, which counts for nobody.
// Accept is asked about values as they are configured.
type Options struct {
	client.Options
}

// Client follows one environment, and decides.
type Client struct {
	*Source
	client *client.Client
	o      client.Options

	mu       sync.Mutex
	compiled []compiled // the newest definitions, and those before: a version may yet not be accepted

	stop  context.CancelFunc
	ended chan struct{} // closed when the Run that Dial began has returned; nil without Dial
}

// compiled are definitions that were read.
type compiled struct {
	text     []byte
	resolver *Resolver // of no state yet
}

// Dial follows in the background until Close, and returns when there are values, as [client.Dial] does.
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
	c := &Client{o: o.Options}
	o.Evaluate, o.Accept, o.OnEvent = client.Local, c.accept, c.event
	inner, err := client.New(o.Options)
	if err != nil {
		return nil, err
	}
	c.client, c.Source = inner, NewSource(inner.Stale)
	return c, nil
}

// Run follows until ctx ends, or until the server refuses this client for good. It is called once.
func (c *Client) Run(ctx context.Context) error {
	err := c.client.Run(ctx)
	if refused := c.client.Err(); refused != nil {
		c.End(refused)
	}
	c.End(client.ErrClosed)
	return err
}

// Wait blocks until there are values, the server refuses the client, or ctx ends.
func (c *Client) Wait(ctx context.Context) error {
	if err := c.client.Wait(ctx); err != nil {
		return err
	}
	return c.await(ctx)
}

// Close ends following and waits until nothing is left of it. The values stay.
func (c *Client) Close() {
	if c.ended != nil {
		c.stop()
		<-c.ended
	}
	c.client.Close()
	c.End(client.ErrClosed)
}

// Err tells why the server refuses this client, so that following has ended; nil while it goes on, and after Close.
func (c *Client) Err() error { return c.client.Err() }

// SetPatterns makes the client follow other values, as [client.Client.SetPatterns] does.
func (c *Client) SetPatterns(patterns ...string) error { return c.client.SetPatterns(patterns...) }

// accept reads the definitions of a version, and then asks the program.
func (c *Client) accept(s *client.State) error {
	if _, err := c.compile(s.Definitions); err != nil {
		return err
	}
	if c.o.Accept != nil {
		return c.o.Accept(s)
	}
	return nil
}

// event makes a version that was accepted the one to decide by, before the program hears of it.
func (c *Client) event(e client.Event) {
	switch e.Kind {
	case client.Kept, client.Snapshot, client.Delta, client.Current:
		if r, err := c.compile(e.State.Definitions); err == nil { // which accept has seen to
			c.Put(r.with(e.State))
		}
	}
	if c.o.OnEvent != nil {
		c.o.OnEvent(e)
	}
}

// compile reads definitions, each once.
func (c *Client) compile(text []byte) (*Resolver, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, was := range c.compiled {
		if string(was.text) == string(text) {
			return was.resolver, nil
		}
	}
	r, err := parse(text)
	if err != nil {
		return nil, err
	}
	c.compiled = append([]compiled{{text, r}}, c.compiled[:min(1, len(c.compiled))]...)
	return r, nil
}

func parse(text []byte) (*Resolver, error) {
	v, err := value.ParseJSON(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", experiment.ErrExport, err)
	}
	set, held, err := experiment.Import(v)
	if err != nil {
		return nil, err
	}
	return NewResolver(nil, set, held), nil
}
