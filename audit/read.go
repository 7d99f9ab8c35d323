package audit

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"time"

	jsonv2 "github.com/go-json-experiment/json" // reading is most of what a query costs, and this takes less than half as long
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// message is a record as the bus holds it.
type message struct {
	sequence uint64
	subject  string
	stored   time.Time
	data     []byte
}

// reader reads records a batch at a time. The bus keeps nothing for it: each batch is a question of its own, so a reader that is
// slow costs nobody anything.
type reader struct {
	conn  *nats.Conn
	sub   *nats.Subscription
	inbox string
	asked int // questions so far; each is answered under its number, and answers nobody waits for any more are passed over
}

func (l *Log) reader() (*reader, error) {
	r := &reader{conn: l.js.Conn()}
	r.inbox = r.conn.NewInbox() + "."
	var err error
	if r.sub, err = r.conn.SubscribeSync(r.inbox + "*"); err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	return r, nil
}

func (r *reader) close() { _ = r.sub.Unsubscribe() }

// question is a Direct Get of several messages (NATS ADR-31).
type question struct {
	From     uint64   `json:"seq,omitempty"`
	Batch    int      `json:"batch,omitempty"`
	MaxBytes int      `json:"max_bytes,omitempty"`
	Filter   string   `json:"next_by_subj,omitempty"`
	Newest   []string `json:"multi_last,omitempty"` // of each subject that these select
	Since    any      `json:"start_time,omitempty"` // in the place of a sequence
}

// batch reads up to n records from a sequence on, oldest first. None: there are no more.
func (r *reader) batch(ctx context.Context, filter string, from uint64, n int) ([]message, error) {
	if err := r.ask(filter, from, n); err != nil {
		return nil, err
	}
	return r.answer(ctx, n)
}

// newest reads the newest record of each subject that a filter selects, oldest first.
func (r *reader) newest(ctx context.Context, filter string) ([]message, error) {
	if err := r.pose(question{Newest: []string{filter}}); err != nil {
		return nil, err
	}
	found, err := r.answer(ctx, 0)
	slices.SortFunc(found, func(a, b message) int { return cmp.Compare(a.sequence, b.sequence) })
	return found, err
}

// since is the sequence of the oldest record that was stored at a time or later; 0 when there is none.
func (r *reader) since(ctx context.Context, stored time.Time) (uint64, error) {
	if err := r.pose(question{Since: stored.UTC(), Batch: 1}); err != nil {
		return 0, err
	}
	found, err := r.answer(ctx, 1)
	if err != nil || len(found) == 0 {
		return 0, err
	}
	return found[0].sequence, nil
}

func (r *reader) ask(filter string, from uint64, n int) error {
	return r.pose(question{From: from, Batch: n, MaxBytes: maxBatchBytes, Filter: filter})
}

func (r *reader) pose(asked question) error {
	q, err := json.Marshal(asked)
	if err != nil {
		return err
	}
	r.asked++
	if err := r.conn.PublishRequest(jetstream.DefaultAPIPrefix+"DIRECT.GET."+streamName, r.inbox+strconv.Itoa(r.asked), q); err != nil {
		return fmt.Errorf("read the audit log: %w", err)
	}
	return nil
}

// answer is the answer to what was asked last.
func (r *reader) answer(ctx context.Context, n int) ([]message, error) {
	batch := make([]message, 0, n)
	for {
		m, err := r.receive(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the audit log: %w", err)
		}
		switch status := m.Header.Get("Status"); status {
		case "":
		case "204", "404":
			return batch, nil
		default:
			return nil, fmt.Errorf("read the audit log: the bus answers %s %s", status, m.Header.Get("Description"))
		}
		one, err := messageOf(m)
		if err != nil {
			return nil, fmt.Errorf("read the audit log: %w", err)
		}
		batch = append(batch, one)
	}
}

