package api

import (
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// reading is what one reader asks of one version: the values as they are configured, and what may be laid over them for whom it is asked
// about.
type reading struct {
	version   *apply.Version
	past      string // the commit where an earlier version was asked for
	who       *access.Identity
	values    *value.Value // as configured, narrowed to what is seen
	overrides *experiment.Set
	settable  *settable // nil where nothing is laid over the values
	context   *experiment.Context
	choices   []experiment.Choice
}

// decide finds out what is in effect for whom it is asked about.
func (rd *reading) decide(now time.Time) {
	if rd.overrides != nil && rd.choices == nil {
		rd.choices = rd.overrides.Choose(make([]experiment.Choice, 0, 8), rd.context, rd.version.Clock(now))
	}
}

// overridden tells whether something may be laid over what stands at a path, or over a part of it.
func (rd *reading) overridden(text string) bool { return rd.settable != nil && rd.settable.meets(text) }

// all are all values that are seen.
func (rd *reading) all() *value.Value { return rd.shown(rd.who.Grant.May(access.Reveal)) }

// shown are all values that are seen with the right to reveal, or without it.
func (rd *reading) shown(reveals bool) *value.Value {
	rd.decide(time.Now())
	if len(rd.choices) == 0 && reveals == rd.who.Grant.May(access.Reveal) {
		return rd.values
	}
	base, overrides := rd.version.Snapshot.Of(reveals)
	if len(rd.choices) > 0 {
		base = overrides.Values(base, rd.choices)
	}
	return scope(rd.version, rd.who).Select(base)
}

// lookup is the value at a path.
func (rd *reading) lookup(text string) (*value.Value, bool) {
	if !rd.overridden(text) {
		return rd.values.Lookup(text)
	}
	path, err := value.ParsePath(text)
	if err != nil {
		return nil, false
	}
	rd.decide(time.Now())
	return resolved(rd.version, rd.who, rd.who.Grant.May(access.Reveal), rd.choices, path)
}

// plain is the value at a path as it is seen without the right to reveal.
func (rd *reading) plain(text string) (*value.Value, bool) {
	path, err := value.ParsePath(text)
	if err != nil {
		return nil, false
	}
	if rd.overridden(text) {
		rd.decide(time.Now())
	}
	return resolved(rd.version, rd.who, false, rd.choices, path)
}

// resolved is what stands at a path for who has some choices, as far as the reader sees it.
func resolved(v *apply.Version, who *access.Identity, reveals bool, choices []experiment.Choice, path value.Path) (*value.Value, bool) {
	base, overrides := v.Snapshot.Of(reveals)
	found, ok := base.At(path)
	if len(choices) > 0 {
		found, ok = overrides.Value(base, choices, path)
	}
	may := scope(v, who)
	if !ok || may.Sees(path) {
		return found, ok
	}
	return may.Select(experiment.Setting{Path: path, Value: found}.Tree()).At(path)
}

// headerContext holds the context of a read, where its attributes must not stand in logs of addresses.
const headerContext = "Trunkline-Context"

// contextOf is who a read is about: the parameter context, or the header, a map of attributes as JSON, with what the credential says laid
// over it. It is nil where nothing is said of anybody.
func contextOf(r *http.Request, who *access.Identity) (*experiment.Context, *problem) {
	headers := r.Header[headerContext]
	if raw := r.URL.RawQuery; !strings.Contains(raw, "context=") && !strings.Contains(raw, "%") && headers == nil && who.Claims == nil {
		return nil, nil // most say nothing, and are told by a glance
	}
	text := queryValue(r, "context")
	switch {
	case len(headers) > 1 || len(headers) == 1 && text != "":
		return nil, badContext("the context is given more than once")
	case len(headers) == 1:
		text = headers[0]
	}
	if text == "" {
		return about(value.Empty, who)
	}
	if len(text) > experiment.MaxContextBytes {
		return nil, badContext("the context is too large")
	}
	attributes, err := value.ParseJSON([]byte(text))
	if err != nil {
		return nil, badContext("the context is not JSON: " + clip(err.Error()))
	}
	return about(attributes, who)
}

// saysContext tells whether a request itself names whom it is about.
func saysContext(r *http.Request) bool {
	return r.Header[headerContext] != nil || queryValue(r, "context") != ""
}

// about is a context of some attributes, with what the credential says laid over them.
func about(attributes *value.Value, who *access.Identity) (*experiment.Context, *problem) {
	if attributes.Kind() == value.Map && attributes.Len() == 0 && who.Claims == nil {
		return nil, nil
	}
	context, err := experiment.ParseContext(attributes)
	if err != nil {
		return nil, badContext(err.Error())
	}
	if who.Claims != nil {
		context = context.With(who.Claims)
	}
	return &context, nil
}

func badContext(message string) *problem {
	return &problem{http.StatusBadRequest, "badContext", message, `send a map of attributes, as context={"targetingKey": "u1"} or in the header ` + headerContext}
}

var contextOfThePast = &problem{
	http.StatusBadRequest, "contextOfThePast", "an earlier version is read as it was configured: who would have got what is not told",
	"leave out the context, or at",
}

// settable are the paths that something sets, as a tree.
type settable struct {
	set     bool // itself
	members map[string]*settable
}

// meets tells whether something sets a path, or one above or below it. It takes no memory for a path of plain segments.
func (s *settable) meets(text string) bool {
	if strings.ContainsAny(text, `["/`) {
		path, err := value.ParsePath(text)
		return err == nil && s.meetsPath(path)
	}
	for at := s; ; {
		if at.set || text == "" {
			return true
		}
		var key string
		key, text, _ = strings.Cut(text, ".")
		if at = at.members[key]; at == nil {
			return false
		}
	}
}

func (s *settable) meetsPath(path value.Path) bool {
	for _, key := range path {
		if s == nil || s.set {
			break
		}
		s = s.members[key]
	}
	return s != nil
}

func (s *settable) add(path value.Path) {
	for _, key := range path {
		if s.members == nil {
			s.members = map[string]*settable{}
		}
		if s.members[key] == nil {
			s.members[key] = &settable{}
		}
		s = s.members[key]
	}
	s.set = true
}

// settables keeps, for each environment, what its overrides set.
type settables struct {
	kept atomic.Pointer[map[string]settableOf]
}

type settableOf struct {
	set  *experiment.Set
	tree *settable
}

// of is what may be laid over the values of a version; nil where nothing may be.
func (s *settables) of(v *apply.Version) *settable {
	set := v.Snapshot.Overrides
	if set == nil {
		return nil
	}
	kept := s.kept.Load()
	if kept != nil {
		if one := (*kept)[v.Snapshot.Environment]; one.set == set {
			return one.tree
		}
	}
	tree := &settable{}
	for arm := range set.Arms() {
		for _, setting := range arm.Settings {
			tree.add(setting.Path)
		}
	}
	next := map[string]settableOf{v.Snapshot.Environment: {set, tree}}
	if kept != nil {
		for env, one := range *kept {
			if env != v.Snapshot.Environment && len(next) < maxSights {
				next[env] = one
			}
		}
	}
	s.kept.Store(&next) // another one that was stored meanwhile is made again
	return tree
}
