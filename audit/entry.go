package audit

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"
)

// Entry is a record with its place in the log.
type Entry struct {
	Sequence uint64
	Stored   time.Time // by the bus; the record tells its own time
	Record   *Record
	// Uncertain: a query named a path, and the record does not name all of its paths.
	Uncertain bool

	data []byte // as it is stored; nil when Record is not all of it
}

func (m message) entry() Entry {
	return Entry{Sequence: m.sequence, Stored: m.stored, Record: m.decode(), data: m.data}
}

// seen is the entry as somebody may see it who may see no more than r.
func (e Entry) seen(r *Record) Entry {
	if r != e.Record {
		e.Record, e.data = r, nil
	}
	return e
}

// SHA256 is what the record stored next holds of this one; empty when Record is not all of it.
func (e Entry) SHA256() string {
	if e.data == nil {
		return ""
	}
	return digest(e.data)
}

// place is what is written of an entry before its record.
type place struct {
	Sequence  uint64    `json:"sequence"`
	Stored    time.Time `json:"stored"`
	SHA256    string    `json:"sha256,omitempty"`
	Reduced   bool      `json:"reduced,omitempty"` // the record is not all that is stored
	Uncertain bool      `json:"uncertain,omitempty"`
}

// MarshalJSON writes the entry on one line: its place, and as its last member the record. The record's bytes are those that are stored, so
// that whoever reads them can check the chain: sha256 is of them, and the record stored next begins with it.
func (e Entry) MarshalJSON() ([]byte, error) {
	line, err := json.Marshal(place{e.Sequence, e.Stored, e.SHA256(), e.data == nil, e.Uncertain})
	if err != nil {
		return nil, err
	}
	record := e.data
	if record == nil || e.Record.Kind == KindUnreadable {
		if record, err = json.Marshal(e.Record); err != nil {
			return nil, err
		}
	}
	return slices.Concat(line[:len(line)-1], []byte(`,"record":`), record, []byte("}")), nil
}

// NDJSON writes entries as lines of JSON.
type NDJSON struct{ w io.Writer }

// NewNDJSON writes to w, a line at a time.
func NewNDJSON(w io.Writer) *NDJSON { return &NDJSON{w} }

// Write writes one entry.
func (n *NDJSON) Write(e Entry) error {
	line, err := e.MarshalJSON() // json.Marshal would write the record's bytes anew
	if err != nil {
		return fmt.Errorf("write record %d: %w", e.Sequence, err)
	}
	_, err = n.w.Write(append(line, '\n'))
	return err
}

// End writes, after the last entry of an answer, that there may be more: {"truncated":true,"next":12}. It writes nothing when there is
// no more.
func (n *NDJSON) End(a *Answer) error {
	if !a.Truncated {
		return nil
	}
	_, err := fmt.Fprintf(n.w, "{\"truncated\":true,\"next\":%d}\n", a.Next)
	return err
}
