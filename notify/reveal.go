package notify

import (
	"sync"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// revealing tells whether a frame shows what is redacted for those who may not see it: of all values, or where it leads from a state to
// another, of those that differ, and of the definitions where it brings them. That is found out once, when the frame has been handed to the
// first socket, and what is looked at is returned; nil where there is nothing of the kind. It is nil itself for views that reveal nothing.
// The view's lock must be held.
func (v *view) revealing(p *person, from, to *state, defines bool) func() *sight {
	if !v.grant.May(access.Reveal) {
		return nil
	}
	version, scope := v.version.Load(), v.seen.scope
	var choices []experiment.Choice
	if p != nil && p.face != nil {
		choices = p.face.choices
	}
	var had *value.Value
	if from != nil {
		had = from.values
	}
	return sync.OnceValue(func() *sight {
		all, own := version.Snapshot.Of(true)
		plain, others := version.Snapshot.Of(false)
		if len(choices) > 0 {
			all, plain = own.Values(all, choices), others.Values(plain, choices)
		}
		told := defines && to.definitions != nil && own != others && !value.Equal(to.definitions, definitions(version, others, scope))
		if told || news(to.values, had, all, plain) {
			return &v.sight
		}
		return nil
	})
}

// news tells whether something that is shown is redacted for others, and was not shown before. all and plain are what stands there, and what
// others get in its place.
func news(shown, had, all, plain *value.Value) bool {
	switch {
	case value.Equal(shown, had) || value.Equal(all, plain):
		return false
	case all.Kind() != value.Map || plain == nil || plain.Kind() != value.Map:
		return true
	}
	for _, e := range shown.Entries() {
		if news(e.Value, child(had, e.Key), child(all, e.Key), child(plain, e.Key)) {
			return true
		}
	}
	return false
}

// child is what a map holds by a key; nil where there is none.
func child(of *value.Value, key string) *value.Value {
	if of == nil {
		return nil
	}
	found, _ := of.Get(key)
	return found
}

// reveal tells of a frame that the session was sent, if it shows what is sensitive.
func (s *session) reveal(f *frame) {
	if f.reveals == nil || s.hub.o.Observe.Revealed == nil {
		return
	}
	if at := f.reveals(); at != nil {
		s.hub.o.Observe.Revealed(s.who, at.env, at.text())
	}
}
