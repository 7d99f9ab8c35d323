package audit

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/value"
)

// survey collects a report from records, oldest first.
type survey struct {
	report       *Report
	environments map[string]*history
	authors      map[string]*AuthorReport
	areas        map[string]*AreaReport
	rules        map[string]*RejectionReport
	events       map[Kind]*EventReport
	commits      map[gitsync.Hash]*counted

	shortened, reconstructed, unreadable, ahead int
}

// counted is what of a commit has been counted already: it has a record for each environment.
type counted struct {
	valid, rejected bool
	areas, rules    []string
}

// once adds a name to a list, unless it holds it.
func once(list *[]string, name string) bool {
	if slices.Contains(*list, name) {
		return false
	}
	*list = append(*list, name)
	return true
}

func newSurvey(from, to time.Time) *survey {
	return &survey{
		report: &Report{
			From: from.UTC(), To: to.UTC(), Environments: []EnvironmentReport{}, Rollbacks: []RollbackReport{}, Acceptances: []AcceptanceReport{},
		},
		environments: map[string]*history{}, authors: map[string]*AuthorReport{}, areas: map[string]*AreaReport{},
		rules: map[string]*RejectionReport{}, events: map[Kind]*EventReport{}, commits: map[gitsync.Hash]*counted{},
	}
}

func (s *survey) within(t time.Time) bool { return !t.Before(s.report.From) && t.Before(s.report.To) }

func (s *survey) take(r *Record) {
	switch {
	case r.Kind == KindCommit:
		s.history(r)
	case r.Kind == KindPin && r.Event != nil:
		s.pin(r)
	case r.Kind == KindUnpin && r.Event != nil:
		s.unpin(r)
	}
	if !s.within(r.At) {
		return
	}
	s.report.Records++
	if r.Truncated {
		s.shortened++
	}
	switch {
	case r.Kind == KindUnreadable:
		s.unreadable++
	case r.Kind == KindCommit:
		s.commit(r.CommitRecord)
	case r.Kind == KindRewrite && r.Rewrite.Refused:
		s.report.Refused++
	case r.Kind == KindRewrite:
		s.report.Rewrites++
	case r.Kind == KindAcceptance:
		a := r.Acceptance
		s.report.Acceptances = append(s.report.Acceptances, AcceptanceReport{a.Commit, r.At, a.By, a.Reason})
	case r.Kind == KindCheckpoint:
		s.event(r.Kind, EventExample{At: r.At, By: r.Checkpoint.By, Reason: r.Checkpoint.Reason})
	case r.Event != nil:
		s.event(r.Kind, EventExample{r.At, r.Event.By, r.Event.Environment, r.Event.Commit, r.Event.Reason})
	default:
		s.event(r.Kind, EventExample{At: r.At})
	}
}

func (s *survey) event(kind Kind, e EventExample) {
	c := s.events[kind]
	if c == nil {
		c = &EventReport{Kind: kind, By: map[string]int{}}
		s.events[kind] = c
	}
	c.Count++
	if _, known := c.By[e.By]; known || len(c.By) < maxRows {
		c.By[e.By]++
	}
	c.Newest = append(c.Newest, e)
	c.Newest = c.Newest[max(0, len(c.Newest)-maxNewest):]
}

// commit counts a verdict for its author, its areas and its rules.
func (s *survey) commit(c *CommitRecord) {
	if c.Reconstructed {
		s.reconstructed++
	}
	seen := s.commits[c.Commit]
	author := s.author(c.Author)
	if seen == nil {
		seen = &counted{}
		s.commits[c.Commit] = seen
		author.Commits++
	}
	switch c.Verdict {
	case apply.Valid:
		if !seen.valid {
			author.Valid++
			if c.Signer == nil {
				author.Unverified++
			}
		}
		seen.valid = true
		author.Changes += c.ChangesTotal
		s.changes(c, seen)
	case apply.Rejected:
		if !seen.rejected {
			author.Rejected++
		}
		seen.rejected = true
		s.rejection(c, seen)
	}
}

// author is who claims an address, or where there is none, a name.
func (s *survey) author(p Person) *AuthorReport {
	key := cmp.Or(strings.ToLower(p.Email), p.Name)
	if s.authors[key] == nil {
		s.authors[key] = &AuthorReport{Person: p}
	}
	return s.authors[key]
}

func (s *survey) changes(c *CommitRecord, seen *counted) {
	for _, change := range c.Changes {
		path, err := value.ParsePath(change.Path)
		if err != nil {
			continue
		}
		name := "" // the root
		if len(path) > 0 {
			name = path[0]
		}
		area := s.areas[name]
		if area == nil {
			area = &AreaReport{Area: name}
			s.areas[name] = area
		}
		if area.Changes++; once(&seen.areas, name) {
			area.Commits++
		}
	}
}

