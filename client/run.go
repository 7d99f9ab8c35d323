package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/gorilla/websocket"

	"github.com/trunkline/trunkline/client/wire"
)

// run is one Run: what its goroutine alone uses.
type run struct {
	*Client
	conn  *connection // nil while there is none
	since time.Time   // when it was made; zero where it could not be
	known bool        // a server has let us in
	heard time.Time   // when a server last said something
	has   *offer      // what the server takes us to have; nil when it must send everything
	parts *parts      // of a snapshot, or of definitions, on its way; nil without one
	keep  *keeper     // nil when nothing is kept

	asked   request          // by the hello, or by the last update
	open    bool             // nothing has come since that update
	askedAt time.Time        // when it was sent
	askNext <-chan time.Time // when the next may be sent; nil when none is to be

	greeted     bool             // the hello of the connection has been answered
	definitions *wire.Server     // that count from the next state on; nil without
	unassigned  <-chan time.Time // when no assignments after a greeting are none; nil when they came

	judging *offer // what Accept is asked about; nil while it is not
	waiting *offer // what it is to be asked about next
	judged  chan error
}

// Run follows until ctx ends, or until the server refuses this client for good. It is called once.
func (c *Client) Run(ctx context.Context) error {
	r := &run{Client: c, judged: make(chan error, 1)}
	kept := r.recall()
	err := r.run(ctx)
	if kept != nil {
		kept.Stop()
	}
	r.waiting = nil
	if r.judging != nil {
		r.answered(<-r.judged)
	}
	r.keep.close()
	r.end(err)
	return err
}

func (r *run) run(ctx context.Context) error {
	for try := 0; ; try++ {
		err := r.follow(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrRefused):
			return err
		case r.lasted() >= r.times.settled:
			try = 0
		}
		wait := r.pause(err, try)
		r.lost(err, wait)
		if !r.rest(ctx, wait) {
			return ctx.Err()
		}
	}
}

// lasted is how long the connection was there that has just ended; nothing where there was none.
func (r *run) lasted() time.Duration {
	if r.since.IsZero() {
		return 0
	}
	return time.Since(r.since)
}

// rest waits before connecting again, and reports false when ctx ended.
func (r *run) rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case err := <-r.judged:
			r.answered(err)
		case <-timer.C:
			return true
		}
	}
}

// pause is how long to wait before connecting again: what the server asked for, else a random part of a time that doubles.
func (c *Client) pause(err error, try int) time.Duration {
	var asked *restarting
	if errors.As(err, &asked) {
		return min(max(asked.after, c.times.firstRetry), mostAsked)
	}
	most := min(c.times.firstRetry<<min(try, 16), c.times.mostRetry)
	return most/10 + rand.N(most)
}

func (r *run) lost(err error, wait time.Duration) {
	if r.heard.IsZero() {
		r.heard = time.Now()
	}
	r.feeder.Stale(r.heard)
	r.troubled(err)
	if r.State() != nil {
		r.available() // what was kept has to do
	}
	r.o.Log.Warn("disconnected", "component", "client", "err", err, "retry", wait)
	r.event(Event{Kind: Disconnected, State: r.State(), Err: err, Retry: wait})
}

// end lets go of all who wait for something.
func (r *run) end(err error) {
	r.feeder.Stale(time.Now())
	why := ErrClosed
	if errors.Is(err, ErrRefused) {
		why = err
		r.mu.Lock()
		r.fatal = err
		r.mu.Unlock()
	}
	r.feeder.End(why)
	r.available()
}

// follow connects once and follows until the connection ends.
func (r *run) follow(ctx context.Context) error {
	r.since = time.Time{}
	conn, err := r.connect(ctx)
	if err != nil {
		return err
	}
	defer func() {
		r.conn = nil
		conn.close()
	}()
	r.conn, r.since, r.known, r.parts, r.open = conn, time.Now(), true, nil, false
	r.greeted, r.definitions, r.unassigned = false, nil, nil
	r.asked = r.ask.wanted()
	cursor := ""
	if r.has != nil {
		cursor = r.has.state.Cursor
	}
	conn.send(r.hello(r.asked, cursor))
	return r.attend(ctx)
}

// attend acts on whatever comes while there is a connection.
func (r *run) attend(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case in := <-r.conn.inbox:
			if in.err != nil {
				return closeError(in.err)
			}
			r.heard = time.Now()
			if err := r.take(in.message); err != nil {
				return err
			}
		case verdict := <-r.judged:
			r.answered(verdict)
		case <-r.ask.changed:
			r.askAgain()
		case <-r.askNext:
			r.askAgain()
		case <-r.unassigned:
			r.assign(nil)
		}
	}
}

// askAgain sends an update if the program wants something else than was asked for.
func (r *run) askAgain() {
	r.askNext = nil
	want := r.ask.wanted()
	if want.equal(r.asked) {
		return
	}
	if early := r.times.update - time.Since(r.askedAt); early > 0 {
		r.askNext = time.After(early)
		return
	}
	r.asked, r.open, r.askedAt = want, true, time.Now()
	r.conn.send(want.update())
}

// reported is the error that a server tells of. The close code after it says whether connecting again is of use.
func (r *run) reported(m *wire.Server) error {
	if closed := r.closing(); closed != nil && wire.Terminal(closed.Code) {
		return refusedFor(m.Message, m.Hint)
	}
	return errors.New("the server reports " + m.Code + ": " + m.Message)
}

// sentAway is why a server asks to come back after a while, as the close code after its goaway says.
func (r *run) sentAway() string {
	closed := r.closing()
	if closed == nil || closed.Code != wire.CloseCredential {
		return "the server stops or restarts"
	}
	switch closed.Text {
	case "expired":
		return "the credential has expired"
	case "revoked":
		return "the credential was revoked"
	default:
		return "what the credential grants has changed"
	}
}

// closing is how the server closes a connection of which it has said the end; nil where that does not come in time.
func (r *run) closing() *websocket.CloseError {
	var err error
	select {
	case in := <-r.conn.inbox:
		err = in.err
	case <-time.After(closeTime):
	}
	var closed *websocket.CloseError
	_ = errors.As(err, &closed)
	return closed
}
