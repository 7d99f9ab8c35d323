package audit

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/gitsync"
)

// history is what one environment went through.
type history struct {
	EnvironmentReport
	versions []*version           // valid ones in their order, those from before the period too
	position map[gitsync.Hash]int // of the newest version of a commit
	pending  map[gitsync.Hash]time.Time

	restores, waits []time.Duration
}

// version is a valid commit in an environment.
type version struct {
	committed  time.Time
	at         time.Time // when it went live, alone or with the version that superseded it
	timed      bool      // at is known
	first      bool      // nothing came before it
	live       bool
	superseded bool
	withheld   bool // a pin stood, and stands
	within     bool // at is in the period
	undone     bool
}

func (s *survey) environment(name string) *history {
	h := s.environments[name]
	if h == nil {
		h = &history{position: map[gitsync.Hash]int{}, pending: map[gitsync.Hash]time.Time{}}
		s.environments[name] = h
	}
	return h
}

// history follows a verdict in its environment.
func (s *survey) history(r *Record) {
	h := s.environment(r.Environment)
	within := s.within(r.At)
	if r.Verdict == apply.Pending {
		if _, known := h.pending[r.Commit]; !known {
			h.pending[r.Commit] = r.At
		}
		return
	}
	h.decided(r, within, s.report.To)
	switch {
	case r.Verdict == apply.Rejected && within:
		h.Rejected++
	case r.Verdict == apply.Valid && !r.Retired:
		s.version(h, r, within)
	}
}

// decided ends the wait for a verdict.
func (h *history) decided(r *Record, within bool, end time.Time) {
	since, waited := h.pending[r.Commit]
	if !waited || !r.At.Before(end) {
		return // what is decided later is still pending at the end
	}
	delete(h.pending, r.Commit)
	if within {
		h.waits = append(h.waits, r.At.Sub(since))
	}
}

// version follows a valid commit.
func (s *survey) version(h *history, r *Record, within bool) {
	v := &version{
		committed: r.Committed, at: r.At, timed: !r.Reconstructed, first: r.Parent == nil, within: within,
		live: r.Outcome == apply.Applied, superseded: r.Outcome == apply.Superseded, withheld: r.Outcome == apply.Withheld,
	}
	switch {
	case v.withheld:
	case r.RollbackOf != nil:
		s.rollback(h, r, v)
	case r.Lineage != nil && r.Lineage.Kind == apply.LineageRevert:
		s.revert(h, r, v)
	}
	h.position[r.Commit] = len(h.versions)
	h.versions = append(h.versions, v)
	if v.withheld && within {
		h.Withheld++
	}
}

// rollback follows a commit that restores an earlier one. Where that one is not known, as the log was trimmed, it undoes what went
// live last.
func (s *survey) rollback(h *history, r *Record, v *version) {
	from, known := h.position[*r.RollbackOf]
	if !known {
		from = -1
		for i, one := range h.versions {
			if one.live {
				from = i - 1
			}
		}
	}
	undone := h.undo(from+1, len(h.versions))
	if !v.within {
		return
	}
	told := RollbackReport{Example: exampleOf(r.CommitRecord), Environment: r.Environment, At: r.At, Restored: r.RollbackOf, Undone: len(undone)}
	if known && v.timed {
		told.Seconds = h.restored(undone, r.At)
	}
	h.Rollbacks++
	s.report.Rollbacks = append(s.report.Rollbacks, told)
}

// revert follows a commit that takes back others and leaves what came after them. It undoes the versions that they went live with;
// where there are none, as they were rejected here or the log was trimmed, it restores nothing that is known.
func (s *survey) revert(h *history, r *Record, v *version) {
	from, begins := h.position[required(r.Lineage.First)]
	to, ends := h.position[required(r.Lineage.Last)]
	switch {
	case !begins && !ends:
		return
	case !begins:
		from = to
	case !ends:
		to = from
	}
	for to < len(h.versions)-1 && h.versions[to].superseded {
		to++ // its changes went live with the one that superseded it
	}
	undone := h.undo(from, to+1)
	if len(undone) == 0 || !v.within {
		return
	}
	told := RollbackReport{
		Example: exampleOf(r.CommitRecord), Environment: r.Environment, At: r.At, Undone: len(undone),
		First: cmp.Or(r.Lineage.First, r.Lineage.Last), Last: cmp.Or(r.Lineage.Last, r.Lineage.First),
	}
	if v.timed {
		told.Seconds = h.restored(undone, r.At)
	}
	h.Rollbacks++
	s.report.Rollbacks = append(s.report.Rollbacks, told)
}

