package gitsync

import (
	"container/heap"
	"errors"
	"sync"
)

// Beyond lists the commits that are reachable from head and from none of covered, head first and no commit before one that descends
// from it. all is false when there are more than limit, of which it then names limit. A covered commit that the mirror does not
// hold covers nothing.
//
// It is exact, whatever dates the commits claim: the walk goes by how far each commit is from the beginnings of history. Where
// merges make that necessary, these distances are counted once, which takes a look at every commit.
func (f *Follower) Beyond(head Hash, covered []Hash, limit int) (list []Hash, all bool, err error) {
	if list, ends, err := f.store.straight(head, covered, limit); err != nil || ends {
		return list, true, err
	}
	w := &descent{store: f.store, levels: &f.levels, painted: map[Hash]bool{}}
	for _, h := range covered {
		if err := w.add(h, true); err != nil && !errors.Is(err, ErrNotFound) {
			return nil, false, err
		}
	}
	if err := w.add(head, false); err != nil {
		return nil, false, err
	}
	return w.walk(limit)
}

// straight follows single parents down to the one covered commit. ends is false when the way is another: over merges, past several
// covered commits, of which one may lie above, or too long.
func (s *store) straight(head Hash, covered []Hash, limit int) (list []Hash, ends bool, err error) {
	if len(covered) != 1 {
		return nil, false, nil
	}
	for at := head; len(list) <= limit; {
		if at == covered[0] {
			return list, true, nil
		}
		l, err := s.links(at)
		if err != nil || len(l.parents) != 1 {
			return nil, false, err
		}
		list = append(list, at)
		at = l.parents[0]
	}
	return nil, false, nil
}

// descent is a walk from higher to lower levels. A commit stands higher than all its ancestors, so that whether it is painted is
// settled when its turn comes.
type descent struct {
	store   *store
	levels  *levels
	painted map[Hash]bool // by the commits that were met
	queue   byLevel
	plain   int // how many in the queue are not painted
}

func (w *descent) add(h Hash, painted bool) error {
	was, known := w.painted[h]
	if known {
		if painted && !was {
			w.painted[h] = true
			w.plain--
		}
		return nil
	}
	level, err := w.levels.of(w.store, h)
	if err != nil {
		return err
	}
	if w.painted[h] = painted; !painted {
		w.plain++
	}
	heap.Push(&w.queue, levelled{h, level})
	return nil
}

func (w *descent) walk(limit int) (list []Hash, all bool, err error) {
	for w.plain > 0 {
		at := heap.Pop(&w.queue).(levelled).hash
		painted := w.painted[at]
		if !painted {
			if w.plain--; len(list) == limit {
				return list, false, nil
			}
			list = append(list, at)
		}
		l, err := w.store.links(at)
		if err != nil {
			return nil, false, err
		}
		for _, p := range l.parents {
			if err := w.add(p, painted); err != nil {
				return nil, false, err
			}
		}
	}
	return list, true, nil
}

// levels remembers how many commits lie on the longest way down from a commit.
type levels struct {
	mu    sync.Mutex
	known map[Hash]int
}

func (l *levels) of(s *store, h Hash) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known == nil {
		l.known = map[Hash]int{}
	}
	if level, known := l.known[h]; known {
		return level, nil
	}
	for todo := []Hash{h}; len(todo) > 0; {
		at := todo[len(todo)-1]
		parents, err := s.links(at)
		if err != nil {
			return 0, err
		}
		level, missing := 0, false
		for _, p := range parents.parents {
			below, known := l.known[p]
			if !known {
				todo, missing = append(todo, p), true
			}
			level = max(level, below+1)
		}
		if !missing {
			l.known[at] = level
			todo = todo[:len(todo)-1]
		}
	}
	return l.known[h], nil
}

type levelled struct {
	hash  Hash
	level int
}

// byLevel is a heap with the highest commit on top.
type byLevel []levelled

func (q byLevel) Len() int           { return len(q) }
func (q byLevel) Less(i, j int) bool { return q[i].level > q[j].level }
func (q byLevel) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *byLevel) Push(x any)        { *q = append(*q, x.(levelled)) }

func (q *byLevel) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}
