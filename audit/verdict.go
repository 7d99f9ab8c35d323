package audit

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/trunkline/trunkline/gitsync"
)

// verdict is a record of one that is stored.
type verdict struct {
	*Record
	sequence uint64
	subject  string
	bytes    int
}

func (m message) verdict() (v verdict, is bool) {
	v = verdict{m.decode(), m.sequence, m.subject, len(m.data)}
	return v, v.Kind == KindCommit
}

// ofCommit are all verdicts on a commit that are stored, oldest first.
func (l *Log) ofCommit(ctx context.Context, r *reader, commit gitsync.Hash) ([]verdict, error) {
	return r.verdicts(ctx, fmt.Sprintf("%s.*.*.%s", subjects, commit))
}

func (r *reader) verdicts(ctx context.Context, filter string) ([]verdict, error) {
	messages, err := r.newest(ctx, filter)
	var all []verdict
	for _, m := range messages {
		if v, is := m.verdict(); is {
			all = append(all, v)
		}
	}
	return all, err
}

// A place in the log is written as the name of a commit that there is none of: zeros, and its sequence.
func placeHash(sequence uint64) (h gitsync.Hash) {
	binary.BigEndian.PutUint64(h[len(h)-8:], sequence)
	return h
}

func placeOf(h gitsync.Hash) (sequence uint64, is bool) {
	sequence = binary.BigEndian.Uint64(h[len(h)-8:])
	return sequence, sequence > 0 && h == placeHash(sequence)
}

// versions are the sequences of the verdicts, newest first, on up to n commits that may be asked for and stand before a place.
func (x *index) versions(s *listing, n int) (found [][]uint64) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	i, _ := slices.BinarySearchFunc(x.rows, s.at, compareRow)
	records := 0
	for i--; i >= 0 && len(found) < n && records < maxBatch; i-- {
		r := &x.rows[i]
		if r.sequence < s.floor {
			break
		}
		if sequences := x.version(s, r); len(sequences) > 0 {
			found = append(found, sequences)
			records += len(sequences)
		}
	}
	return found
}

// version are the verdicts on the commit of a row; none when it stands elsewhere, or is not asked for.
func (x *index) version(s *listing, r *row) (sequences []uint64) {
	if uint32(r.kind) != x.kinds.find(string(KindCommit)) || !x.about(r, s.q.Environment) {
		return nil
	}
	asked := false
	for v := range x.verdicts(r.commit) {
		if v.sequence > s.last || !x.about(v, s.q.Environment) {
			continue
		}
		if len(sequences) == 0 && v.sequence != r.sequence {
			return nil
		}
		sequences = append(sequences, v.sequence)
		asked = asked || s.sieve.passes(v)
	}
	if !asked && !x.lacks(s, r) {
		return nil
	}
	return sequences
}

// lacks tells whether the verdict that is asked for may be older than the index.
func (x *index) lacks(s *listing, r *row) bool {
	if s.q.Environment != "" || x.from <= s.first {
		return false
	}
	environments := map[uint16]bool{}
	for v := range x.verdicts(r.commit) {
		environments[v.environment] = true
	}
	return len(environments) < int(r.due)
}
