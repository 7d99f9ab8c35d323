package audit

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"slices"
	"strings"
)

// search goes through the sequences of a log and leaves out those of which the index knows that they are not asked for.
type search struct {
	q           *Query
	index       *index
	sieve       *sieve
	first, last uint64
	at          uint64 // the sequence it went through last, in the order of the query; not in it at the beginning
	done        bool   // there are no more
	more        uint64 // beyond first and last: where to go on once these are gone through; 0 when there is nothing
}

// newSearch begins a search. The index has seen all records up to the last.
func newSearch(q *Query, x *index, first, last uint64) *search {
	x.mu.RLock()
	defer x.mu.RUnlock()
	s := &search{q: q, index: x, sieve: x.sieve(q), first: max(first, 1), last: last}
	switch {
	case q.Oldest:
		s.at = min(max(q.After, s.first-1), last)
	case q.After == 0:
		s.at = last + 1
	default:
		s.at = min(q.After, last+1)
	}
	if q.See != nil {
		s.confine(x.block)
	}
	return s
}

// confine lets a search that is for somebody who may not see all end at the same places whatever is hidden.
func (s *search) confine(block uint64) {
	if s.q.Oldest {
		if end := ((s.at+1)/block+searchedBlocks)*block - 1; end < s.last {
			s.last, s.more = end, end
		}
		return
	}
	if end := blocksDown(s.at, block); end > s.first {
		s.first, s.more = end, end
	}
}

// blocksDown is the oldest record that is gone through, newest first, from a place on.
func blocksDown(from, block uint64) uint64 {
	blocks := (max(from, 1)-1)/block + 1
	return (blocks - min(blocks, searchedBlocks)) * block
}

// next are up to n sequences more, in the order of the query.
func (s *search) next(n int) []uint64 {
	s.index.mu.RLock()
	defer s.index.mu.RUnlock()
	if s.q.Oldest {
		return s.up(n)
	}
	return s.down(n)
}

func (s *search) up(n int) []uint64 {
	var found []uint64
	at := s.at + 1
	for ; at < s.index.from && at <= s.last && len(found) < n; at++ {
		found = append(found, at)
	}
	i, _ := slices.BinarySearchFunc(s.index.rows, at, compareRow)
	for ; i < len(s.index.rows) && len(found) < n; i++ {
		if r := &s.index.rows[i]; r.sequence <= s.last && s.sieve.passes(r) {
			found = append(found, r.sequence)
		}
	}
	s.done = len(found) < n
	return found
}

func (s *search) down(n int) []uint64 {
	var found []uint64
	i, _ := slices.BinarySearchFunc(s.index.rows, s.at, compareRow)
	for i--; i >= 0 && len(found) < n; i-- {
		if r := &s.index.rows[i]; r.sequence <= s.last && s.sieve.passes(r) {
			found = append(found, r.sequence)
		}
	}
	for at := min(s.at, s.index.from); at > s.first && len(found) < n; at-- {
		found = append(found, at-1)
	}
	s.done = len(found) < n
	return found
}

// sieve is a query as rows of the index are held against it.
type sieve struct {
	since, until int64
	kinds        []uint32 // any when there are none
	environments []uint32 // likewise
	crews        []bool   // by number; any when it is nil
	verdict      uint8
	areas        uint64
	commit, mask uint64
}

func (x *index) sieved(q *Query) *sieve {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.sieve(q)
}

func (x *index) sieve(q *Query) *sieve {
	s := &sieve{since: math.MinInt64, until: math.MaxInt64, areas: areaOf(q.Path.String())}
	if !q.Since.IsZero() {
		s.since = q.Since.UnixMilli()
	}
	if !q.Until.IsZero() {
		s.until = q.Until.UnixMilli()
	}
	for _, k := range q.Kinds {
		s.kinds = append(s.kinds, x.kinds.find(string(k)))
	}
	if q.Environment != "" {
		s.environments = []uint32{x.environments.find(q.Environment)}
	}
	if q.Verdict != "" {
		s.verdict = verdictID(q.Verdict)
	}
	s.commit, s.mask = commitBits(q.Commit)
	if q.Author != "" {
		s.crews = x.crewsWith(strings.ToLower(q.Author))
	}
	return s
}

func (s *sieve) passes(r *row) bool {
	return r.at >= s.since && r.at <= s.until && r.areas&s.areas == s.areas &&
		(s.mask == 0 || r.commit == 0 || r.commit&s.mask == s.commit) &&
		(s.verdict == 0 || r.verdict == s.verdict) &&
		(len(s.kinds) == 0 || r.kind == unknown || slices.Contains(s.kinds, uint32(r.kind))) &&
		(len(s.environments) == 0 || r.environment == unknown || slices.Contains(s.environments, uint32(r.environment))) &&
		(s.crews == nil || r.crew == unknown || s.crews[r.crew])
}

// crewsWith tells of each crew whether somebody in it is called so.
func (x *index) crewsWith(author string) []bool {
	with := make([]bool, len(x.crews.ids)+1)
	for text, id := range x.crews.ids {
		with[id] = strings.Contains(text, author)
	}
	return with
}

// areaOf is the bit of the area that all paths of a pattern are in; 0 when they may be in several.
func areaOf(pattern string) uint64 {
	area := pattern
	if i := strings.IndexAny(pattern, ".["); i >= 0 {
		area = pattern[:i]
	}
	if area == "" || strings.ContainsAny(area, "*/") {
		return 0
	}
	return areaBit(area)
}

// commitBits are the first bits of a commit's name that begins so, and which of them are known.
func commitBits(prefix string) (bits, mask uint64) {
	if prefix == "" {
		return 0, 0
	}
	digits := min(len(prefix), 16)
	padded, err := hex.DecodeString((prefix + strings.Repeat("0", 16))[:16])
	if err != nil {
		return 0, 0
	}
	return binary.BigEndian.Uint64(padded), ^uint64(0) << (64 - 4*digits)
}
