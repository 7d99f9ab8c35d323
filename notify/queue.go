package notify

import "sync"

// queue holds the sessions that may lack something, each once, for the writers.
type queue struct {
	mu       sync.Mutex
	grown    sync.Cond
	sessions []*session
	closed   bool
}

func (q *queue) add(s *session) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.append(s)
	q.grown.Signal()
}

func (q *queue) addAll(sessions []*session) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, s := range sessions {
		q.append(s)
	}
	q.grown.Broadcast()
}

// append adds a session that does not wait already. The lock must be held, and a session's must not be: it may be held for as long as its frame is made.
func (q *queue) append(s *session) {
	if s.queued.CompareAndSwap(false, true) {
		q.sessions = append(q.sessions, s)
	}
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.grown.Broadcast()
}

// work delivers until the queue is closed.
func (q *queue) work() {
	for {
		batch := q.take()
		if batch == nil {
			return
		}
		for _, s := range batch {
			s.deliver()
		}
	}
}

// take waits for sessions, and takes a few at a time so that all writers have work.
func (q *queue) take() []*session {
	const few = 64
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.sessions) == 0 && !q.closed {
		q.grown.Wait()
	}
	if q.closed {
		return nil
	}
	n := min(few, len(q.sessions))
	batch := q.sessions[:n:n]
	if q.sessions = q.sessions[n:]; len(q.sessions) == 0 {
		q.sessions = nil
	}
	return batch
}
