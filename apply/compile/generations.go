package compile

// generations is a cache that keeps what this commit or the one before used.
type generations[K comparable, V any] struct {
	before map[K]V
	now    map[K]V
}

func (g *generations[K, V]) get(k K) (V, bool) {
	if v, ok := g.now[k]; ok {
		return v, true
	}
	v, ok := g.before[k]
	if ok {
		g.put(k, v)
	}
	return v, ok
}

func (g *generations[K, V]) put(k K, v V) {
	if g.now == nil {
		g.now = map[K]V{}
	}
	g.now[k] = v
}

func (g *generations[K, V]) next() { g.before, g.now = g.now, nil }
