package value

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
)

// operator tells whether something holds for a value, which is nil where nothing stands.
type operator func(m *meter, v *Value) truth

// operand is what a query gives an operator, at its place in the query.
type operand struct {
	at    Path
	name  string
	value *Value
	fold  bool   // ignoreCase
	as    string // the scale; empty for none
}

// operators are all there are. A scaled one goes with as.
var operators = []struct {
	name   string
	scaled bool
	read   func(operand) (operator, error)
}{
	{"eq", true, operand.eq},
	{"ne", true, operand.ne},
	{"gt", true, ordered(func(order int) bool { return order > 0 })},
	{"gte", true, ordered(func(order int) bool { return order >= 0 })},
	{"lt", true, ordered(func(order int) bool { return order < 0 })},
	{"lte", true, ordered(func(order int) bool { return order <= 0 })},
	{"in", true, operand.in},
	{"notIn", true, operand.notIn},
	{"contains", false, operand.contains},
	{"startsWith", false, affix(strings.HasPrefix)},
	{"endsWith", false, affix(strings.HasSuffix)},
	{"matches", false, operand.matches},
	{"exists", false, operand.exists},
	{"type", false, operand.kind},
}

var operatorNames = func() (names []string) {
	for _, o := range operators {
		names = append(names, o.name)
	}
	return names
}()

// visible keeps an operator from what it cannot be asked of: it is false where nothing stands, and unknown behind a redaction.
func visible(holds operator) operator {
	return func(m *meter, v *Value) truth {
		switch {
		case v == nil:
			return no
		case v.Kind() == Redacted:
			return unknown
		default:
			return holds(m, v)
		}
	}
}

func negated(holds operator) operator {
	return func(m *meter, v *Value) truth { return -holds(m, v) }
}

func (o operand) eq() (operator, error) {
	equals, err := o.equals()
	return visible(equals), err
}

func (o operand) ne() (operator, error) {
	equals, err := o.equals()
	return visible(negated(equals)), err
}

func (o operand) in() (operator, error) {
	among, err := o.among()
	return visible(among), err
}

func (o operand) notIn() (operator, error) {
	among, err := o.among()
	return visible(negated(among)), err
}

// equals compares with the operand.
func (o operand) equals() (operator, error) {
	if o.as != "" {
		measure, err := o.measure()
		return func(m *meter, v *Value) truth {
			order, ok := measure(m, v)
			return is(ok && order == 0)
		}, err
	}
	if holdsRedacted(o.value) {
		return nil, o.fail("a redacted value cannot be compared with", "ask for its presence with exists, or for redacted values with type")
	}
	wanted := o.value
	if o.fold {
		wanted = foldedValue(wanted)
	}
	return func(m *meter, v *Value) truth { return resembles(m, v, wanted, o.fold) }, nil
}

// among compares with each item of the operand.
func (o operand) among() (operator, error) {
	if o.value.Kind() != List || o.value.Len() == 0 {
		return nil, o.fail("takes a list of at least one value, not "+described(o.value), "")
	}
	var each []operator
	for i, e := range o.value.Entries() {
		item := o
		item.at, item.value = child(o.at, strconv.Itoa(i)), e.Value
		equals, err := item.equals()
		if err != nil {
			return nil, err
		}
		each = append(each, equals)
	}
	return func(m *meter, v *Value) truth {
		return most(m, each, func(equals operator) truth { return equals(m, v) })
	}, nil
}

// most is the highest of what holds for any of several.
func most[T any](m *meter, all []T, holds func(T) truth) truth {
	highest := no
	for _, one := range all {
		if highest = max(highest, holds(one)); highest == yes || m.spent() {
			break
		}
	}
	return highest
}

func ordered(accepts func(order int) bool) func(operand) (operator, error) {
	return func(o operand) (operator, error) {
		order, err := o.order()
		return visible(func(m *meter, v *Value) truth {
			n, ok := order(m, v)
			return is(ok && accepts(n))
		}), err
	}
}

// order puts values into an order with the operand: numbers, texts by their bytes, or what as says. Others have none.
func (o operand) order() (measure, error) {
	switch {
	case o.as != "":
		return o.measure()
	case o.value.number():
		return func(_ *meter, v *Value) (int, bool) {
			if !v.number() {
				return 0, false
			}
			return compareNumbers(v, o.value), true
		}, nil
	case o.value.Kind() == String:
		with := o.text()
		return func(m *meter, v *Value) (int, bool) { return strings.Compare(o.textOf(m, v), with), v.Kind() == String }, nil
	default:
		return nil, o.fail("takes a number or a string, not "+described(o.value), "")
	}
}

