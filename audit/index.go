package audit

import (
	"cmp"
	"encoding/binary"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/value"
)

// index holds a little of each of the newest records, so that a query reads only those that may be among its answers. It may name a
// record that is none of them, and never leaves one out: what it cannot hold it takes for a match.
//
// It never asks the bus, and nothing else is locked while it is.
type index struct {
	keep int // it holds so many rows, and up to an eighth more

	mu     sync.RWMutex
	from   uint64 // the sequence it begins with; whatever is older has to be read
	last   uint64 // the newest record it has seen
	rows   []row  // by sequence
	newest map[gitsync.Hash]uint64

	environments table
	kinds        table
	crews        table
	crewBytes    int
}

// row is what the index holds of a record.
type row struct {
	sequence    uint64
	at          int64  // milliseconds
	commit      uint64 // its first eight bytes; 0 when there is none or more than one
	areas       uint64 // a bit for the first segment of each of its paths
	crew        uint32 // who is responsible; unknown when there is no room
	environment uint16
	kind        uint8
	verdict     uint8
}

func newIndex(keep int) *index {
	return &index{keep: keep, newest: map[gitsync.Hash]uint64{}, environments: newTable(), kinds: newTable(), crews: newTable()}
}

// begin tells where the index begins.
func (x *index) begin(from uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.from, x.last = from, from-1
}

// follow adds a record that was just stored, if the index has seen all before it. Otherwise it is added when it is read.
func (x *index) follow(sequence uint64, r *Record) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if sequence == x.last+1 {
		x.put(sequence, r)
	}
}

// add adds a record that was read after the newest one that the index had seen before.
func (x *index) add(sequence uint64, r *Record) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if sequence > x.last {
		x.put(sequence, r)
	}
}

func (x *index) seen() uint64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.last
}

func (x *index) put(sequence uint64, r *Record) {
	x.rows = append(x.rows, x.rowOf(sequence, r))
	x.last = sequence
	if r.Kind == KindCommit {
		x.newest[r.Commit] = sequence
	}
	if len(x.rows) > x.keep+x.keep/8 {
		x.drop(len(x.rows) - x.keep)
	}
}

// forget drops the records up to one.
func (x *index) forget(upTo uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	n, _ := slices.BinarySearchFunc(x.rows, upTo+1, compareRow)
	x.drop(n)
	x.from = max(x.from, upTo+1)
}

func (x *index) drop(n int) {
	if n == 0 {
		return
	}
	x.from = x.rows[n-1].sequence + 1
	x.rows = slices.Clone(x.rows[n:])
	for h, sequence := range x.newest {
		if sequence < x.from {
			delete(x.newest, h)
		}
	}
}

func compareRow(r row, sequence uint64) int { return cmp.Compare(r.sequence, sequence) }

func (x *index) rowOf(sequence uint64, r *Record) row {
	out := row{
		sequence: sequence, at: r.At.UnixMilli(), areas: areasOf(r), environment: uint16(x.environments.id(r.environment(), 1<<16)),
		kind: uint8(x.kinds.id(string(r.Kind), 1<<8)), crew: x.crew(r),
	}
	if named := r.commits(); len(named) == 1 {
		out.commit = binary.BigEndian.Uint64(named[0][:])
	}
	if r.CommitRecord != nil {
		out.verdict = verdictID(r.Verdict)
	}
	return out
}

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

// judged is the sequence of the newest verdict on a commit; 0 when the index does not know one.
func (x *index) judged(commit gitsync.Hash) uint64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.newest[commit]
}

// since is the sequence of the oldest record from a time on; known is false when records that the index does not hold may be older.
// Without any it is the one that comes next.
func (x *index) since(from time.Time) (sequence uint64, known bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	i := slices.IndexFunc(x.rows, func(r row) bool { return r.at >= from.UnixMilli() })
	if i < 0 {
		return x.last + 1, true
	}
	return x.rows[i].sequence, i > 0
}

// back is the oldest record on the newest n commits before a sequence; where there are fewer, the oldest one that the index holds.
func (x *index) back(before uint64, n int) uint64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	commit := uint8(x.kinds.find(string(KindCommit)))
	distinct := map[uint64]bool{}
	i, _ := slices.BinarySearchFunc(x.rows, before, compareRow)
	oldest := before
	for i--; i >= 0; i-- {
		r := x.rows[i]
		if r.kind != commit {
			continue
		}
		if !distinct[r.commit] && len(distinct) == n {
			return oldest
		}
		distinct[r.commit] = true
		oldest = r.sequence
	}
	return x.from
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
