package value

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// QueryError tells what is wrong with a query, and where.
type QueryError struct {
	Pointer string // JSON Pointer into the query; empty for the whole
	Message string
	Hint    string // the next step, where there is one
}

func (e *QueryError) Error() string {
	text := e.Message
	if e.Pointer != "" {
		text = "query at " + e.Pointer + ": " + text
	}
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return text
}

var (
	queryMembers = []string{"pattern", "where", "limit", "after"}
	combinators  = []string{"all", "any", "not"}
	testMembers  = []string{"path", "ignoreCase", "as"}
)

// ParseQuery reads a query from JSON; its errors are [*QueryError].
//
//	{"pattern": "services.*", "where": {"all": [
//	    {"path": "timeout", "gt": "30s", "as": "duration"},
//	    {"not": {"path": "owner", "startsWith": "team-", "ignoreCase": true}}]},
//	 "limit": 50, "after": "services.billing"}
//
// The pattern selects values, and where must hold for them; without it all match. A condition is all, any or not of others, or
// operators that must all hold of what stands at path below the value, or of the value itself:
//
//	eq, ne            equality: 1 is 1.0, maps and lists go member by member; a string never equals a number
//	in, notIn         equality with one of a list
//	gt, gte, lt, lte  order: of numbers, exactly; of strings, by their bytes
//	contains          a part of a string, or an item of a list
//	startsWith        the beginning of a string
//	endsWith          its end
//	matches           a regular expression (RE2), anywhere in a string
//	exists            true or false; null exists
//	type              null, boolean, integer, number (integers too), string, list, map or redacted
//
// ignoreCase: true is for strings; as: duration, size, time or semver lets equality and order go by what strings mean. Where
// nothing stands every operator but exists is false. Where something of another kind stands, all but ne and notIn are.
//
// Of a redacted value only exists and type redacted can be asked. All else is unknown, and so is what stands below it, and whether
// the list or map it lies in equals one that differs nowhere else. What is unknown does not match, nor does its negation.
func ParseQuery(data []byte) (*Query, error) {
	if len(data) > MaxQueryBytes {
		return nil, &QueryError{Message: fmt.Sprintf("the query is longer than %d bytes", MaxQueryBytes)}
	}
	body, err := ParseJSON(data)
	if err != nil {
		return nil, &QueryError{Message: "the query cannot be read: " + err.Error()}
	}
	if body.Kind() != Map {
		return nil, &QueryError{Message: "a query is a map, not " + described(body), Hint: "members are " + strings.Join(queryMembers, ", ")}
	}
	var p queryParser
	return p.query(body)
}

// queryParser counts the conditions of a query.
type queryParser struct{ conditions int }

func (p *queryParser) query(body *Value) (*Query, error) {
	q := &Query{limit: DefaultQueryMatches}
	for _, e := range body.Entries() {
		if err := p.member(q, e.Key, e.Value); err != nil {
			return nil, err
		}
	}
	if len(q.pattern.segments) == 0 {
		return nil, &QueryError{Message: "the query names no pattern", Hint: `"pattern": "**" selects everything`}
	}
	return q, nil
}

func (p *queryParser) member(q *Query, key string, v *Value) (err error) {
	at := Path{key}
	switch key {
	case "pattern":
		q.pattern, err = parsedText(at, v, ParsePattern)
	case "after":
		q.after, err = parsedText(at, v, ParsePath)
		q.resumes = true
	case "where":
		q.where, err = p.condition(at, v)
	case "limit":
		q.limit = int(min(v.Int(), MaxQueryMatches+1))
		if q.limit < 1 || q.limit > MaxQueryMatches {
			return failAt(at, "", "limit is an integer from 1 to %d, not %s", MaxQueryMatches, described(v))
		}
	default:
		return failAt(at, Suggestion(key, queryMembers, "members are "), "%q is no member of a query", clipped(key))
	}
	return err
}

// parsedText reads a member that is a pattern or a path.
func parsedText[T any](at Path, v *Value, parse func(string) (T, error)) (T, error) {
	var none T
	if v.Kind() != String {
		return none, failAt(at, "", "%s is a string, not %s", at[len(at)-1], described(v))
	}
	parsed, err := parse(v.str)
	if err != nil {
		return none, failAt(at, "", "%v", err)
	}
	return parsed, nil
}