func (s *survey) rejection(c *CommitRecord, seen *counted) {
	told := false
	for _, p := range c.Problems {
		if p.Severity == compile.Error {
			s.rule(p.Rule, p.Stage, c, seen)
			told = true
		}
	}
	if !told {
		s.rule(ruleUntold, "", c, seen)
	}
}

// ruleUntold stands for the rules that a shortened record does not name.
const ruleUntold = "(not in the record)"

func (s *survey) rule(rule string, stage compile.Stage, c *CommitRecord, seen *counted) {
	if !once(&seen.rules, rule) {
		return
	}
	r := s.rules[rule]
	if r == nil {
		r = &RejectionReport{Rule: rule, Stage: stage}
		s.rules[rule] = r
	}
	if r.Commits++; len(r.Examples) < maxExamples {
		r.Examples = append(r.Examples, exampleOf(c))
	}
}

func exampleOf(c *CommitRecord) Example { return Example{c.Commit, c.Subject, c.Author} }

// notes says what the numbers do not cover. oldest is the time of the first record there is.
func (s *survey) notes(oldest time.Time, trimmed bool, waiting int) {
	r := s.report
	switch {
	case oldest.IsZero():
		s.note(1, "The log is empty.")
	case oldest.After(r.From) && trimmed:
		s.note(1, "Records from before %s were trimmed: the beginning of the period is not covered.", clock(oldest))
	case oldest.After(r.From):
		s.note(1, "The log begins at %s: the beginning of the period is not covered.", clock(oldest))
	}
	if r.Records == 0 && !oldest.IsZero() {
		s.note(1, "There are no records of this period.")
	}
	if r.Truncated {
		s.note(1, "The report is truncated: it ends with record %d, of %s. Ask for a shorter period.", r.AsOf.Sequence, clock(r.AsOf.At))
	}
	s.note(waiting, "Records that wait for the log and are not counted: %d.", waiting)
	s.note(s.reconstructed, "Verdicts that were written by a later start, at whose time, and are left out of lead times and times to restore: %d.", s.reconstructed)
	s.note(s.ahead, "Versions whose commits bear a later time than they went live at, and that are left out of lead times: %d.", s.ahead)
	s.note(s.shortened, "Records that do not name all their changes or problems, so that counts by area and by rule are too low: %d.", s.shortened)
	s.note(s.unreadable, "Records that cannot be read: %d. Verify the log.", s.unreadable)
}

func (s *survey) note(n int, format string, args ...any) {
	if n > 0 {
		s.report.Notes = append(s.report.Notes, fmt.Sprintf(format, args...))
	}
}

// finish puts all into lists, in order and bounded.
func (s *survey) finish() {
	r := s.report
	for _, name := range slices.Sorted(maps.Keys(s.environments)) {
		h := s.environments[name]
		if s.ahead += h.finish(name, r.To); h.happened() {
			r.Environments = append(r.Environments, h.EnvironmentReport)
		}
	}
	r.Authors = bounded(s, "authors", maxRows, s.authors, func(a, b *AuthorReport) int {
		return cmp.Or(cmp.Compare(b.Commits, a.Commits), cmp.Compare(a.Email, b.Email), cmp.Compare(a.Name, b.Name))
	})
	r.Areas = bounded(s, "areas", maxRows, s.areas, func(a, b *AreaReport) int {
		return cmp.Or(cmp.Compare(b.Commits, a.Commits), cmp.Compare(a.Area, b.Area))
	})
	r.Rejections = bounded(s, "rules", maxRules, s.rules, func(a, b *RejectionReport) int {
		return cmp.Or(cmp.Compare(b.Commits, a.Commits), cmp.Compare(a.Rule, b.Rule))
	})
	r.Events = bounded(s, "kinds of events", maxRules, s.events, func(a, b *EventReport) int { return cmp.Compare(a.Kind, b.Kind) })
	r.Rollbacks = firsts(s, "rollbacks", r.Rollbacks)
	r.Acceptances = firsts(s, "acceptances", r.Acceptances)
}

func bounded[K comparable, T any](s *survey, what string, most int, all map[K]*T, order func(a, b *T) int) []T {
	sorted := slices.SortedFunc(maps.Values(all), order)
	list := make([]T, 0, len(sorted))
	for _, one := range sorted[:min(len(sorted), most)] {
		list = append(list, *one)
	}
	s.note(len(sorted)-most, "Of %d %s the first %d are listed.", len(sorted), what, most)
	return list
}

func firsts[T any](s *survey, what string, all []T) []T {
	s.note(len(all)-maxRows, "Of %d %s the first %d are listed.", len(all), what, maxRows)
	return all[:min(len(all), maxRows)]
}
