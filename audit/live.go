package audit

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/gitsync"
)

// Baseline is what a commit was judged against in an environment, by the newest of its verdicts there: zero when there was nothing.
// known is false when the log holds no verdict.
func (l *Log) Baseline(ctx context.Context, commit gitsync.Hash, environment string) (baseline gitsync.Hash, known bool, err error) {
	r, err := l.reader()
	if err != nil {
		return gitsync.Hash{}, false, err
	}
	defer r.close()
	all, err := l.verdicts(ctx, r, commit, environment)
	if err != nil || len(all) == 0 {
		return gitsync.Hash{}, false, err
	}
	return required(all[len(all)-1].Baseline), true, nil
}

// verdicts are those on a commit in an environment, oldest first: what is stored, and then what waits to be.
func (l *Log) verdicts(ctx context.Context, r *reader, commit gitsync.Hash, environment string) ([]*Record, error) {
	waiting := l.waiting() // before what is stored, so that nothing is in neither
	if environment == "" || strings.ContainsAny(environment, ".*> \t\r\n") {
		return nil, nil // none is called so, and the bus would take it for several
	}
	stored, err := r.verdicts(ctx, fmt.Sprintf("%s.*.%s.%s", subjects, environment, commit))
	if err != nil {
		return nil, err
	}
	var all []*Record
	for _, v := range stored {
		all = append(all, v.Record)
	}
	for _, w := range waiting {
		if w.Kind == KindCommit && w.Commit == commit && w.Environment == environment &&
			!slices.ContainsFunc(stored, func(v verdict) bool { return v.subject == w.subject() }) {
			all = append(all, w)
		}
	}
	return all, nil
}

// LiveAt is what an environment served at a time, by the records: the pin that stood, or else the newest valid version there was then on
// the branch. A version counts from when it was judged, within seconds of its going live. known is false when the records name none: the
// environment was not served, or the log does not go back so far.
//
// What counts is the order of the records. A verdict that a later start wrote in the place of one that was lost counts for the commits
// that were judged after it, and does not change what they were found to be.
func (l *Log) LiveAt(ctx context.Context, environment string, at time.Time) (commit gitsync.Hash, known bool, err error) {
	p := &past{log: l, environment: environment, at: at, waiting: l.waiting()} // before the index, so that nothing is in neither
	if p.reader, err = l.reader(); err != nil {
		return commit, false, err
	}
	defer p.reader.close()
	if p.first, p.last, err = l.catchUp(ctx, p.reader); err != nil {
		return commit, false, err
	}
	pin, pinned, complete := p.pin()
	switch {
	case !complete:
		return commit, false, nil
	case pinned:
		return pin, !pin.IsZero(), nil
	}
	commit, err = p.unpinned(ctx)
	return commit, !commit.IsZero(), err
}

// past is a look at one environment as it was.
type past struct {
	log         *Log
	reader      *reader
	environment string
	at          time.Time
	first, last uint64    // of the records that are stored
	waiting     []*Record // to be stored, oldest first
	refused     bool      // the newest commit that was not valid has been looked at: those before tell no more
}

// pin is what the environment was pinned at. complete is false when that is not known any more.
func (p *past) pin() (commit gitsync.Hash, pinned, complete bool) {
	var waiting []pinMark
	for _, r := range p.waiting {
		if m, ok := pinMarkOf(0, r); ok {
			waiting = append(waiting, m)
		}
	}
	x := p.log.index
	x.mu.RLock()
	defer x.mu.RUnlock()
	for _, marks := range [][]pinMark{waiting, x.pins.marks} {
		if m, decided := standing(marks, p.environment, p.at); decided {
			return m.commit, !m.off, true
		}
	}
	return commit, false, x.pins.lost.IsZero() || p.at.After(x.pins.lost)
}

