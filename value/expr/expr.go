// Package expr evaluates expressions of CEL, the Common Expression Language, over configuration values.
//
// Make an [Env] that names the variables, compile a [Program] once, and evaluate it as often as needed, from any goroutine. A tree
// is read where it lies: nothing of it is copied. Every evaluation has a limit of cost and of memory; one that exceeds it ends with
// an error, whatever the expression or the values are.
package expr

import (
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	celenv "cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/types"

	"github.com/trunkline/trunkline/value"
)

// Kind is the type an expression must have.
type Kind uint8

// The kinds of results.
const (
	Bool Kind = iota
	String
)

// Type is what a variable holds.
type Type uint8

// The types of variables.
const (
	Any   Type = iota // a value of the configuration, as *value.Value
	Text              // a string
	Flag              // a bool
	Texts             // a list of strings
)

// Env is a set of variables.
type Env struct{ env *cel.Env }

// NewEnv makes an environment with the variables named.
func NewEnv(variables map[string]Type) (*Env, error) {
	options := []cel.EnvOption{
		cel.StdLib(cel.StdLibSubset(&celenv.LibrarySubset{ExcludeFunctions: []*celenv.Function{celenv.NewFunction("matches")}})), matching,
		cel.CrossTypeNumericComparisons(true), cel.CustomTypeAdapter(adapter{types.DefaultTypeAdapter}),
		cel.DefaultUTCTimeZone(true), cel.EagerlyValidateDeclarations(true),
		cel.ASTValidators(cel.ValidateComprehensionNestingLimit(maxMacros), cel.ValidateRegexLiterals(), cel.ValidateDurationLiterals()),
		cel.ParserExpressionSizeLimit(MaxLength),
	}
	for name, t := range variables {
		options = append(options, cel.Variable(name, celType(t)))
	}
	env, err := cel.NewCustomEnv(options...)
	if err != nil {
		return nil, fmt.Errorf("environment of expressions: %w", err)
	}
	return &Env{env}, nil
}

func celType(t Type) *cel.Type {
	switch t {
	case Text:
		return cel.StringType
	case Flag:
		return cel.BoolType
	case Texts:
		return cel.ListType(cel.StringType)
	default:
		return cel.DynType
	}
}

// SyntaxError tells where an expression is wrong. Line and Column count from 1 within the expression, columns in characters.
type SyntaxError struct {
	Line, Column int
	Message      string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("at line %d, column %d of the expression: %s", e.Line, e.Column, e.Message)
}

// Program is a compiled expression.
type Program struct {
	program cel.Program
	names   map[string]bool
	reads   map[string][]value.Path
}

// Compile compiles an expression, whose result must be of the kind. Its error is a *SyntaxError.
func (e *Env) Compile(text string, kind Kind) (*Program, error) {
	if len(text) > MaxLength {
		return nil, &SyntaxError{1, 1, fmt.Sprintf("it is longer than %d bytes", MaxLength)}
	}
	checked, issues := e.env.Compile(text)
	if issues.Err() != nil {
		return nil, syntaxError(issues)
	}
	if got, want := checked.OutputType(), outputType(kind); !got.IsExactType(want) && !got.IsExactType(cel.DynType) {
		return nil, &SyntaxError{1, 1, fmt.Sprintf("its result is of the type %s; it must be %s", got, want)}
	}
	names, nodes, why := inspect(checked)
	if why != "" {
		return nil, &SyntaxError{1, 1, why}
	}
	if nodes > MaxNodes {
		return nil, &SyntaxError{1, 1, fmt.Sprintf("it has %d parts, more than %d", nodes, MaxNodes)}
	}
	program, err := e.env.Program(checked, cel.CostLimit(RuleCost), cel.CostTracking(treeCost{}), cel.MemoryLimit(maxElements), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, &SyntaxError{1, 1, clip(err.Error())}
	}
	return &Program{program, names, reads(checked)}, nil
}

func outputType(k Kind) *cel.Type {
	if k == String {
		return cel.StringType
	}
	return cel.BoolType
}

func syntaxError(issues *cel.Issues) error {
	first := issues.Errors()[0]
	return &SyntaxError{max(first.Location.Line(), 1), max(first.Location.Column()+1, 1), clip(first.Message)}
}

func clip(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > maxErrorText {
		s = strings.ToValidUTF8(s[:maxErrorText], "") + "…"
	}
	return s
}

// inspect tells the names an expression mentions, how many nodes it has, and why its result would depend on chance or on the machine;
// "" when it would not.
func inspect(checked *cel.Ast) (names map[string]bool, nodes int, why string) {
	names = map[string]bool{}
	var written, walks bool
	ast.PreOrderVisit(checked.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		nodes++
		switch e.Kind() {
		case ast.IdentKind:
			names[e.AsIdent()] = true
		case ast.MapKind:
			written = written || e.AsMap().Size() > 1
		case ast.ComprehensionKind:
			walks = true
		case ast.CallKind:
			if call := e.AsCall(); strings.HasPrefix(call.FunctionName(), "get") && len(call.Args()) > 0 {
				why = "a time is read in UTC alone: time zones differ from machine to machine"
			}
		}
	}))
	if written && walks {
		why = "a map written out in an expression has no order: it cannot stand beside all, exists, filter or map"
	}
	return names, nodes, why
}

// Mentions tells whether the expression names a variable.
func (p *Program) Mentions(name string) bool { return p.names[name] }

// ErrCost is wrapped by the error of an evaluation that exceeded its limit.
var ErrCost = errors.New("the expression costs too much")

// Bool evaluates an expression of the kind [Bool], and tells what it cost.
func (p *Program) Bool(variables map[string]any) (result bool, cost uint64, err error) {
	out, cost, err := p.eval(variables)
	if err != nil {
		return false, cost, err
	}
	b, ok := out.(bool)
	if !ok {
		return false, cost, fmt.Errorf("the result is a %T, no boolean", out)
	}
	return b, cost, nil
}

// Text evaluates an expression of the kind [String], and tells what it cost.
func (p *Program) Text(variables map[string]any) (result string, cost uint64, err error) {
	out, cost, err := p.eval(variables)
	if err != nil {
		return "", cost, err
	}
	s, ok := out.(string)
	if !ok {
		return "", cost, fmt.Errorf("the result is a %T, no string", out)
	}
	return s, cost, nil
}

func (p *Program) eval(variables map[string]any) (out any, cost uint64, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the expression cannot be evaluated: %v", r)
		}
	}()
	result, details, err := p.program.Eval(variables)
	if details != nil && details.ActualCost() != nil {
		cost = *details.ActualCost()
	}
	switch {
	case err == nil:
		return result.Value(), cost, nil
	case strings.Contains(err.Error(), "limit exceeded"):
		return nil, max(cost, RuleCost), ErrCost
	default:
		return nil, cost, errors.New(clip(err.Error()))
	}
}

// Of wraps a tree for the variables of an evaluation.
func Of(v *value.Value) any { return wrap(v) }
