package compile

import (
	"cmp"
	"slices"
)

// findings collects problems. The same problem of several environments is one. An environment that failed a stage is not told
// what later stages would say.
type findings struct {
	problems []*Problem
	places   map[problemKey]*Problem
	stages   map[Stage]int
	failed   map[string]Stage // by environment, the stage of its first error
	dropped  map[string]int   // by environment, problems of a stage that has far more than are kept
}

// problemKey is what makes two problems the same.
type problemKey struct {
	stage               Stage
	severity            Severity
	line, column        int
	file, path          string
	rule, message, hint string
}

func newFindings() *findings {
	return &findings{
		places: map[problemKey]*Problem{}, stages: map[Stage]int{}, failed: map[string]Stage{}, dropped: map[string]int{},
	}
}

func (f *findings) add(p Problem) {
	if p.Severity == "" {
		p.Severity = Error
	}
	envs := slices.DeleteFunc(slices.Clone(p.Environments), func(env string) bool { return f.failedBefore(env, p.Stage) })
	if len(envs) == 0 {
		return
	}
	slices.Sort(envs)
	p.Environments = envs
	unexplained := p.Severity == Error && f.fail(p)
	key := problemKey{p.Stage, p.Severity, p.Line, p.Column, p.File, p.Path, p.Rule, p.Message, p.Hint}
	if same := f.places[key]; same != nil {
		same.Environments = union(same.Environments, envs)
		return
	}
	if f.stages[p.Stage] >= maxCollected && !unexplained {
		for _, env := range envs {
			f.dropped[env]++
		}
		f.dropped[""]++
		return
	}
	f.stages[p.Stage]++
	f.places[key] = &p
	f.problems = append(f.problems, &p)
}

// failedBefore tells whether an environment has an error of an earlier stage.
func (f *findings) failedBefore(env string, stage Stage) bool {
	at, failed := f.failed[env]
	return failed && stageOrder[at] < stageOrder[stage]
}

// fail notes an error, and tells whether it is the first of one of its environments.
func (f *findings) fail(p Problem) (first bool) {
	for _, env := range p.Environments {
		if _, failed := f.failed[env]; !failed {
			f.failed[env], first = p.Stage, true
		}
	}
	return first
}

// list returns the problems by stage and place, at most [MaxProblems] of a stage, and counts the others by environment; under ""
// all of them.
func (f *findings) list() (kept []Problem, omitted map[string]int) {
	slices.SortStableFunc(f.problems, byPlace)
	keep := f.choose()
	omitted = f.dropped
	for _, p := range f.problems {
		if keep[p] {
			kept = append(kept, *p)
			continue
		}
		omitted[""]++
		for _, env := range p.Environments {
			omitted[env]++
		}
	}
	return kept, omitted
}

// choose picks what is kept of each stage: for every environment the first of its errors, so that no refusal goes unexplained,
// then the other errors, then warnings.
func (f *findings) choose() map[*Problem]bool {
	keep, room, explained := map[*Problem]bool{}, map[Stage]int{}, map[string]bool{}
	pick := func(wanted func(*Problem) bool) {
		for _, p := range f.problems {
			if !keep[p] && room[p.Stage] < MaxProblems && wanted(p) {
				keep[p] = true
				room[p.Stage]++
			}
		}
	}
	pick(func(p *Problem) bool {
		news := false
		for _, env := range p.Environments {
			news = news || p.Severity == Error && !explained[env]
			explained[env] = explained[env] || p.Severity == Error
		}
		return news
	})
	pick(func(p *Problem) bool { return p.Severity == Error })
	pick(func(*Problem) bool { return true })
	return keep
}

func byPlace(a, b *Problem) int {
	return cmp.Or(
		cmp.Compare(stageOrder[a.Stage], stageOrder[b.Stage]), cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
		cmp.Compare(a.Column, b.Column), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Rule, b.Rule),
		cmp.Compare(a.Message, b.Message), cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Hint, b.Hint),
	)
}

func union(a, b []string) []string {
	all := append(slices.Clone(a), b...)
	slices.Sort(all)
	return slices.Compact(all)
}