// tells tells whether a record may say what is live after it, where no pin stands. A version that was superseded never was live, and
// a start that writes anew what was lost long ago only changes what is live by a valid version.
func (r *Record) tells() bool {
	switch {
	case r.Kind == KindRewrite:
		return !r.Rewrite.Refused
	case r.Kind != KindCommit:
		return false
	case r.Verdict == apply.Valid:
		return r.Outcome != apply.Superseded
	default:
		return !r.Reconstructed
	}
}

// back are the records that may tell what was live, newest first. An error is the last that is yielded.
func (p *past) back(ctx context.Context) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		for _, r := range slices.Backward(p.waiting) {
			if !yield(r, nil) {
				return
			}
		}
		for before, looked := p.last+1, 0; looked < maxLooked; looked++ {
			sequence, indexed := p.log.index.teller(before, p)
			if !indexed {
				p.older(ctx, sequence, yield)
				return
			}
			found, err := p.reader.batch(ctx, "", sequence, 1)
			if err != nil {
				yield(nil, err)
				return
			}
			if len(found) > 0 && found[0].sequence == sequence && !yield(found[0].decode(), nil) {
				return
			}
			before = sequence
		}
	}
}

// teller is the newest record before a place that may tell what was live. indexed is false when the index knows of none: then it is
// the newest that the index does not hold.
func (x *index) teller(before uint64, p *past) (sequence uint64, indexed bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	i, _ := slices.BinarySearchFunc(x.rows, before, compareRow)
	for i--; i >= 0; i-- {
		r := &x.rows[i]
		whole := r.verdict == unknown // a rewrite is of all environments
		if r.tells && r.at <= p.at.UnixMilli() && (whole || x.about(r, p.environment)) && !(p.refused && r.verdict > verdictID(apply.Valid)) {
			return r.sequence, true
		}
	}
	return min(before, x.from) - 1, false
}

// older goes on where the index ends, from a little after what was stored at the time: a record may be stored later than it tells.
func (p *past) older(ctx context.Context, last uint64, yield func(*Record, error) bool) {
	if last < p.first {
		return
	}
	place, err := p.reader.since(ctx, p.at.Add(lateness))
	if err != nil {
		yield(nil, err)
		return
	}
	if place == 0 || place > last {
		place = last
	}
	for m, err := range p.reader.down(ctx, place, max(p.first, place-min(place, maxLooked))) {
		if err != nil {
			yield(nil, err)
			return
		}
		if !yield(m.decode(), nil) {
			return
		}
	}
}

// unpinned is the newest valid version; zero when none is known.
func (p *past) unpinned(ctx context.Context) (gitsync.Hash, error) {
	var late *Record // a valid one that a later start wrote
	for r, err := range p.back(ctx) {
		if err != nil {
			return gitsync.Hash{}, err
		}
		if late == nil && p.counts(r) && r.Kind == KindCommit && r.Reconstructed {
			late = r
			continue
		}
		commit, decided, err := p.told(ctx, r)
		if err == nil && decided && late != nil {
			commit, err = p.further(ctx, late, r, commit)
		}
		if err != nil || decided {
			return commit, err
		}
	}
	if late != nil && !late.Retired {
		return late.Commit, nil
	}
	return gitsync.Hash{}, nil
}

// further tells what is live after a verdict that was written late, by what was live after the record before it: the branch may have gone
// on from there long before.
func (p *past) further(ctx context.Context, late, before *Record, live gitsync.Hash) (gitsync.Hash, error) {
	var head gitsync.Hash
	if before.Rewrite != nil {
		head = before.Rewrite.New
	} else {
		head = before.Commit
	}
	up, down := head, late.Commit
	for range apply.MaxRemembered {
		if up == late.Commit {
			return live, nil
		}
		if down == head || up.IsZero() && down.IsZero() {
			break
		}
		var failed [2]error
		up, failed[0] = p.parent(ctx, up)
		down, failed[1] = p.parent(ctx, down)
		if err := errors.Join(failed[:]...); err != nil {
			return gitsync.Hash{}, err
		}
	}
	if late.Retired {
		return gitsync.Hash{}, nil
	}
	return late.Commit, nil
}

