package notify

import (
	"time"

	"github.com/trunkline/trunkline/access"
)

// Observer holds hooks for metrics. Any may be nil. They are called from many goroutines and must not block.
type Observer struct {
	// Sessions is called with 1 for a session that opened and -1 for one that ended.
	Sessions func(change int)
	// Delivered is called for each message handed to a socket, but for the last of a session that ends; a snapshot in chunks is one.
	// bytes are those of its frames, compressed where the client takes them so. delay is the time since its version went live,
	// negative when it tells of none or answers the client.
	Delivered func(kind string, bytes int, delay time.Duration)
	// Answered is called for each message of a client after its hello.
	Answered func(kind string)
	// Ended is called once for each session the server ended, with the reason: a code of the protocol page, or restart, slow,
	// protocol, fault, revoked, changed or expired.
	Ended func(code string)
	// Revealed is called for each message that shows a session sensitive values, by which it was not shown them before, with what it looks
	// at: what it asks for, or what it is granted where that is less.
	Revealed func(who *access.Identity, env, patterns string)
}

func (o Observer) sessions(change int) {
	if o.Sessions != nil {
		o.Sessions(change)
	}
}

func (o Observer) delivered(f *frame, bytes int) {
	if o.Delivered == nil {
		return
	}
	delay := time.Duration(-1)
	if !f.since.IsZero() {
		delay = time.Since(f.since)
	}
	o.Delivered(f.kind, bytes, delay)
}

func (o Observer) answered(kind string) {
	if o.Answered != nil {
		o.Answered(kind)
	}
}

func (o Observer) ended(code string) {
	if o.Ended != nil {
		o.Ended(code)
	}
}