func (p *queryParser) condition(at Path, v *Value) (condition, error) {
	if p.conditions++; p.conditions > MaxQueryConditions {
		return nil, failAt(at, "", "a query holds at most %d conditions", MaxQueryConditions)
	}
	if v.Kind() != Map {
		return nil, failAt(at, `as {"path": "pool.max", "gt": 50}`, "a condition is a map, not %s", described(v))
	}
	for _, name := range combinators {
		if of, ok := v.Get(name); ok {
			return p.combination(at, name, of, v)
		}
	}
	return p.test(at, v)
}

// combination reads all, any or not, which stand alone.
func (p *queryParser) combination(at Path, name string, of, v *Value) (condition, error) {
	for _, e := range v.Entries() {
		if e.Key != name {
			return nil, failAt(child(at, e.Key), `combine them: {"all": [{…}, {…}]}`, "%q stands beside %s, which must be alone", clipped(e.Key), name)
		}
	}
	at = child(at, name)
	if name == "not" {
		c, err := p.condition(at, of)
		return negation{c}, err
	}
	if of.Kind() != List || of.Len() == 0 {
		return nil, failAt(at, "", "%s takes a list of at least one condition, not %s", name, described(of))
	}
	var parts []condition
	for i, e := range of.Entries() {
		c, err := p.condition(child(at, strconv.Itoa(i)), e.Value)
		if err != nil {
			return nil, err
		}
		parts = append(parts, c)
	}
	if name == "any" {
		return anyOf(parts), nil
	}
	return allOf(parts), nil
}

// test reads operators, after what says how they are to be read.
func (p *queryParser) test(at Path, v *Value) (condition, error) {
	var t test
	o, err := t.settings(at, v)
	if err != nil {
		return nil, err
	}
	for _, e := range v.Entries() {
		if slices.Contains(testMembers, e.Key) {
			continue
		}
		o.at, o.name, o.value = child(at, e.Key), e.Key, e.Value
		holds, err := o.operator()
		if err != nil {
			return nil, err
		}
		t.operators = append(t.operators, holds)
	}
	if len(t.operators) == 0 {
		return nil, failAt(at, "operators are "+strings.Join(operatorNames, ", "), "the condition names no operator")
	}
	return t, nil
}

// settings reads the members of a test that are no operators.
func (t *test) settings(at Path, v *Value) (o operand, err error) {
	if path, ok := v.Get("path"); ok {
		if t.path, err = parsedText(child(at, "path"), path, ParsePath); err != nil {
			return o, err
		}
	}
	if fold, ok := v.Get("ignoreCase"); ok {
		if fold.Kind() != Bool {
			return o, failAt(child(at, "ignoreCase"), "", "ignoreCase takes true or false, not %s", described(fold))
		}
		o.fold = fold.Bool()
	}
	if as, ok := v.Get("as"); ok {
		if o.as = as.Str(); !slices.Contains(scaleNames, o.as) {
			return o, failAt(child(at, "as"), Suggestion(o.as, scaleNames, "one of "), "as takes what to compare as, not %s", described(as))
		}
	}
	return o, nil
}

// operator is the one that the operand is for.
func (o operand) operator() (operator, error) {
	i := slices.Index(operatorNames, o.name)
	switch {
	case i < 0:
		return nil, failAt(o.at, Suggestion(o.name, slices.Concat(operatorNames, testMembers, combinators), "operators are "), "%q is no operator", clipped(o.name))
	case o.as != "" && !operators[i].scaled:
		return nil, o.fail("does not go with as", "as goes with eq, ne, gt, gte, lt, lte, in and notIn")
	}
	return operators[i].read(o)
}

func failAt(at Path, hint, message string, args ...any) error {
	return &QueryError{Pointer: at.Pointer(), Message: fmt.Sprintf(message, args...), Hint: hint}
}

// child is a path one segment longer, which shares nothing.
func child(p Path, key string) Path { return append(p[:len(p):len(p)], key) }
