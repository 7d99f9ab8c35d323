package audit

import (
	"slices"
	"time"

	"github.com/trunkline/trunkline/gitsync"
)

// pinHistory are all pins that are on record and their ends, oldest first: operators set few.
type pinHistory struct {
	marks []pinMark
	lost  time.Time // the newest that was let go for want of room
}

// pinMark is a pin, or its end.
type pinMark struct {
	sequence    uint64
	at          time.Time
	environment string
	commit      gitsync.Hash
	off         bool
}

// pinMarkOf reads a record; ok is false for one of anything else.
func pinMarkOf(sequence uint64, r *Record) (m pinMark, ok bool) {
	if r.Event == nil || r.Kind != KindPin && r.Kind != KindUnpin {
		return m, false
	}
	return pinMark{sequence, r.At, r.Event.Environment, required(r.Event.Commit), r.Kind == KindUnpin}, true
}

func (h *pinHistory) add(sequence uint64, r *Record) {
	m, ok := pinMarkOf(sequence, r)
	if !ok {
		return
	}
	if len(h.marks) == maxPinMarks {
		h.lost = h.marks[0].at
		h.marks = h.marks[1:]
	}
	h.marks = append(h.marks, m)
}

// forget lets go what was trimmed, but for the pins that stood then: those are in the checkpoint.
func (h *pinHistory) forget(upTo uint64) {
	standing := map[string]uint64{}
	for _, m := range h.marks {
		if m.sequence > upTo {
			break
		}
		if standing[m.environment] = m.sequence; m.off {
			delete(standing, m.environment)
		}
	}
	h.marks = slices.DeleteFunc(h.marks, func(m pinMark) bool { return m.sequence <= upTo && m.sequence != standing[m.environment] })
}

// standing is the newest of some marks that counts for an environment at a time, if it is a pin.
func standing(marks []pinMark, environment string, at time.Time) (m pinMark, decided bool) {
	for _, m := range slices.Backward(marks) {
		if m.environment == environment && !m.at.After(at) {
			return m, true
		}
	}
	return pinMark{}, false
}
