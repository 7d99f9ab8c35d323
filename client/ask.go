package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/trunkline/trunkline/client/wire"
)

// request is what a client asks the server for.
type request struct {
	patterns []string
	context  json.RawMessage // an object
}

func (r request) equal(other request) bool {
	return slices.Equal(r.patterns, other.patterns) && bytes.Equal(r.context, other.context)
}

// ask is what the program wants the client to ask for.
type ask struct {
	changed chan struct{} // holds one token after a change

	mu   sync.Mutex
	want request
}

func newAsk() *ask { return &ask{changed: make(chan struct{}, 1)} }

func (a *ask) wanted() request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.want
}

// SetPatterns makes the client follow other values, on the connection it has; none means all. What it has stays until the server
// answers. Changes in quick succession are sent as one.
func (c *Client) SetPatterns(patterns ...string) error {
	return c.change(func(r *request) { r.patterns = slices.Clone(patterns) })
}

// SetContext tells the server who asks now, as SetPatterns does: an object of JSON, of which targetingKey is the unit that rollouts and
// experiments are for.
func (c *Client) SetContext(context map[string]any) error {
	data, err := encodeContext(context)
	if err != nil {
		return err
	}
	return c.change(func(r *request) { r.context = data })
}

func (c *Client) change(set func(*request)) error {
	c.ask.mu.Lock()
	defer c.ask.mu.Unlock()
	next := c.ask.want
	set(&next)
	if err := c.check(next); err != nil {
		return err
	}
	c.ask.want = next
	select {
	case c.ask.changed <- struct{}{}:
	default:
	}
	return nil
}

// check refuses what the server would refuse.
func (c *Client) check(r request) error {
	if _, err := parsePatterns(r.patterns); err != nil {
		return err
	}
	if c.o.Evaluate == Local && string(r.context) != "{}" {
		return errors.New("a client that decides by itself sends no context: ask for somebody by local.Client.For")
	}
	if _, err := wire.ParseClient(wire.Encode(c.hello(r, ""))); err != nil {
		return fmt.Errorf("the server would refuse what is asked for: %w", err)
	}
	return nil
}

func encodeContext(context map[string]any) (json.RawMessage, error) {
	if len(context) == 0 {
		return json.RawMessage("{}"), nil
	}
	data, err := json.Marshal(context)
	if err != nil {
		return nil, fmt.Errorf("the context cannot be sent as JSON: %w", err)
	}
	return data, nil
}

func (c *Client) hello(r request, cursor string) wire.Client {
	m := wire.Client{
		Type: wire.TypeHello, Client: wire.Name{Name: c.o.Name, Version: c.o.Version}, Env: c.o.Env, Evaluate: string(c.o.Evaluate),
		Patterns: r.patterns, Cursor: cursor,
	}
	if string(r.context) != "{}" {
		m.Context = []byte(r.context)
	}
	return m
}

// update says both, so that it does not matter what was said before.
func (r request) update() wire.Client {
	m := wire.Client{Type: wire.TypeUpdate, Patterns: r.patterns, Context: []byte(r.context)}
	if m.Patterns == nil {
		m.Patterns = []string{}
	}
	return m
}
