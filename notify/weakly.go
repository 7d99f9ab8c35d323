package notify

import (
	"maps"
	"weak"
)

// weakly finds by name what somebody uses, and holds nothing that nobody does. The zero one is empty.
type weakly[K comparable, T any] struct {
	all  map[K]weak.Pointer[T]
	full int // the size at which names of what is gone are taken out
}

// find finds what is in use, or nil.
func (w *weakly[K, T]) find(name K) *T { return w.all[name].Value() }

// get finds what is in use, or makes it and notes it.
func (w *weakly[K, T]) get(name K, make func() *T) *T {
	if one := w.find(name); one != nil {
		return one
	}
	one := make()
	w.put(name, one)
	return one
}

func (w *weakly[K, T]) put(name K, one *T) {
	if w.all == nil {
		w.all = map[K]weak.Pointer[T]{}
	}
	if len(w.all) >= max(w.full, leastSwept) {
		maps.DeleteFunc(w.all, func(_ K, p weak.Pointer[T]) bool { return p.Value() == nil })
		w.full = 2 * len(w.all)
	}
	w.all[name] = weak.Make(one)
}

// each visits all that is in use.
func (w *weakly[K, T]) each(visit func(*T)) {
	for _, p := range w.all {
		if one := p.Value(); one != nil {
			visit(one)
		}
	}
}
