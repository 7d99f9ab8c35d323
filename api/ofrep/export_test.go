package ofrep

import (
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/value"
)

// OnReveal sets who is told of what was revealed.
func (h *Handler) OnReveal(f func(who *access.Identity, env, path string)) { h.o.Revealed = f }

// Clock has the handler go by another clock.
func (h *Handler) Clock(now func() time.Time) { h.now = now }

// Limits that tests reach.
const (
	MaxFlags  = maxFlags
	Heartbeat = heartbeat
	Patience  = writePatience
)

// Attributes is what a body says of who is asked about.
func Attributes(body []byte) (*value.Value, bool) {
	in := readers.Get().(*reader)
	defer in.release()
	in.body = append(in.body, body...)
	v, failed := in.attributes(true)
	return v, failed == nil
}
