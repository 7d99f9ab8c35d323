package access

import (
	"container/heap"
	"slices"
	"sync"
	"time"
)

// End is why a credential ended.
type End string

// The ends. After [Changed] the same credential is good again, for something else.
const (
	Revoked End = "revoked"
	Changed End = "changed"
	Expired End = "expired"
)

// lifetimes tells sessions that their credential has ended. It holds those credentials alone that a session depends on, and costs
// no goroutine or timer a session: tick is called often enough.
type lifetimes struct {
	mu  sync.Mutex
	due dueHeap // of those that expire and are waited for
}

// lifetime is that of one credential.
type lifetime struct {
	in      *lifetimes
	expires time.Time          // zero: never
	judge   func() (End, bool) // tells whether the credential has ended for another reason than time; may be nil

	// Guarded by in.mu.
	ended  End
	first  *waiter
	at     int // in the heap, when queued
	queued bool
}

// waiter is one session, a member of a doubly linked list.
type waiter struct {
	of         *lifetime
	f          func(End)
	prev, next *waiter
	done       bool
}

func (l *lifetimes) begin(expires time.Time) *lifetime { return &lifetime{in: l, expires: expires} }

// over tells whether the credential has ended for another reason than time.
func (l *lifetime) over() bool {
	l.in.mu.Lock()
	ended := l.ended != ""
	l.in.mu.Unlock()
	if !ended && l.judge != nil {
		_, ended = l.judge()
	}
	return ended
}

// waited tells whether a session depends on the credential.
func (l *lifetime) waited() bool {
	l.in.mu.Lock()
	defer l.in.mu.Unlock()
	return l.first != nil
}

func (l *lifetime) onEnd(f func(End)) (stop func() bool) {
	w := &waiter{of: l, f: f}
	l.in.mu.Lock()
	if why := l.ended; why != "" {
		l.in.mu.Unlock()
		f(why)
		return func() bool { return false }
	}
	w.next = l.first
	if w.next != nil {
		w.next.prev = w
	}
	l.first = w
	if !l.queued && !l.expires.IsZero() {
		heap.Push(&l.in.due, l)
	}
	l.in.mu.Unlock()
	// Asked after the session is in the list: a change is seen here or by whoever made it.
	if l.judge != nil {
		if why, ended := l.judge(); ended {
			l.end(why)
		}
	}
	return w.stop
}

func (w *waiter) stop() bool {
	l := w.of
	l.in.mu.Lock()
	defer l.in.mu.Unlock()
	if w.done {
		return false
	}
	w.done = true
	if w.next != nil {
		w.next.prev = w.prev
	}
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		l.first = w.next
	}
	if l.first == nil && l.queued {
		heap.Remove(&l.in.due, l.at)
	}
	return true
}

// end tells all sessions, once.
func (l *lifetime) end(why End) {
	l.in.mu.Lock()
	told := l.take(why)
	l.in.mu.Unlock()
	for ; told != nil; told = told.next {
		told.f(why)
	}
}

// take ends the lifetime and returns whom to tell. The lock must be held.
func (l *lifetime) take(why End) *waiter {
	if l.ended != "" {
		return nil
	}
	told := l.first
	l.ended, l.first = why, nil
	for w := told; w != nil; w = w.next {
		w.done = true
	}
	if l.queued {
		heap.Remove(&l.in.due, l.at)
	}
	return told
}

// tick ends what has expired.
func (l *lifetimes) tick(now time.Time) {
	for {
		l.mu.Lock()
		if len(l.due) == 0 || now.Before(l.due[0].expires) {
			l.mu.Unlock()
			return
		}
		first := l.due[0]
		l.mu.Unlock()
		first.end(Expired)
	}
}

// judged are those that their judges find to have ended.
func (l *lifetimes) judged() (over endings) {
	l.mu.Lock()
	waited := slices.Clone(l.due)
	l.mu.Unlock()
	for _, life := range waited {
		if why, ended := life.judge(); ended {
			over = append(over, ending{life, why})
		}
	}
	return over
}

// endings are credentials that have ended, to be told of when no lock is held.
type endings []ending

type ending struct {
	of  *lifetime
	why End
}

func (e endings) tell() {
	for _, one := range e {
		one.of.end(one.why)
	}
}

// dueHeap has the lifetime that expires first at its head.
type dueHeap []*lifetime

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].expires.Before(h[j].expires) }

func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

func (h *dueHeap) Push(x any) {
	l := x.(*lifetime)
	l.at, l.queued = len(*h), true
	*h = append(*h, l)
}

func (h *dueHeap) Pop() any {
	old := *h
	l := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	l.queued = false
	return l
}
