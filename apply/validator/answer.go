package validator

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/value"
)

var (
	answerKeys  = []string{"verdict", "problems"}
	problemKeys = []string{"severity", "path", "rule", "message", "hint"}
)

// read takes an answer. It is strict: a misspelt key, passed over, could let a rejected commit go live.
func (v *validator) read(answer []byte) ([]compile.Problem, error) {
	if len(bytes.TrimSpace(answer)) == 0 {
		return nil, errors.New("the answer is empty")
	}
	doc, err := value.ParseJSON(answer)
	if err != nil {
		return nil, fmt.Errorf("the answer is not JSON: %s", oneLine(err.Error(), maxReason))
	}
	if err := object("answer", doc, answerKeys); err != nil {
		return nil, err
	}
	problems, err := v.problems(doc)
	if err != nil {
		return nil, err
	}
	return v.settled(doc, problems)
}

// object refuses what is no object, and keys that are not known.
func object(what string, v *value.Value, known []string) error {
	if v.Kind() != value.Map {
		return fmt.Errorf("the %s is %s and not an object", what, v.Kind().Article())
	}
	for _, e := range v.Entries() {
		if !slices.Contains(known, e.Key) {
			return fmt.Errorf("the %s has a key %q; known are %s", what, oneLine(e.Key, maxRule), strings.Join(known, ", "))
		}
	}
	return nil
}

func (v *validator) problems(answer *value.Value) ([]compile.Problem, error) {
	list, ok := answer.Get("problems")
	if !ok {
		return nil, nil
	}
	if list.Kind() != value.List {
		return nil, fmt.Errorf("problems is %s and not a list", list.Kind().Article())
	}
	problems := make([]compile.Problem, list.Len())
	for i, e := range list.Entries() {
		p, err := v.problem(e.Value)
		if err != nil {
			return nil, fmt.Errorf("problem %d: %w", i+1, err)
		}
		problems[i] = p
	}
	return problems, nil
}

func (v *validator) problem(at *value.Value) (p compile.Problem, err error) {
	if err := object("problem", at, problemKeys); err != nil {
		return p, err
	}
	severity := string(compile.Error)
	p.Rule = v.name
	for _, field := range []struct {
		key   string
		text  *string
		limit int
	}{
		{"severity", &severity, maxRule},
		{"path", &p.Path, maxPath},
		{"rule", &p.Rule, maxRule},
		{"message", &p.Message, maxMessage},
		{"hint", &p.Hint, maxHint},
	} {
		if err := text(at, field.key, field.text, field.limit); err != nil {
			return p, err
		}
	}
	p.Severity = compile.Severity(severity)
	switch {
	case p.Message == "":
		return p, errors.New("there is no message")
	case p.Severity != compile.Error && p.Severity != compile.Warning:
		return p, fmt.Errorf("the severity is %q, neither error nor warning", severity)
	}
	return p, nil
}

// text reads a member that is a string, if there is one and it says something.
func text(in *value.Value, key string, to *string, limit int) error {
	v, ok := in.Get(key)
	if !ok {
		return nil
	}
	if v.Kind() != value.String {
		return fmt.Errorf("%s is %s and not a string", key, v.Kind().Article())
	}
	if said := oneLine(v.Str(), limit); said != "" {
		*to = said
	}
	return nil
}

// settled holds the verdict and the problems together.
func (v *validator) settled(answer *value.Value, problems []compile.Problem) ([]compile.Problem, error) {
	var verdict string
	if err := text(answer, "verdict", &verdict, maxRule); err != nil {
		return nil, err
	}
	rejects := slices.ContainsFunc(problems, func(p compile.Problem) bool { return p.Severity == compile.Error })
	switch verdict {
	case "valid":
		if rejects {
			return nil, errors.New("the answer contradicts itself: the verdict is valid, and one of the problems is an error")
		}
	case "rejected":
		if !rejects {
			problems = append(problems, compile.Problem{
				Severity: compile.Error, Rule: v.name, Message: "the validator " + v.name + " rejects this and does not say why",
				Hint: "let its answer hold a problem with a message",
			})
		}
	case "pending":
		return nil, pending(problems)
	default:
		return nil, fmt.Errorf("the verdict is %q; it must be valid, rejected or pending", verdict)
	}
	return worst(problems), nil
}

func pending(problems []compile.Problem) error {
	if len(problems) == 0 {
		return errors.New("it cannot tell yet")
	}
	return fmt.Errorf("it cannot tell yet: %s", oneLine(problems[0].Message, maxReason))
}

// worst are as many as are kept.
func worst(problems []compile.Problem) []compile.Problem {
	if len(problems) <= maxProblems {
		return problems
	}
	slices.SortStableFunc(problems, func(a, b compile.Problem) int {
		return strings.Compare(string(a.Severity), string(b.Severity)) // error, warning
	})
	return problems[:maxProblems]
}

// oneLine makes a stranger's text fit for a terminal and a log: printable characters, at most limit bytes.
func oneLine(text string, limit int) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	if text = strings.Join(strings.Fields(text), " "); len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit-len("…")], "") + "…"
}
