package compile

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/trunkline/trunkline/value"
)

// redactors are those of one environment: what they redacted last is where they begin.
type redactors struct{ delivered, shown *value.Redactor }

func (c *Compiler) redactorsOf(env string) redactors {
	r, known := c.redactors[env]
	if !known {
		r = redactors{value.NewRedactor(c.key, value.Delivered), value.NewRedactor(c.key, value.Shown)}
		c.redactors[env] = r
	}
	return r
}

// sensitive is what the tree or the baseline calls so in an environment.
func (r *run) sensitive(env string) []value.Pattern {
	marks, known := r.marked[env]
	if !known {
		marks = slices.Clone(r.marks)
		if base := r.baselines[env]; base != nil {
			marks = append(marks, base.marks...)
		}
		marks = canonical(marks)
		r.marked[env] = marks
	}
	return marks
}

// apart are environments of which each calls something else sensitive, and every other one the same as one of them.
func (r *run) apart() []string {
	if r.markedApart == nil {
		seen := map[string]bool{}
		for _, env := range r.all {
			var key strings.Builder
			for _, mark := range r.sensitive(env) {
				key.WriteString(mark.String() + "\x00")
			}
			if !seen[key.String()] {
				seen[key.String()] = true
				r.markedApart = append(r.markedApart, env)
			}
		}
	}
	return r.markedApart
}

// canonical sorts patterns and leaves out those that stand twice.
func canonical(patterns []value.Pattern) []value.Pattern {
	slices.SortFunc(patterns, func(a, b value.Pattern) int { return strings.Compare(a.String(), b.String()) })
	return slices.CompactFunc(patterns, func(a, b value.Pattern) bool { return a.String() == b.String() })
}

// shownAt is what stands at a path, in the tree or in the baseline, as people may see it.
func (r *run) shownAt(path value.Path, v *value.Value, env string) *value.Value {
	return r.redactorsOf(env).shown.RedactAt(path, v, r.sensitive(env))
}

// hidden tells whether people may not be shown all of what stands at a path, or nearest above it.
func (r *run) hidden(path value.Path, at *value.Value, env string) bool {
	return r.shownAt(path, at, env) != at
}

// hideLines hides the line of each problem that shares it with a value which people may not be shown.
func (r *run) hideLines(problems []Problem) {
	wanted := map[string]map[int]bool{} // by file, lines that would be printed and whether they must not
	for _, p := range problems {
		if p.Line > 0 && wanted[p.File] == nil {
			wanted[p.File] = map[int]bool{}
		}
		if p.Line > 0 {
			wanted[p.File][p.Line] = false
		}
	}
	look := func(f file) {
		if lines, doc := wanted[f.path], r.parsed[f.path]; lines != nil && doc != nil && doc.value != nil {
			r.hiddenLines(lines, doc.value, slices.Clone(f.mount))
		}
	}
	r.layout.config.each(look)
	for _, name := range slices.Sorted(maps.Keys(r.layout.overlays)) {
		r.layout.overlays[name].each(look)
	}
	for _, folder := range r.layout.defined {
		folder.each(func(f file) {
			if lines, doc := wanted[f.path], r.parsed[f.path]; lines != nil && doc != nil && doc.value != nil {
				r.hiddenSettings(lines, doc.value, nil)
			}
		})
	}
	for i, p := range problems {
		problems[i].Hidden = wanted[p.File][p.Line]
	}
}

// hiddenLines finds those lines of a document on which a value begins that some environment hides.
func (r *run) hiddenLines(lines map[int]bool, v *value.Value, path value.Path) {
	if line := v.Pos().Line; v.Len() == 0 {
		if hidden, wanted := lines[line]; wanted && !hidden {
			lines[line] = slices.ContainsFunc(r.apart(), func(env string) bool { return r.shownAt(path, v, env) != v })
		}
		return
	}
	for i, e := range v.Entries() {
		key := e.Key
		if v.Kind() == value.List {
			key = strconv.Itoa(i)
		}
		r.hiddenLines(lines, e.Value, append(path, key))
	}
}

// hiddenSettings finds such lines of a definition, also of one that is wrong: what it sets counts by the paths that are set, and all
// else by how it looks.
func (r *run) hiddenSettings(lines map[int]bool, v *value.Value, path value.Path) {
	if v.Len() == 0 {
		r.hiddenLines(lines, v, path)
		return
	}
	for _, e := range v.Entries() {
		if v.Kind() == value.Map {
			path = value.Path{e.Key}
		}
		if e.Key != "set" || e.Value.Kind() != value.Map {
			r.hiddenSettings(lines, e.Value, path)
			continue
		}
		for _, setting := range e.Value.Entries() {
			at, err := value.ParsePath(setting.Key)
			if err != nil {
				at = value.Path{setting.Key}
			}
			r.hiddenLines(lines, setting.Value, at)
		}
	}
}
