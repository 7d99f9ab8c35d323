package experiment

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/trunkline/trunkline/value"
	"github.com/trunkline/trunkline/value/expr"
)

// reader turns the document of one file into a definition and says what is wrong with it.
type reader struct {
	report
	kind  Kind
	rule  string // of problems that have none of their own
	known *known
}

// known is what the files of all kinds may name.
type known struct {
	environments []string // nil: not known
	conditions   *expr.Conditions
	exported     bool // the documents are of [Set.Export]: what they set may not be seen, and what people alone need is left out
}

func (r *reader) wrong(at *value.Value, hint, message string, args ...any) {
	r.fail(at, r.rule, hint, message, args...)
}

// member is one key of a map and what reads its value.
type member struct {
	key      string
	required string // how to write it, where it must be there
	read     func(*value.Value)
}

// members reads a map. The keys are read in the order of the table, so that one may rely on those before it.
func (r *reader) members(v *value.Value, what string, table []member) {
	if v.Kind() != value.Map {
		r.wrong(v, "write "+what+" as a map", "%s is %s; it must be a map", what, v.Kind().Article())
		return
	}
	var keys []string
	for _, m := range table {
		keys = append(keys, m.key)
		if member, ok := v.Get(m.key); ok {
			m.read(member)
		} else if m.required != "" {
			r.wrong(v, "add "+m.required, "%s has no %s", what, m.key)
		}
	}
	for _, e := range v.Entries() {
		if !slices.Contains(keys, e.Key) {
			r.fail(e.Value, "unknownKey", value.Suggestion(e.Key, keys, "known keys: "), "%s knows no key %q", what, e.Key)
		}
	}
}

// each reads the items of a list, at most so many.
func (r *reader) each(v *value.Value, name, example string, most int, read func(i int, item *value.Value)) {
	switch {
	case v.Kind() != value.List:
		r.wrong(v, "write "+example, "%s is %s; it must be a list", name, v.Kind().Article())
	case v.Len() > most:
		r.wrong(v, "split it", "%s has %d items, more than %d", name, v.Len(), most)
	default:
		for i, e := range v.Entries() {
			read(i, e.Value)
		}
	}
}

// named reads a map by names, at most so many.
func (r *reader) named(v *value.Value, name, example string, most int, read func(e value.Entry)) {
	switch {
	case v.Kind() != value.Map:
		r.wrong(v, "write "+example, "%s is %s; it must be a map", name, v.Kind().Article())
	case v.Len() > most:
		r.wrong(v, "split it", "%s has %d members, more than %d", name, v.Len(), most)
	default:
		for _, e := range v.Entries() {
			read(e)
		}
	}
}

// text reads a string that is not empty.
func (r *reader) text(name string, to *string) func(*value.Value) {
	return func(v *value.Value) {
		switch *to = v.Str(); {
		case v.Kind() == value.Int || v.Kind() == value.Float || v.Kind() == value.Bool:
			r.wrong(v, "quote it", "%s is %s; it must be a string", name, v.Kind().Article())
		case v.Kind() != value.String:
			r.wrong(v, "write "+name+": TEXT", "%s is %s; it must be a string", name, v.Kind().Article())
		case *to == "":
			r.wrong(v, "write "+name+": TEXT, or remove the line", "%s is empty", name)
		}
	}
}

// oneOf reads one of a few words.
func (r *reader) oneOf(name string, to *string, words ...string) func(*value.Value) {
	return func(v *value.Value) {
		if *to = v.Str(); v.Kind() != value.String || !slices.Contains(words, *to) {
			r.wrong(v, value.Suggestion(*to, words, "write one of "), "%s is one of %s", name, strings.Join(words, ", "))
		}
	}
}

