package gitsync

import (
	"container/heap"
	"math"
)

// merged finds the authors of the commits reachable from a merge's other parents and not from its first. It goes from newer to
// older and paints what the first parent reaches, until only painted commits are left: so its cost is the size of what was
// merged and not of the history.
func (s *store) merged(parents []Hash) ([]Person, error) {
	w := &painting{store: s, marks: map[Hash]mark{}, oldest: math.MaxInt64}
	if err := w.add(parents[0], true); err != nil {
		return nil, err
	}
	for _, p := range parents[1:] {
		if err := w.add(p, false); err != nil {
			return nil, err
		}
	}
	side, err := w.walk()
	if err != nil {
		return nil, err
	}
	return s.authors(side)
}

func (s *store) authors(commits []Hash) ([]Person, error) {
	seen := map[string]bool{}
	var people []Person
	for _, h := range commits {
		c, err := s.commit(h)
		if err != nil {
			return nil, err
		}
		p := person(c.Author)
		if seen[identity(p)] {
			continue
		}
		seen[identity(p)] = true
		if people = append(people, p); len(people) == maxMerged {
			break
		}
	}
	return people, nil
}

// painting is a walk from newer to older commits.
type painting struct {
	store *store
	marks map[Hash]mark
	queue byDate
	plain int // how many in the queue are not painted

	oldest int64 // date of the oldest that was passed unpainted
	steps  int
}

// mark is what the walk knows of a commit.
type mark struct {
	painted bool // reachable from the first parent
	queued  bool
}

type dated struct {
	hash Hash
	links
}

// add queues a commit, or paints it. One that was passed unpainted is queued again, so that its ancestors are painted too.
func (w *painting) add(h Hash, painted bool) error {
	was, known := w.marks[h]
	if known && (was.painted || !painted) {
		return nil
	}
	w.marks[h] = mark{painted: painted, queued: true}
	if was.queued {
		w.plain--
		return nil
	}
	l, err := w.store.links(h)
	if err != nil {
		return err
	}
	if !painted {
		w.plain++
	}
	heap.Push(&w.queue, dated{h, l})
	return nil
}

func (w *painting) walk() ([]Hash, error) {
	var side []Hash
	for slop := mergeSlop; w.queue.Len() > 0 && slop > 0 && w.steps < maxMergeWalk; w.steps++ {
		if w.plain == 0 && w.queue[0].when < w.oldest {
			slop--
		}
		at := heap.Pop(&w.queue).(dated)
		painted := w.marks[at.hash].painted
		w.marks[at.hash] = mark{painted: painted}
		if !painted {
			w.plain--
			side = append(side, at.hash)
			w.oldest = min(w.oldest, at.when)
		}
		for _, p := range at.parents {
			if err := w.add(p, painted); err != nil {
				return nil, err
			}
		}
	}
	// A clock that went wrong makes a commit older than its parent: then it was counted before it was painted. The slop is for
	// them, too: Git allows for five such commits, and that is not always enough.
	plain := side[:0]
	for _, h := range side {
		if !w.marks[h].painted {
			plain = append(plain, h)
		}
	}
	return plain, nil
}

// byDate is a heap with the newest commit on top.
type byDate []dated

func (q byDate) Len() int           { return len(q) }
func (q byDate) Less(i, j int) bool { return q[i].when > q[j].when }
func (q byDate) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *byDate) Push(x any)        { *q = append(*q, x.(dated)) }

func (q *byDate) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}