func (o operand) measure() (measure, error) {
	s := scales[slices.Index(scaleNames, o.as)]
	measure, ok := s.against(o.value)
	if !ok {
		return nil, o.fail(fmt.Sprintf("takes %s, not %s", s.expected, described(o.value)), "")
	}
	return measure, nil
}

// text is the operand's, folded where case is ignored, and textOf that of a value.
func (o operand) text() string { return o.textOf(&meter{}, o.value) }

func (o operand) textOf(m *meter, v *Value) string {
	if o.fold {
		return folded(m, v.Str())
	}
	m.text(v.Str())
	return v.Str()
}

// contains asks whether a text has a part, or a list an item.
func (o operand) contains() (operator, error) {
	equals, err := o.equals()
	part := o.text()
	return visible(func(m *meter, v *Value) truth {
		switch {
		case v.Kind() == String && o.value.Kind() == String:
			return is(strings.Contains(o.textOf(m, v), part))
		case v.Kind() == List:
			return most(m, v.Entries(), func(e Entry) truth { return equals(m, e.Value) })
		default:
			return no
		}
	}), err
}

func affix(has func(s, part string) bool) func(operand) (operator, error) {
	return func(o operand) (operator, error) {
		if o.value.Kind() != String {
			return nil, o.fail("takes a string, not "+described(o.value), "")
		}
		part := o.text()
		return visible(func(m *meter, v *Value) truth {
			return is(v.Kind() == String && has(o.textOf(m, v), part))
		}), nil
	}
}

// matches asks for a match of a regular expression anywhere in a text.
func (o operand) matches() (operator, error) {
	re, size, err := o.regexp()
	return visible(func(m *meter, v *Value) truth {
		if v.Kind() != String {
			return no
		}
		if m.spend(1 + len(v.str)*size/instructionsPerStep); m.spent() {
			return unknown
		}
		return is(re.MatchString(v.str))
	}), err
}

// regexp compiles the operand, and counts the instructions that each byte of a text may have to be matched against.
func (o operand) regexp() (*regexp.Regexp, int, error) {
	switch {
	case o.value.Kind() != String:
		return nil, 0, o.fail("takes a regular expression (RE2) in a string, not "+described(o.value), "")
	case len(o.value.str) > MaxRegexpBytes:
		return nil, 0, o.fail(fmt.Sprintf("takes a regular expression of at most %d bytes, not of %d", MaxRegexpBytes, len(o.value.str)), "")
	}
	prefix, flags := "", syntax.Perl
	if o.fold {
		prefix, flags = "(?i)", flags|syntax.FoldCase
	}
	parsed, err := syntax.Parse(o.value.str, flags)
	if err != nil {
		return nil, 0, o.fail("has an "+err.Error(), "the syntax is RE2's")
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, 0, o.fail("has an "+err.Error(), "")
	}
	size := len(program.Inst)
	if size > MaxRegexpSize {
		return nil, 0, o.fail(fmt.Sprintf("takes a regular expression of at most %d steps, not of %d", MaxRegexpSize, size), "repetitions count written out")
	}
	return regexp.MustCompile(prefix + o.value.str), size, nil
}

// exists asks whether something stands there, null and redacted included.
func (o operand) exists() (operator, error) {
	if o.value.Kind() != Bool {
		return nil, o.fail("takes true or false, not "+described(o.value), "")
	}
	return func(_ *meter, v *Value) truth { return is((v != nil) == o.value.Bool()) }, nil
}

// kind asks what a value is. Integers are numbers too. That a value is redacted is no secret; what it is else is.
func (o operand) kind() (operator, error) {
	i := slices.Index(kindNames[:], o.value.Str())
	if i < 0 {
		return nil, o.fail("takes the name of a type, not "+described(o.value), Suggestion(o.value.Str(), kindNames[:], "one of "))
	}
	kind := Kind(i)
	return func(_ *meter, v *Value) truth {
		switch {
		case v == nil:
			return no
		case kind == Redacted || v.Kind() != Redacted:
			return is(v.Kind() == kind || kind == Float && v.Kind() == Int)
		default:
			return unknown
		}
	}, nil
}

func holdsRedacted(v *Value) bool {
	return v.Kind() == Redacted || slices.ContainsFunc(v.Entries(), func(e Entry) bool { return holdsRedacted(e.Value) })
}

func (o operand) fail(message, hint string) error {
	return &QueryError{Pointer: o.at.Pointer(), Message: o.name + " " + message, Hint: hint}
}
