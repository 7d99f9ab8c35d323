package notify

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// views are all views. They are kept in groups that see the same tree; an index over their patterns finds those that a version
// touches. The others are left at the version they were made from, which shows the same.
type views struct {
	live    Live
	clock   func() time.Time // by which ramps and schedules go
	strayed chan struct{}    // holds one where a view may have missed a version

	mu     sync.Mutex
	byKey  map[string]*view
	groups map[groupKey]*group
	recent map[string][]*apply.Version // by environment, newest first
}

// groupKey tells which tree of a version is seen.
type groupKey struct {
	env     string
	reveals bool
}

func (s sight) group() groupKey { return groupKey{s.env, s.grant.May(access.Reveal)} }

// group is the views of one tree. What each shows is what it would show of the version at, unless it is a stray.
type group struct {
	groupKey
	at    *apply.Version
	mark  *mark  // of at
	shown string // the commit that all views show but those that stand at a newer one
	all   []*view
	next  int                // of all, in turns
	whole map[*view]struct{} // who looks at everything
	open  map[*view]struct{} // whose scope is what a version's manifest calls public
	apart map[*view]struct{} // of which something depends on who asks
	index value.Index[*view]
	stray map[*view]struct{}
}

// mark names a version, and nothing more: it may be kept for long.
type mark struct{ commit string }

func newViews(live Live) *views {
	return &views{
		live: live, clock: time.Now, strayed: make(chan struct{}, 1), byKey: map[string]*view{}, groups: map[groupKey]*group{}, recent: map[string][]*apply.Version{},
	}
}

// seat makes a session a member of the view of a sight, which may be new, and of no other. It reports false when there are too many.
func (vs *views) seat(s *session, at sight, most int) (*view, bool) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	key := at.key()
	v := vs.byKey[key]
	if v != nil && v == s.seated {
		return v, true
	}
	vs.leave(s)
	if v == nil {
		if len(vs.byKey) >= most {
			return nil, false
		}
		v = newView(at, key)
		vs.byKey[key] = v
		vs.group(v).add(v)
	}
	v.add(s)
	s.seated = v
	return v, true
}

// unseat ends a session's membership.
func (vs *views) unseat(s *session) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	vs.leave(s)
}

// leave ends a session's membership, and forgets the view when it was the last. The lock must be held.
func (vs *views) leave(s *session) {
	v := s.seated
	s.seated = nil
	if v == nil || !v.remove(s) {
		return
	}
	delete(vs.byKey, v.key)
	if g := vs.group(v); g.remove(v) {
		delete(vs.groups, g.groupKey)
	}
}

func (vs *views) group(v *view) *group {
	key := v.group()
	g := vs.groups[key]
	if g == nil {
		g = &group{groupKey: key, whole: map[*view]struct{}{}, open: map[*view]struct{}{}, apart: map[*view]struct{}{}, stray: map[*view]struct{}{}}
		vs.groups[key] = g
	}
	return g
}

func (g *group) add(v *view) {
	v.turn = len(g.all)
	g.all = append(g.all, v)
	if patterns, whole := v.watched(); whole {
		g.whole[v] = struct{}{}
	} else {
		g.index.Add(patterns, v)
	}
	if v.grant.Public() {
		g.open[v] = struct{}{}
	}
}

// remove reports whether no view is left.
func (g *group) remove(v *view) bool {
	last := g.all[len(g.all)-1]
	g.all[v.turn], last.turn = last, v.turn
	g.all[len(g.all)-1] = nil
	g.all = g.all[:len(g.all)-1]
	if patterns, whole := v.watched(); !whole {
		g.index.Remove(patterns, v)
	}
	delete(g.whole, v)
	delete(g.open, v)
	delete(g.apart, v)
	delete(g.stray, v)
	return len(g.all) == 0
}

// remembered are the newest versions of an environment, the newest first.
func (vs *views) remembered(env string) []*apply.Version {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	return vs.recent[env]
}

// refresh brings a view to what is live, ahead of its group. It reports whether what it shows changed, which its members lack then,
// and whether its environment is served.
func (vs *views) refresh(v *view) (changed, served bool) {
	if changed, served = v.refresh(vs.live, vs.clock, nil); served {
		vs.settle(v)
	}
	return changed, served
}

// settle notes whether a view depends on who asks, and sees to it that it is looked at again where it stands at another version than its
// group: what lies between was compared with the group's.
func (vs *views) settle(v *view) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	g := vs.groups[v.group()]
	if g == nil || vs.byKey[v.key] != v {
		return
	}
	if v.apart() {
		g.apart[v] = struct{}{}
	} else {
		delete(g.apart, v)
	}
	if v.version.Load() == g.at {
		return
	}
	g.stray[v] = struct{}{}
	select {
	case vs.strayed <- struct{}{}:
	default:
	}
}