// keyForm is what names files, rules and variants: it stands in messages, paths and URLs.
var keyForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*$`)

func isKey(s string) bool { return len(s) <= MaxKey && keyForm.MatchString(s) }

const keyHint = "letters, digits, _ and -, beginning with a letter or a digit, at most 128"

// environments reads where the file counts. What is wrong with the file is a problem there alone.
func (r *reader) environments(to *[]string) func(*value.Value) {
	return func(v *value.Value) {
		const example = "environments: [prod]"
		if v.Kind() == value.List && v.Len() == 0 {
			r.wrong(v, "write "+example, "environments names none")
		}
		var names []string
		r.each(v, "environments", example, MaxRules, func(_ int, item *value.Value) {
			name := item.Str()
			switch {
			case r.known.environments != nil && !slices.Contains(r.known.environments, name):
				r.fail(item, "unknownEnvironment", value.Suggestion(name, r.known.environments, "known environments: "), "%q is no environment", name)
			case name == "":
				r.wrong(item, "write "+example, "an environment is named by a string")
			case slices.Contains(names, name):
				r.wrong(item, "remove one", "%s is named twice", name)
			default:
				names = append(names, name)
			}
		})
		slices.Sort(names)
		*to = names
		if len(names) == v.Len() {
			r.report.environments = names
		}
	}
}

// salt reads what a unit's place is made of. Whatever it is, it must be the same string to every reader of every format.
func (r *reader) salt(to *salt) func(*value.Value) {
	return func(v *value.Value) {
		const hint = "write some random letters and digits in quotes, as salt: '41be77c20a9d'"
		*to = salt{v.Str(), v}
		switch text := v.Str(); {
		case v.Kind() != value.String:
			r.fail(v, "salt", "quote it", "the salt is %s; it must be a string", v.Kind().Article())
		case text == "":
			r.fail(v, "salt", hint, "the salt is empty")
		case strings.ContainsRune(text, 0):
			r.fail(v, "salt", hint, "the salt holds a NUL, which separates it from the unit")
		case len(text) > MaxSalt:
			r.fail(v, "salt", hint, "the salt has %d bytes, more than %d", len(text), MaxSalt)
		}
	}
}

// salt is a salt and where it stands.
type salt struct {
	text string
	at   *value.Value
}

// share reads a percentage.
func (r *reader) share(name string, to *int) func(*value.Value) {
	return func(v *value.Value) {
		slots, err := parseShare(v.Str())
		switch {
		case v.Kind() == value.Int || v.Kind() == value.Float:
			r.fail(v, "percentage", "write "+v.String()+"%", "%s is a number; it must be a percentage", name)
		case v.Kind() != value.String:
			r.fail(v, "percentage", "write "+name+": 20%", "%s is %s; it must be a percentage", name, v.Kind().Article())
		case err != nil:
			r.fail(v, "percentage", "write a percentage from 0% to 100%, in steps of 0.01%", "%s: %v", name, err)
		}
		*to = slots
	}
}

// slots read a list of ranges.
func (r *reader) slots(name string, to *Ranges) func(*value.Value) {
	return func(v *value.Value) {
		var list []Range
		r.each(v, name, name+": [0-1999]", MaxRanges, func(_ int, item *value.Value) {
			one, err := ParseRange(item.Str())
			if err != nil {
				r.fail(item, "slots", "write ranges with both ends, as 0-1999", "%v", err)
				return
			}
			list = append(list, one)
		})
		ranges, overlap := newRanges(list)
		if overlap != nil {
			r.fail(v, "slots", "let each slot stand in one range", "%s names the slots of %s twice", name, overlap)
		}
		*to = ranges
	}
}

// condition reads and compiles an expression of CEL.
func (r *reader) condition(name string, to *condition) func(*value.Value) {
	return func(v *value.Value) {
		*to = condition{text: v.Str(), at: v}
		if v.Kind() != value.String {
			r.fail(v, "condition", `write `+name+`: context.country == "DE"`, "%s is %s; it must be a string of CEL", name, v.Kind().Article())
			return
		}
		program, err := r.known.conditions.Compile(v.Str())
		var syntax *expr.SyntaxError
		if errors.As(err, &syntax) {
			r.fail(v, "condition", `attributes are members of context, as context.country == "DE"`, "%v", syntax)
			return
		}
		to.program = program
	}
}

// condition is a compiled expression; without a program it always holds.
type condition struct {
	text    string
	at      *value.Value
	program *expr.Condition
}

// instant reads a time.
func (r *reader) instant(name string, to *int64) func(*value.Value) {
	return func(v *value.Value) {
		at, err := time.Parse(time.RFC3339, v.Str())
		switch {
		case v.Kind() != value.String || err != nil:
			r.wrong(v, "write "+name+": 2026-12-01T09:00:00Z", "%s is no time of RFC 3339", name)
		case at.Second() != 0 || at.Nanosecond() != 0:
			r.wrong(v, "write whole minutes", "%s is finer than a minute", name)
		}
		*to = at.Unix()
	}
}

// duration reads a duration of whole minutes, in seconds.
func (r *reader) duration(name string, most time.Duration, to *int64) func(*value.Value) {
	return func(v *value.Value) {
		d, err := value.ParseDuration(v.Str())
		switch {
		case v.Kind() != value.String || err != nil:
			r.wrong(v, "write "+name+": 24h", "%s is no duration, as 90m, 24h or 7d", name)
		case d < 0 || d > most:
			r.wrong(v, "write a shorter one", "%s is not between 0h and %dd", name, int(most.Hours()/24))
		case d%time.Minute != 0:
			r.wrong(v, "write whole minutes", "%s is finer than a minute", name)
		}
		*to = int64(d / time.Second)
	}
}

// attribute reads the path of an attribute below context.
func (r *reader) attribute(name string, to *Attribute) func(*value.Value) {
	return func(v *value.Value) {
		path, err := value.ParsePath(v.Str())
		if v.Kind() != value.String || err != nil || len(path) == 0 {
			r.wrong(v, "write "+name+": accountId", "%s names no attribute of the context", name)
			return
		}
		*to = Attribute{v.Str(), path}
	}
}

// settings read what an arm sets.
func (r *reader) settings(to *[]Setting) func(*value.Value) {
	return func(v *value.Value) {
		const example = "set: {search.newRanking: true}"
		if v.Kind() == value.Map && v.Len() == 0 && !r.known.exported {
			r.wrong(v, "write "+example, "set sets nothing")
		}
		var settings []Setting
		r.named(v, "set", example, MaxSettings, func(e value.Entry) {
			path, err := value.ParsePath(e.Key)
			switch {
			case err != nil:
				r.fail(e.Value, "settable", "write the path of a value of the configuration", "%v", err)
			case len(path) == 0:
				r.fail(e.Value, "settable", "write the path of a value of the configuration", "the root cannot be set")
			case patched(e.Value):
				r.fail(e.Value, "settable", "write the whole value: it takes the place of the configured one", "a $patch cannot be set at %s", e.Key)
			default:
				settings = append(settings, Setting{path, e.Value})
			}
		})
		slices.SortFunc(settings, func(a, b Setting) int { return slices.Compare(a.Path, b.Path) })
		for i := 1; i < len(settings); i++ {
			if a, b := settings[i-1].Path, settings[i].Path; len(a) <= len(b) && slices.Equal(a, b[:len(a)]) {
				r.fail(settings[i].Value, "settable", "set one of them", "%s is set, and so is %s", b, a)
			}
		}
		*to = settings
	}
}

func patched(v *value.Value) bool {
	if _, ok := v.Get(value.PatchKey); ok {
		return true
	}
	return slices.ContainsFunc(v.Entries(), func(e value.Entry) bool { return patched(e.Value) })
}

// force reads which units are forced to which arm.
func (r *reader) force(to *map[string]int, arm func(v *value.Value) (int, bool)) func(*value.Value) {
	return func(v *value.Value) {
		forced := map[string]int{}
		r.named(v, "force", "force: {qa-1: …}", MaxForced, func(e value.Entry) {
			if e.Key == "" || len(e.Key) > MaxUnit {
				r.wrong(e.Value, "name a unit", "a unit's name has 1 to %d bytes", MaxUnit)
			}
			if n, ok := arm(e.Value); ok {
				forced[e.Key] = n
			}
		})
		*to = forced
	}
}
