package value

// Index finds who looks at what a change of a tree touches, without asking one after the other: what it takes depends on what changed
// and on who is found, not on how many there are. The zero Index is empty. It must not be used from several goroutines at once.
type Index[T comparable] struct {
	root watched[T]
	turn uint64
}

// watched is a place in the trie of all patterns.
type watched[T comparable] struct {
	who   map[T]struct{} // whose patterns end here
	keys  map[string]*watched[T]
	one   *watched[T] // behind *
	deep  *watched[T] // behind **, which also stands for nothing
	loops bool        // is itself behind **, and so stands for every place below, too
	turn  uint64      // of the front that it was put into last
}

// Add notes that someone looks at what the patterns select.
func (x *Index[T]) Add(patterns []Pattern, who T) {
	for _, p := range patterns {
		at := &x.root
		for _, s := range p.segments {
			at = at.into(s)
		}
		if at.who == nil {
			at.who = map[T]struct{}{}
		}
		at.who[who] = struct{}{}
	}
}

func (w *watched[T]) into(s patternSegment) *watched[T] {
	switch s.wild {
	case one:
		if w.one == nil {
			w.one = &watched[T]{}
		}
		return w.one
	case deep:
		if w.deep == nil {
			w.deep = &watched[T]{loops: true}
		}
		return w.deep
	}
	if w.keys == nil {
		w.keys = map[string]*watched[T]{}
	}
	if w.keys[s.key] == nil {
		w.keys[s.key] = &watched[T]{}
	}
	return w.keys[s.key]
}

// Remove takes back an Add.
func (x *Index[T]) Remove(patterns []Pattern, who T) {
	for _, p := range patterns {
		x.root.remove(p.segments, who)
	}
}

// remove reports whether nothing is left.
func (w *watched[T]) remove(segments []patternSegment, who T) bool {
	if len(segments) == 0 {
		delete(w.who, who)
	} else {
		w.removeBelow(segments[0], segments[1:], who)
	}
	return len(w.who) == 0 && len(w.keys) == 0 && w.one == nil && w.deep == nil
}

func (w *watched[T]) removeBelow(s patternSegment, rest []patternSegment, who T) {
	switch {
	case s.wild == one && w.one != nil:
		if w.one.remove(rest, who) {
			w.one = nil
		}
	case s.wild == deep && w.deep != nil:
		if w.deep.remove(rest, who) {
			w.deep = nil
		}
	case s.wild == literal && w.keys[s.key] != nil:
		if w.keys[s.key].remove(rest, who) {
			delete(w.keys, s.key)
		}
	}
}

// Touched are those for whom a selection from the two trees may differ, each once. Nobody whose selections differ is missing.
func (x *Index[T]) Touched(old, new *Value) map[T]struct{} {
	touched := map[T]struct{}{}
	x.turn++
	x.walk(x.root.append(nil, x.turn), old, new, touched)
	return touched
}

// append puts a place into a front, with those that ** reaches from it by standing for nothing.
func (w *watched[T]) append(front []*watched[T], turn uint64) []*watched[T] {
	for ; w != nil && w.turn != turn; w = w.deep {
		w.turn = turn
		front = append(front, w)
	}
	return front
}

// walk goes down where the trees differ and somebody looks. Either side may be nil.
func (x *Index[T]) walk(front []*watched[T], old, new *Value, touched map[T]struct{}) {
	if len(front) == 0 || old == new || old != nil && new != nil && Equal(old, new) {
		return
	}
	for _, w := range front {
		for who := range w.who {
			touched[who] = struct{}{}
		}
	}
	eachDiffering(members(old), members(new), func(key string, old, new *Value) {
		x.walk(x.step(front, key), old, new, touched)
	})
}

// members are those of a map; a list is one value.
func members(v *Value) []Entry {
	if v == nil || v.Kind() != Map {
		return nil
	}
	return v.Entries()
}

// eachDiffering calls f for the members that are not the same in two maps, in the order of their keys.
func eachDiffering(old, new []Entry, f func(key string, old, new *Value)) {
	for len(old) > 0 || len(new) > 0 {
		switch {
		case len(new) == 0 || len(old) > 0 && old[0].Key < new[0].Key:
			f(old[0].Key, old[0].Value, nil)
			old = old[1:]
		case len(old) == 0 || new[0].Key < old[0].Key:
			f(new[0].Key, nil, new[0].Value)
			new = new[1:]
		default:
			if old[0].Value != new[0].Value {
				f(old[0].Key, old[0].Value, new[0].Value)
			}
			old, new = old[1:], new[1:]
		}
	}
}

// step is the front one segment further down.
func (x *Index[T]) step(front []*watched[T], key string) []*watched[T] {
	x.turn++
	var next []*watched[T]
	for _, w := range front {
		if w.loops {
			next = w.append(next, x.turn)
		}
		next = w.keys[key].append(next, x.turn)
		next = w.one.append(next, x.turn)
	}
	return next
}