// advance brings every view that what is live touches, or the time, to it, and calls bring for those that changed, or whose environment
// is gone. It tells when time touches something next; zero is never.
func (vs *views) advance(bring func(v *view, served bool)) (next time.Time) {
	vs.remember()
	now := vs.clock()
	for _, g := range vs.allGroups() {
		touched, until := vs.touched(g, now)
		for _, v := range touched {
			changed, served := v.refresh(vs.live, vs.clock, until)
			if served {
				vs.settle(v)
			}
			if changed || !served {
				bring(v, served)
			}
		}
		if at := vs.shows(g, now); !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

// shows notes that the views of a group have been brought to where it is, and tells when time touches something of it next.
func (vs *views) shows(g *group, now time.Time) (next time.Time) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	if g.shown = ""; g.at == nil {
		return next
	}
	g.shown = g.at.ID
	if set := laid(g.at, g.reveals); set != nil && g.at.Held.IsZero() {
		next, _ = set.Next(now)
	}
	return next
}

// shown are the commits that the views of each group show, but for those that stand at a newer one.
func (vs *views) shown() map[groupKey]string {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	all := make(map[groupKey]string, len(vs.groups))
	for key, g := range vs.groups {
		all[key] = g.shown
	}
	return all
}

// remember keeps the newest versions of each environment, so that cursors of a while ago are understood.
func (vs *views) remember() {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	remembered := make(map[string][]*apply.Version, len(vs.recent))
	for _, env := range vs.live.Environments() {
		recent, v := vs.recent[env], vs.live.Get(env)
		if v != nil && (len(recent) == 0 || recent[0] != v) {
			recent = append([]*apply.Version{v}, recent[:min(len(recent), kept-1)]...)
		}
		remembered[env] = recent
	}
	vs.recent = remembered
}

func (vs *views) allGroups() []*group {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	all := make([]*group, 0, len(vs.groups))
	for _, g := range vs.groups {
		all = append(all, g)
	}
	return all
}

// touched moves a group to what is live, and returns the views that it may show otherwise, and the version until which they showed
// what they do.
func (vs *views) touched(g *group, now time.Time) ([]*view, *mark) {
	version := vs.live.Get(g.env)
	vs.mu.Lock()
	defer vs.mu.Unlock()
	found, until := g.stray, g.mark
	g.stray = map[*view]struct{}{}
	switch {
	case len(g.all) == 0:
		return nil, nil
	case version == nil:
		g.at, g.mark = nil, nil
		return slices.Clone(g.all), until
	case g.at == nil:
		g.at, g.mark = version, &mark{version.ID}
		return slices.Clone(g.all), until
	case version == g.at:
		g.step(found, version.Clock(now))
		return keys(found), nil
	}
	g.find(found, version)
	g.step(found, version.Clock(now))
	g.at, g.mark = version, &mark{version.ID}
	return keys(found), until
}

// find adds the views that a version touches. Some others come along, in turns: a view that no change touches would else keep the
// tree it was made from for ever.
func (g *group) find(found map[*view]struct{}, version *apply.Version) {
	add := func(views map[*view]struct{}) { maps.Copy(found, views) }
	add(g.whole)
	add(g.index.Touched(g.full(g.at), g.full(version)))
	if set := laid(version, g.reveals); set != laid(g.at, g.reveals) {
		add(g.apart)
		g.findSet(set, add)
	} else if !g.at.Held.Equal(version.Held) {
		add(g.apart)
	}
	if !slices.EqualFunc(g.at.Snapshot.Manifest.Public, version.Snapshot.Manifest.Public, samePattern) {
		add(g.open)
	}
	for range len(g.all)/kept + 1 {
		g.next = (g.next + 1) % len(g.all)
		found[g.all[g.next]] = struct{}{}
	}
}

// findSet adds the views that see something of what overrides set.
func (g *group) findSet(set *experiment.Set, add func(map[*view]struct{})) {
	if set == nil {
		return
	}
	for arm := range set.Arms() {
		for _, s := range arm.Settings {
			at := s.Value
			for _, key := range slices.Backward(s.Path) {
				at = value.NewMap([]value.Entry{{Key: key, Value: at}}, value.Place{})
			}
			add(g.index.Touched(value.Empty, at))
		}
	}
}

// step adds the views in which something else may be chosen by now.
func (g *group) step(found map[*view]struct{}, now time.Time) {
	for v := range g.apart {
		if c := v.chooser.Load(); c != nil && !c.holds(now) {
			found[v] = struct{}{}
		}
	}
}

func samePattern(a, b value.Pattern) bool { return a.String() == b.String() }

// full is the tree of a version that the group sees.
func (g *group) full(v *apply.Version) *value.Value { return full(v, g.reveals) }

func keys(m map[*view]struct{}) []*view {
	all := make([]*view, 0, len(m))
	for v := range m {
		all = append(all, v)
	}
	return all
}
