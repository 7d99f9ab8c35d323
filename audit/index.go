package audit

import (
	"cmp"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/trunkline/trunkline/gitsync"
)

// index holds a little of each of the newest records, so that a query reads only those that may be among its answers. It may name a
// record that is none of them, and never leaves one out: what it cannot hold it takes for a match.
//
// It never asks the bus, and nothing else is locked while it is.
type index struct {
	keep  int    // it holds so many rows, and up to an eighth more
	block uint64 // as searchedBlock

	mu     sync.RWMutex
	from   uint64            // the sequence it begins with; whatever is older has to be read
	last   uint64            // the newest record it has seen
	rows   []row             // by sequence
	newest map[uint64]uint64 // by the beginning of a commit's name, its newest verdict
	pins   pinHistory

	environments table
	kinds        table
	crews        table
	crewBytes    int
}

func newIndex(keep int) *index {
	return &index{keep: keep, block: searchedBlock, newest: map[uint64]uint64{}, environments: newTable(), kinds: newTable(), crews: newTable()}
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

// pinned adds what is older than all rows and has to be known all the same.
func (x *index) pinned(sequence uint64, r *Record) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.pins.add(sequence, r)
}

// begins is the sequence of the oldest record it holds.
func (x *index) begins() uint64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.from
}

func (x *index) seen() uint64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.last
}

func (x *index) put(sequence uint64, r *Record) {
	added := x.rowOf(sequence, r)
	x.last = sequence
	if r.Kind == KindCommit {
		if before := x.newest[added.commit]; before > 0 && sequence-before < 1<<32 {
			added.earlier = uint32(sequence - before)
		}
		x.newest[added.commit] = sequence
	}
	x.pins.add(sequence, r)
	x.rows = append(x.rows, added)
	if len(x.rows) > x.keep+x.keep/8 {
		x.drop(len(x.rows) - x.keep)
	}
}

// forget drops the records up to one, which were trimmed.
func (x *index) forget(upTo uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.dropTo(upTo)
	x.pins.forget(upTo)
}

func (x *index) dropTo(upTo uint64) {
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
	for beginning, sequence := range x.newest {
		if sequence < x.from {
			delete(x.newest, beginning)
		}
	}
}

func compareRow(r row, sequence uint64) int { return cmp.Compare(r.sequence, sequence) }

// find is the row of a record; nil when there is none.
func (x *index) find(sequence uint64) *row {
	if len(x.rows) == 0 || sequence < x.rows[0].sequence {
		return nil
	}
	i := int(min(sequence-x.rows[0].sequence, uint64(len(x.rows)-1))) // where it is unless records are missing
	if x.rows[i].sequence != sequence {
		var found bool
		if i, found = slices.BinarySearchFunc(x.rows, sequence, compareRow); !found {
			return nil
		}
	}
	return &x.rows[i]
}

// verdicts are the rows of all verdicts on a commit, newest first, as far as the index goes back.
func (x *index) verdicts(commit uint64) iter.Seq[*row] {
	return func(yield func(*row) bool) {
		for r := x.find(x.newest[commit]); r != nil && yield(r) && r.earlier > 0; {
			r = x.find(r.sequence - uint64(r.earlier))
		}
	}
}

// judged is the sequence of the newest verdict on a commit in an environment, or in any; 0 when the index does not know one.
func (x *index) judged(commit gitsync.Hash, environment string) uint64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for r := range x.verdicts(beginning(commit)) {
		if x.about(r, environment) {
			return r.sequence
		}
	}
	return 0
}

// about tells whether a row is, or may be, of an environment; "" is any.
func (x *index) about(r *row, environment string) bool {
	return environment == "" || r.environment == unknown || uint32(r.environment) == x.environments.find(environment)
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
