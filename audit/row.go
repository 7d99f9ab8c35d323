package audit

import (
	"encoding/binary"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/value"
)

// row is what the index holds of a record.
type row struct {
	sequence    uint64
	at          int64  // milliseconds
	commit      uint64 // its first eight bytes; 0 when there is none or more than one
	areas       uint64 // a bit for the first segment of each of its paths
	crew        uint32 // who is responsible; unknown when there is no room
	earlier     uint32 // of a verdict: by how much the sequence of the one before on the commit is smaller; 0 when there is none
	environment uint16
	kind        uint8
	verdict     uint8
	tells       bool   // as [Record.tells]
	due         uint16 // environments that have a verdict on the commit
}

func (x *index) rowOf(sequence uint64, r *Record) row {
	out := row{
		sequence: sequence, at: r.At.UnixMilli(), areas: areasOf(r), environment: uint16(x.environments.id(r.environment(), 1<<16)),
		kind: uint8(x.kinds.id(string(r.Kind), 1<<8)), crew: x.crew(r), tells: r.tells(),
	}
	if named := r.commits(); len(named) == 1 {
		out.commit = beginning(named[0])
	}
	if r.CommitRecord != nil {
		out.verdict, out.due = verdictID(r.Verdict), uint16(min(max(r.Due, 0), 1<<16-1))
	}
	return out
}

func beginning(h gitsync.Hash) uint64 { return binary.BigEndian.Uint64(h[:]) }

func verdictID(v apply.Verdict) uint8 {
	return uint8(1 + slices.Index([]apply.Verdict{apply.Valid, apply.Rejected, apply.Pending}, v))
}

// crew is the number of those responsible: few of them write most records.
func (x *index) crew(r *Record) uint32 {
	text := crewText(r.people())
	known := x.crews.has(text)
	if !known && x.crewBytes+len(text) > maxCrewBytes {
		return unknown
	}
	if !known {
		x.crewBytes += len(text)
	}
	return x.crews.id(text, 1<<32-1)
}

// crewText are names and addresses as a query for an author looks at them, a line each.
func crewText(people []Person) string {
	var b strings.Builder
	for _, p := range people {
		b.WriteString(strings.ToLower(p.Name))
		b.WriteByte('\n')
		b.WriteString(strings.ToLower(p.Email))
		b.WriteByte('\n')
	}
	return b.String()
}

// areasOf has a bit for each area that the record names; all of them when it does not name them all.
func areasOf(r *Record) uint64 {
	if r.Truncated {
		return ^uint64(0)
	}
	var areas uint64
	for text := range r.paths() {
		if path, err := value.ParsePath(text); err == nil && len(path) > 0 {
			areas |= areaBit(path[0])
		}
	}
	return areas
}

func areaBit(area string) uint64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(area))
	return 1 << (h.Sum32() % 64)
}

// table numbers texts. What finds no room in it is unknown.
type table struct{ ids map[string]uint32 }

const unknown = 0

func newTable() table { return table{map[string]uint32{}} }

func (t table) id(text string, size int) uint32 {
	id, known := t.ids[text]
	if !known && len(t.ids)+1 < size {
		id = uint32(len(t.ids) + 1)
		t.ids[text] = id
	}
	return id
}

func (t table) has(text string) bool { return t.ids[text] != unknown }

func (t table) find(text string) uint32 { return t.ids[text] }
