package audit

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/trunkline/trunkline/gitsync"
)

// listing are versions that are put together from records. A version has one place among them, that of the newest of its verdicts that
// are asked about.
type listing struct {
	log     *Log
	reader  *reader
	q       Query // what is asked of what is seen of each record
	see     func(*Record) *Record
	before  gitsync.Hash
	waiting []*Record // not stored yet, oldest first
	sieve   *sieve

	first, last uint64 // of what is stored
	floor       uint64 // the oldest that is gone through
	at          uint64 // what comes from here on has been gone through
	looked      int    // records of what is not listed
	bytes       int    // of what is

	visited map[gitsync.Hash]bool // commits beyond the index

	versions []Version
	done     bool
	next     gitsync.Hash
}

func (l *Log) listing(q VersionQuery) (*listing, error) {
	s := &listing{log: l, see: q.See, before: q.Before, waiting: l.waiting(), visited: map[gitsync.Hash]bool{}, q: Query{
		Author: q.Author, Path: q.Path, Kinds: []Kind{KindCommit}, Environment: q.Environment, Verdict: q.Verdict, Since: q.Since, Until: q.Until,
		Limit: cmp.Or(q.Limit, defaultVersions),
	}}
	err := s.q.check()
	if err == nil && s.q.Limit > MaxVersions {
		err = fmt.Errorf("%w: the limit is 1 to %d", ErrQuery, MaxVersions)
	}
	if err == nil {
		s.reader, err = l.reader()
	}
	return s, err
}

// begin finds the place where the listing begins, and lists what waits: that is newer than all that is stored.
func (s *listing) begin(ctx context.Context) error {
	first, last, err := s.log.catchUp(ctx, s.reader)
	if err != nil {
		return err
	}
	s.first, s.last, s.at = max(first, 1), last, last+1
	s.sieve = s.log.index.sieved(&s.q)
	place, is := placeOf(s.before)
	switch {
	case is:
		s.at = min(place, s.at)
	case s.before.IsZero() || s.waits(s.before) != nil:
		err = s.fromWaiting(ctx)
	default:
		place, err = s.place(ctx, s.before)
		s.at = min(place, s.at)
	}
	if s.floor = s.first; s.see != nil {
		s.floor = max(s.first, blocksDown(s.at, s.log.index.block))
	}
	return err
}

// place is where a stored version stands.
func (s *listing) place(ctx context.Context, commit gitsync.Hash) (uint64, error) {
	if place := s.log.index.judged(commit, s.q.Environment); place > 0 {
		return place, nil
	}
	all, err := s.log.ofCommit(ctx, s.reader, commit)
	if err != nil {
		return 0, err
	}
	if asked := s.asked(all); len(asked) > 0 {
		all = asked
	}
	if len(all) == 0 {
		return 0, ErrUnknown
	}
	return all[len(all)-1].sequence, nil
}

// asked are those of some verdicts that are of the environment asked about.
func (s *listing) asked(all []verdict) []verdict {
	return slices.DeleteFunc(slices.Clone(all), func(v verdict) bool { return s.elsewhere(v.Record) })
}

func (s *listing) elsewhere(r *Record) bool {
	return s.q.Environment != "" && s.q.Environment != r.Environment
}

// waits is the newest verdict on a commit that is asked about and not stored yet; nil when there is none.
func (s *listing) waits(commit gitsync.Hash) *Record {
	for _, r := range slices.Backward(s.waiting) {
		if r.Kind == KindCommit && r.Commit == commit && !s.elsewhere(r) {
			return r
		}
	}
	return nil
}

func (s *listing) fromWaiting(ctx context.Context) error {
	passed := s.before.IsZero()
	for _, r := range slices.Backward(s.waiting) {
		if s.done || r.Kind != KindCommit || s.waits(r.Commit) != r {
			continue
		}
		if !passed {
			passed = r.Commit == s.before
			continue
		}
		stored, err := s.log.ofCommit(ctx, s.reader, r.Commit)
		if err != nil {
			return err
		}
		s.take(r.Commit, stored)
	}
	return nil
}

