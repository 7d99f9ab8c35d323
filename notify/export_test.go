package notify

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/value"
)

func init() { leastAgain = 1 }

// Limits are the limits a test may change.
type Limits struct {
	Sessions, Views                                                                      int
	Hello, Write, Ping, Silence, Message, Linger, GoawayLeast, GoawaySpread, RenewSpread time.Duration
	TellAgain                                                                            time.Duration
	Bytes, Messages, Updates                                                             Rate

	Clock func() time.Time
}

// Rate is a rate.
type Rate struct {
	Every time.Duration
	Burst int
}

func (r Rate) in() rate  { return rate{r.Every, r.Burst} }
func (r rate) out() Rate { return Rate{r.every, r.burst} }

// NoLimit lets everything through.
var NoLimit = Rate{}

// NewLimited makes a Hub with changed limits.
func NewLimited(o Options, change func(*Limits)) *Hub {
	h := New(o)
	l := h.limits.exported()
	change(&l)
	h.limits = limits{
		l.Sessions, l.Views, l.Hello, l.Write, l.Ping, l.Silence, l.Message, l.Linger, l.GoawayLeast, l.GoawaySpread, l.RenewSpread, l.TellAgain,
		l.Bytes.in(), l.Messages.in(), l.Updates.in(), usual.faults,
	}
	if l.Clock != nil {
		h.views.clock = l.Clock
	}
	return h
}

func (l limits) exported() Limits {
	return Limits{
		l.sessions, l.views, l.hello, l.write, l.ping, l.silence, l.message, l.linger, l.goawayLeast, l.goawaySpread, l.renewSpread, l.tellAgain,
		l.bytes.out(), l.messages.out(), l.updates.out(), nil,
	}
}

// Views counts the views of a Hub.
func (h *Hub) Views() int {
	h.views.mu.Lock()
	defer h.views.mu.Unlock()
	return len(h.views.byKey)
}

// inUse are frames that somebody is being sent.
var inUse []*frame

// First returns what identifies the encoded answer to a hello of somebody who looks at a view that is in use.
func (h *Hub) First(env string, patterns []string, cursor string) any {
	parsed, err := value.ParsePatterns(patterns)
	if err != nil {
		panic(err)
	}
	grant, err := access.NewGrant([]string{"*"}, []string{"**"}, access.History)
	if err != nil {
		panic(err)
	}
	h.views.mu.Lock()
	v := h.views.byKey[sight{env, grant, parsed, false}.key()]
	h.views.mu.Unlock()
	f := v.first(&person{}, cursor, past{h.views.remembered(env), h.views.clock()}).frame
	inUse = append(inUse, f)
	return &f.plain()[0][0]
}

// Turns counts, for each step of an interval of pings, the slots whose turn it is.
func Turns() []int {
	turns := make([]int, pingSteps)
	for slot := range 256 {
		turns[(&session{slot: uint8(slot)}).turn(pingSteps)]++
	}
	return turns
}

// Stream begins the mode of a connection of Listen in which writes do not wait.
func Stream(c net.Conn, patience time.Duration) { c.(*conn).stream(patience) }

// WhenIdle waits for the end of a tail.
func WhenIdle(c net.Conn, after func(error)) bool { return c.(*conn).whenIdle(after) }

// ErrTail is the error of a connection whose tail grew too long.
var ErrTail = errTail

// Look has somebody look at a view, who is no client and is sent nothing.
func (h *Hub) Look(env string, patterns ...string) {
	parsed, err := value.ParsePatterns(patterns)
	if err != nil {
		panic(err)
	}
	v, ok := h.views.seat(&session{hub: h, place: nowhere}, sight{env, access.Whole(access.History), parsed, false}, MaxViews)
	if !ok {
		panic("too many views")
	}
	h.views.refresh(v)
}

// Advance brings all views to what is live, and counts those that changed.
func (h *Hub) Advance() (changed int) {
	h.views.advance(func(*view, bool) { changed++ })
	return changed
}

// Behind counts the views of an environment that stand at a version that is not among so many newest.
func (h *Hub) Behind(env string, versions int) (n int) {
	recent := h.views.remembered(env)
	h.views.mu.Lock()
	defer h.views.mu.Unlock()
	for _, v := range h.views.byKey {
		if !slices.Contains(recent[:min(versions, len(recent))], v.version.Load()) {
			n++
		}
	}
	return n
}

// Inbox takes bytes apart, as a session does.
type Inbox struct {
	in      *inbox
	Deflate bool
	Heard   []string // texts as they are, control frames with their opcode
}

func (i *Inbox) message(text []byte) error {
	i.Heard = append(i.Heard, string(text))
	return nil
}

func (i *Inbox) control(kind int, payload []byte) error {
	i.Heard = append(i.Heard, fmt.Sprint(kind, " ", string(payload)))
	return nil
}

// Take takes in bytes.
func (i *Inbox) Take(b []byte) (err error) {
	i.in, err = i.in.take(slices.Clone(b), i.Deflate, 0, i)
	return err
}

// Kept is how many bytes wait for the rest of a message; none where there is nothing of one.
func (i *Inbox) Kept() int {
	if i.in == nil {
		return 0
	}
	return 1 + len(i.in.bytes) + len(i.in.message)
}

// Broken tells whether an error is that of a frame that breaks WebSocket itself.
func Broken(err error) bool {
	var broken protocolError
	return errors.As(err, &broken)
}

// Wake has Run look at the clock.
func (h *Hub) Wake() {
	select {
	case h.views.strayed <- struct{}{}:
	default:
	}
}

// Crowd are sessions without connections.
type Crowd struct {
	hub      *Hub
	sessions []*session
}

// NewCrowd has so many look at a view that there is, each in a context, and gives each what it shows.
func (h *Hub) NewCrowd(env string, n int, context func(i int) string, patterns ...string) *Crowd {
	parsed, err := value.ParsePatterns(patterns)
	if err != nil {
		panic(err)
	}
	c := &Crowd{hub: h}
	for i := range n {
		s := &session{hub: h, place: nowhere, who: &access.Identity{Grant: access.Whole(access.History)}}
		p, err := s.speaksOf([]byte(context(i)))
		if err != nil {
			panic(err)
		}
		v, ok := h.views.seat(s, sight{env, s.who.Grant, parsed, false}, MaxViews)
		if !ok {
			panic("too many views")
		}
		h.views.refresh(v)
		s.reply, s.view, s.asks = v.first(p, "", past{}), v, p
		c.sessions = append(c.sessions, s)
	}
	return c
}

// Deliver gives all of them what they lack, and counts the frames, and those that were encoded.
func (c *Crowd) Deliver() (frames, encoded int) {
	seen := map[*frame]bool{}
	for _, s := range c.sessions {
		for f := s.begin(); f != nil; f = s.begin() {
			if frames++; !seen[f] {
				seen[f] = true
				f.parts(false)
			}
			s.writing = false
		}
	}
	return frames, len(seen)
}

// Leave has the first n of them leave.
func (c *Crowd) Leave(n int) {
	for _, s := range c.sessions[:n] {
		c.hub.views.unseat(s)
	}
	c.sessions = c.sessions[n:]
}

// Faces counts the faces and the states of faces whose names the views hold.
func (h *Hub) Faces() (faces, states int) {
	h.views.mu.Lock()
	defer h.views.mu.Unlock()
	for _, v := range h.views.byKey {
		v.mu.Lock()
		if c := v.chooser.Load(); c != nil {
			faces += len(c.faces.all)
		}
		states += len(v.held.all)
		v.mu.Unlock()
	}
	return faces, states
}