// parent is what a commit was judged after; zero when that is not known.
func (p *past) parent(ctx context.Context, commit gitsync.Hash) (gitsync.Hash, error) {
	if commit.IsZero() {
		return commit, nil
	}
	all, err := p.log.verdicts(ctx, p.reader, commit, p.environment)
	if err != nil || len(all) == 0 {
		return gitsync.Hash{}, err
	}
	return required(all[0].Parent), nil
}

// told is what is live after a record. decided is false when that does not tell.
func (p *past) told(ctx context.Context, r *Record) (commit gitsync.Hash, decided bool, err error) {
	switch {
	case !p.counts(r):
		return commit, false, nil
	case r.Kind == KindRewrite:
		return p.valid(ctx, r.Rewrite.New)
	case r.Verdict == apply.Valid && r.Retired:
		return commit, true, nil
	case r.Verdict == apply.Valid:
		return r.Commit, true, nil
	case p.refused:
		return commit, false, nil
	}
	p.refused = true
	return p.beneath(ctx, r)
}

func (p *past) counts(r *Record) bool {
	return r.tells() && !r.At.After(p.at) && (r.Kind == KindRewrite || r.Environment == p.environment)
}

// beneath is what stayed live when a commit was not valid: its baseline. live is false when that was superseded: then it is of the same
// look, or of a branch that went back to it, which other records tell.
func (p *past) beneath(ctx context.Context, r *Record) (commit gitsync.Hash, live bool, err error) {
	commit = required(r.Baseline)
	if commit.IsZero() {
		return commit, true, nil
	}
	newest, err := p.verdict(ctx, commit)
	return commit, newest == nil || newest.Outcome != apply.Superseded || newest.Reconstructed, err
}

// verdict is the newest one on a commit there was then; nil when there was none.
func (p *past) verdict(ctx context.Context, commit gitsync.Hash) (*Record, error) {
	all, err := p.log.verdicts(ctx, p.reader, commit, p.environment)
	if err != nil {
		return nil, err
	}
	for _, r := range slices.Backward(all) {
		if !r.At.After(p.at) || r.Reconstructed {
			return r, nil
		}
	}
	return nil, nil
}

// valid is the newest valid version among a commit, to which the branch went, and those it follows; zero when there is none. known is false
// when the commit had not been judged then: its own verdict will tell.
func (p *past) valid(ctx context.Context, commit gitsync.Hash) (version gitsync.Hash, known bool, err error) {
	for range apply.MaxRemembered {
		r, err := p.verdict(ctx, commit)
		switch {
		case err != nil:
			return version, false, err
		case r == nil && known:
			return version, true, nil
		case r == nil:
			judged, err := p.judged(ctx, commit)
			return version, judged, err // the commit may have no such environment
		case r.Verdict == apply.Valid && r.Retired:
			return gitsync.Hash{}, true, nil
		case r.Verdict == apply.Valid:
			return commit, true, nil
		case r.Verdict == apply.Rejected || r.Parent == nil:
			return required(r.Baseline), true, nil
		}
		version, known = required(r.Baseline), true // unless the pending one before it is valid since
		commit = *r.Parent
	}
	return version, known, nil
}

// judged tells whether there was a verdict on a commit in any environment.
func (p *past) judged(ctx context.Context, commit gitsync.Hash) (bool, error) {
	all, err := p.log.ofCommit(ctx, p.reader, commit)
	if err != nil {
		return false, err
	}
	for _, v := range all {
		if !v.At.After(p.at) {
			return true, nil
		}
	}
	return slices.ContainsFunc(p.waiting, func(r *Record) bool {
		return r.Kind == KindCommit && r.Commit == commit && !r.At.After(p.at)
	}), nil
}