// pin follows an environment that an operator holds at a version: a rollback, if newer ones were live.
func (s *survey) pin(r *Record) {
	h := s.environment(r.Event.Environment)
	from, known := h.position[required(r.Event.Commit)]
	if !known {
		return // a commit of any kind can be pinned
	}
	undone := h.undo(from+1, len(h.versions))
	if len(undone) == 0 || !s.within(r.At) {
		return
	}
	h.Rollbacks++
	s.report.Rollbacks = append(s.report.Rollbacks, RollbackReport{
		Example:     Example{*r.Event.Commit, r.Event.Reason, Person{Name: r.Event.By}},
		Environment: r.Event.Environment, At: r.At, Pin: true, Restored: r.Event.Commit, Undone: len(undone), Seconds: h.restored(undone, r.At),
	})
}

// unpin lets the newest of the versions that were withheld go live, and the others with it.
func (s *survey) unpin(r *Record) {
	newest := true
	for _, v := range slices.Backward(s.environment(r.Event.Environment).versions) {
		if v.withheld {
			v.at, v.within, v.timed = r.At, s.within(r.At), true
			v.withheld, v.live, v.superseded = false, newest, !newest
			newest = false
		}
	}
}

// undo marks what is live from one position to another as undone.
func (h *history) undo(from, to int) []*version {
	var undone []*version
	for _, v := range h.versions[min(from, to):to] {
		if v.live && !v.undone {
			v.undone = true
			undone = append(undone, v)
		}
	}
	return undone
}

// restored is how long it took from when the oldest of the versions that were undone went live; nil when that is not known.
func (h *history) restored(undone []*version, at time.Time) *float64 {
	if len(undone) == 0 || !undone[0].timed {
		return nil
	}
	took := at.Sub(undone[0].at)
	h.restores = append(h.restores, took)
	seconds := took.Seconds()
	return &seconds
}

// finish puts the numbers of the environment together, and counts the versions whose commits bear a later time than they went live at.
func (h *history) finish(name string, end time.Time) (ahead int) {
	h.Name = name
	var leads []time.Duration
	for _, v := range h.versions {
		if !v.within || !v.live && !v.superseded {
			continue
		}
		h.count(v)
		switch lead := v.at.Sub(v.committed); {
		case !v.timed || v.first || v.committed.IsZero(): // where judging begins, nothing is being changed
		case lead < 0:
			ahead++
		default:
			leads = append(leads, lead)
		}
	}
	for _, since := range h.pending {
		if since.Before(end) {
			h.StillPending++
		}
	}
	if h.Deployments > 0 {
		rate := float64(h.Failed) / float64(h.Deployments)
		h.ChangeFailureRate = &rate
	}
	h.TimeToRestore, h.LeadTime, h.Pending = spread(h.restores), spread(leads), spread(h.waits)
	return ahead
}

func (h *history) count(v *version) {
	switch {
	case v.superseded:
		h.Superseded++
	case v.undone:
		h.Failed++
		fallthrough
	default:
		h.Deployments++
	}
}

// happened tells whether there is anything to tell.
func (h *history) happened() bool {
	return h.Deployments+h.Superseded+h.Withheld+h.Rejected+h.Rollbacks+h.StillPending+h.Pending.Count > 0
}

func spread(durations []time.Duration) Spread {
	if len(durations) == 0 {
		return Spread{}
	}
	slices.Sort(durations)
	rank := func(share float64) float64 {
		return durations[max(int(math.Ceil(share*float64(len(durations)))), 1)-1].Seconds()
	}
	return Spread{len(durations), rank(0.5), rank(0.9), rank(1)}
}