// fromIndex lists what the index knows, as far as it goes back.
func (s *listing) fromIndex(ctx context.Context) error {
	for !s.done {
		found := s.log.index.versions(s, min(s.q.Limit-len(s.versions)+1, maxBackwards))
		if len(found) == 0 {
			break
		}
		verdicts, err := s.read(ctx, found)
		if err != nil {
			return err
		}
		for _, sequences := range found {
			s.at = sequences[0]
			if err := s.consider(ctx, sequences, verdicts); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *listing) read(ctx context.Context, found [][]uint64) (map[uint64]verdict, error) {
	messages, err := s.reader.some(ctx, slices.Sorted(slices.Values(slices.Concat(found...))))
	by := make(map[uint64]verdict, len(messages))
	for _, m := range messages {
		if v, is := m.verdict(); is {
			by[m.sequence] = v
		}
	}
	return by, err
}

// consider lists the commit that verdicts of the given sequences, newest first, are on. There are two when somebody has made one whose
// name begins as that of another.
func (s *listing) consider(ctx context.Context, sequences []uint64, verdicts map[uint64]verdict) error {
	by := map[gitsync.Hash][]verdict{}
	var commits []gitsync.Hash
	for _, sequence := range sequences {
		v, there := verdicts[sequence]
		if !there {
			continue // trimmed meanwhile
		}
		if by[v.Commit] == nil {
			commits = append(commits, v.Commit)
		}
		by[v.Commit] = append(by[v.Commit], v)
	}
	for _, commit := range commits {
		stored := by[commit]
		slices.Reverse(stored)
		if s.waits(commit) != nil {
			continue // it has its place there
		}
		if s.lacks(stored) {
			var err error
			if stored, err = s.log.ofCommit(ctx, s.reader, commit); err != nil {
				return err
			}
		}
		s.take(commit, stored)
	}
	return nil
}

// lacks tells whether there may be verdicts that are older than the index.
func (s *listing) lacks(stored []verdict) bool {
	if s.q.Environment != "" || s.log.index.begins() <= s.first {
		return false
	}
	environments := map[string]bool{}
	for _, v := range stored {
		environments[v.Environment] = true
	}
	return slices.ContainsFunc(stored, func(v verdict) bool { return v.Due > len(environments) })
}

// fromLog lists what is older than the index, and tells where to go on when that is not all.
func (s *listing) fromLog(ctx context.Context) error {
	if s.done {
		return nil
	}
	for m, err := range s.reader.down(ctx, min(s.at, s.log.index.begins())-1, s.floor) {
		if err != nil {
			return err
		}
		s.at = m.sequence
		if err := s.visit(ctx, m); err != nil || s.done {
			return err
		}
	}
	if s.floor > s.first {
		s.next = placeHash(s.floor)
	}
	return nil
}

// visit lists the commit that a verdict is on, where the version stands there.
func (s *listing) visit(ctx context.Context, m message) error {
	v, is := m.verdict()
	if !is || s.elsewhere(v.Record) || s.waits(v.Commit) != nil {
		s.pass(1)
		return nil
	}
	if s.visited[v.Commit] {
		return nil
	}
	all, err := s.log.ofCommit(ctx, s.reader, v.Commit)
	if err != nil {
		return err
	}
	if asked := s.asked(all); len(asked) > 0 && asked[len(asked)-1].sequence == m.sequence {
		s.take(v.Commit, all)
	}
	s.visited[v.Commit] = true
	return nil
}

// take lists a version, if it is asked for, of which some verdicts are stored, oldest first. Those that wait are newer.
func (s *listing) take(commit gitsync.Hash, stored []verdict) {
	v := Version{Commit: commit}
	for _, r := range slices.Backward(s.waiting) {
		if r.Kind == KindCommit && r.Commit == commit && !s.elsewhere(r) {
			v.add(r)
		}
	}
	bytes := 0
	for _, one := range slices.Backward(s.asked(stored)) {
		v.add(one.Record)
		bytes += one.bytes
	}
	switch {
	case s.done:
	case !s.selects(&v):
		s.pass(len(stored))
	case len(s.versions) == s.q.Limit || s.bytes >= maxListed:
		s.done, s.next = true, s.versions[len(s.versions)-1].Commit
	default:
		s.versions = append(s.versions, v)
		s.bytes += bytes
	}
}

// pass counts records that are not among the answer, and ends the listing when there are too many.
func (s *listing) pass(records int) {
	if s.looked += records; s.looked >= maxLooked && s.see == nil && !s.done {
		s.done, s.next = true, placeHash(s.at)
	}
}

// selects tells whether a version is asked for, and leaves of it what may be known.
func (s *listing) selects(v *Version) bool {
	var seen []*Record
	matches := false
	v.Uncertain = true
	for _, r := range v.Records {
		if s.see != nil {
			r = s.see(r)
		}
		if r == nil {
			continue
		}
		seen = append(seen, r)
		if e, asked := s.q.Select(Entry{Record: r}); asked {
			matches, v.Uncertain = true, v.Uncertain && e.Uncertain
		}
	}
	slices.SortFunc(seen, func(a, b *Record) int { return strings.Compare(a.Environment, b.Environment) })
	v.Records = seen
	return matches
}

// add puts an older record among those of the version. What counts of an environment is its newest one. One that waits may be stored
// meanwhile, or stored long since and about to be refused: what is stored counts, and comes last.
func (v *Version) add(r *Record) {
	i := slices.IndexFunc(v.Records, func(have *Record) bool { return have.Environment == r.Environment })
	switch {
	case i < 0:
		v.Records = append(v.Records, r)
	case v.Records[i].subject() == r.subject():
		v.Records[i] = r
	}
}