func (r *reader) receive(ctx context.Context) (*nats.Msg, error) {
	patient, cancel := context.WithTimeout(ctx, readPatience)
	defer cancel()
	for {
		m, err := r.sub.NextMsgWithContext(patient)
		switch {
		case err != nil && ctx.Err() == nil && patient.Err() != nil:
			return nil, errors.New("the bus does not answer")
		case err != nil:
			return nil, err
		case m.Subject == r.inbox+strconv.Itoa(r.asked):
			return m, nil
		}
	}
}

func messageOf(m *nats.Msg) (message, error) {
	sequence, err := strconv.ParseUint(m.Header.Get(jetstream.SequenceHeader), 10, 64)
	if err != nil {
		return message{}, fmt.Errorf("sequence of a record: %w", err)
	}
	stored, err := time.Parse(time.RFC3339Nano, m.Header.Get(jetstream.TimeStampHeaer))
	if err != nil {
		return message{}, fmt.Errorf("time of record %d: %w", sequence, err)
	}
	return message{sequence, m.Header.Get(jetstream.SubjectHeader), stored, m.Data}, nil
}

// all are the records from one sequence to another, oldest first; with a filter, those whose subject it selects. An error is the
// last that is yielded. The next batch is asked for before one is gone through.
func (r *reader) all(ctx context.Context, filter string, from, to uint64) iter.Seq2[message, error] {
	return func(yield func(message, error) bool) {
		from = max(from, 1)
		if from > to {
			return
		}
		wanted := func() int { return int(min(to-from+1, maxBatch)) }
		err := r.ask(filter, from, wanted())
		for err == nil {
			var batch []message
			if batch, err = r.answer(ctx, wanted()); err != nil || len(batch) == 0 {
				break
			}
			from = batch[len(batch)-1].sequence + 1
			if from <= to {
				err = r.ask(filter, from, wanted())
			}
			for _, m := range batch {
				if m.sequence > to || !yield(m, nil) {
					return
				}
			}
			if from > to {
				return
			}
		}
		if err != nil {
			yield(message{}, err)
		}
	}
}

// down are the records from one sequence down to another, newest first.
func (r *reader) down(ctx context.Context, from, to uint64) iter.Seq2[message, error] {
	return func(yield func(message, error) bool) {
		for from >= to && from > 0 {
			low := max(to, from-min(from-1, maxBackwards-1))
			var window []message
			for m, err := range r.all(ctx, "", low, from) {
				if err != nil {
					yield(message{}, err)
					return
				}
				window = append(window, m)
			}
			for i := range window {
				if !yield(window[len(window)-1-i], nil) {
					return
				}
			}
			from = low - 1
		}
	}
}

// some reads the records of the given sequences, which ascend, as far as they are there: those close to each other together.
func (r *reader) some(ctx context.Context, sequences []uint64) ([]message, error) {
	found := make([]message, 0, len(sequences))
	for len(sequences) > 0 {
		n := 1
		for n < len(sequences) && sequences[n]-sequences[n-1] <= nearby {
			n++
		}
		wanted := sequences[:n]
		sequences = sequences[n:]
		for m, err := range r.all(ctx, "", wanted[0], wanted[n-1]) {
			if err != nil {
				return nil, err
			}
			for len(wanted) > 0 && wanted[0] < m.sequence {
				wanted = wanted[1:]
			}
			if len(wanted) > 0 && wanted[0] == m.sequence {
				found = append(found, m)
			}
		}
	}
	return found, nil
}

// decode reads a record. What is none, as something else may have written it, becomes one of [KindUnreadable]: it hides nothing
// else, and is told.
func (m message) decode() *Record {
	var r Record
	if err := jsonv2.Unmarshal(m.data, &r); err != nil || !m.plain() || !r.whole() {
		return &Record{Kind: KindUnreadable, At: m.stored}
	}
	return &r
}

// plain tells whether the bytes stand on one line, as this program writes them.
func (m message) plain() bool {
	for _, c := range m.data {
		if c < ' ' {
			return false
		}
	}
	return true
}
