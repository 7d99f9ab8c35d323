package expr

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	celenv "cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"

	"github.com/trunkline/trunkline/value"
)

// Conditions compiles conditions over who asks: CEL with a boolean result over the variable context, whose members are the attributes
// of a client. Beyond CEL's own functions there are
//
//   - semver("1.2.0"), a version of Semantic Versioning 2.0.0, compared by <, <=, >, >=, == and !=. A leading v is passed over, the
//     minor and the patch number may be left out;
//   - segment("staff"), whether a named condition holds, which [Conditions.Define] gives.
//
// An attribute that is absent makes the comparison false that looks at it, != included: the smallest part of the condition that is a
// boolean and neither &&, ||, ! nor ?:. So !(context.country == "DE") holds where there is no country, and context.country != "DE"
// does not. has(context.country) tells whether there is one.
//
// Conditions is immutable once all segments are defined.
type Conditions struct {
	env      *cel.Env
	shape    *Shape
	segments []segment
}

type segment struct {
	name      string
	condition *Condition
}

// NewConditions makes an environment. A nil shape declares nothing: then every attribute may be named, and may hold anything. The
// segments are the names that conditions may ask.
func NewConditions(shape *Shape, segments []string) (*Conditions, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, fmt.Errorf("environment of conditions: %w", err)
	}
	declared := &shapes{registry, map[string]mapType{}}
	options := []cel.EnvOption{
		cel.StdLib(cel.StdLibSubset(&celenv.LibrarySubset{ExcludeFunctions: []*celenv.Function{celenv.NewFunction("matches")}})), matching,
		cel.CrossTypeNumericComparisons(true), cel.CustomTypeAdapter(adapter{types.DefaultTypeAdapter}), cel.CustomTypeProvider(declared),
		cel.DefaultUTCTimeZone(true), cel.EagerlyValidateDeclarations(true),
		cel.ASTValidators(cel.ValidateComprehensionNestingLimit(conditionMacros), cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals()),
		cel.ParserExpressionSizeLimit(MaxLength),
		cel.Variable(subjectName, declared.typeOf(shape, value.Path{subjectName})),
		cel.Function("segment", cel.Overload("segment_string", []*cel.Type{cel.StringType}, cel.BoolType)),
	}
	env, err := cel.NewCustomEnv(append(append(options, semantic()...), rewritten...)...)
	if err != nil {
		return nil, fmt.Errorf("environment of conditions: %w", err)
	}
	c := &Conditions{env: env, shape: shape}
	for _, name := range segments {
		c.segments = append(c.segments, segment{name: name})
	}
	return c, nil
}

// Anew is the same environment with all segments to be defined again. Conditions that either of both compiled can be asked by both: what a
// segment is counts when it is asked.
func (c *Conditions) Anew() *Conditions {
	again := &Conditions{env: c.env, shape: c.shape}
	for _, s := range c.segments {
		again.segments = append(again.segments, segment{name: s.name})
	}
	return again
}

// Define says what a segment is. Segments must not lead back to themselves.
func (c *Conditions) Define(name string, condition *Condition) {
	if i := c.segment(name); i >= 0 {
		c.segments[i].condition = condition
	}
}

func (c *Conditions) segment(name string) int {
	return slices.IndexFunc(c.segments, func(s segment) bool { return s.name == name })
}

// Condition is a compiled condition.
type Condition struct {
	root     interpreter.InterpretableV2
	segments []string
}

// Segments are the names of the segments that the condition asks itself, sorted.
func (c *Condition) Segments() []string { return c.segments }

// Compile compiles a condition. Its error is a *SyntaxError.
func (c *Conditions) Compile(text string) (*Condition, error) {
	if len(text) > MaxLength {
		return nil, &SyntaxError{1, 1, fmt.Sprintf("it is longer than %d bytes", MaxLength)}
	}
	parsed, issues := c.env.Parse(text)
	if issues.Err() != nil {
		return nil, syntaxError(issues)
	}
	if err := c.known(parsed.NativeRep()); err != nil {
		return nil, err
	}
	checked, issues := c.env.Check(parsed)
	if issues.Err() != nil {
		return nil, syntaxError(issues)
	}
	if got := checked.OutputType(); !got.IsExactType(cel.BoolType) && !got.IsExactType(cel.DynType) {
		return nil, &SyntaxError{1, 1, fmt.Sprintf("its result is of the type %s; it must be bool", got)}
	}
	_, nodes, why := inspect(checked)
	if nodes > MaxConditionNodes {
		why = fmt.Sprintf("it has %d parts, more than %d", nodes, MaxConditionNodes)
	}
	if why != "" {
		return nil, &SyntaxError{1, 1, why}
	}
	return c.plan(checked)
}

// plan makes a condition ready to be evaluated.
func (c *Conditions) plan(checked *cel.Ast) (*Condition, error) {
	tree := checked.NativeRep()
	r := &rewriter{tree: tree, factory: ast.NewExprFactory(), next: ast.MaxID(tree) + 1}
	r.rewrite()
	p := &planner{conditions: c, root: tree.Expr().ID(), versions: map[int64]interpreter.InterpretableV2{}}
	if _, err := c.env.Program(checked, cel.CustomDecoratorV2(p.decorate), cel.EvalOptions(cel.OptOptimize)); err != nil {
		return nil, &SyntaxError{1, 1, clip(err.Error())}
	}
	slices.Sort(p.segments)
	return &Condition{p.planned, slices.Compact(p.segments)}, nil
}

// known finds attributes and segments that nobody declared, and what stands where a name or a text must be written out.
func (c *Conditions) known(tree *ast.AST) error {
	var wrong *SyntaxError
	fail := func(at ast.Expr, message string, args ...any) {
		if wrong == nil {
			place := tree.SourceInfo().GetStartLocation(at.ID())
			wrong = &SyntaxError{max(place.Line(), 1), max(place.Column()+1, 1), fmt.Sprintf(message, args...)}
		}
	}
	ast.PreOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.SelectKind:
			if within, ok := c.declared(e.AsSelect().Operand()); ok && within.Kind == MapShape && len(within.Members) > 0 {
				if _, ok := within.member(e.AsSelect().FieldName()); !ok {
					name := e.AsSelect().FieldName()
					fail(e, "there is no attribute %q; %s", name, value.Suggestion(name, within.names(), "declared are "))
				}
			}
		case ast.ComprehensionKind:
			if fold := e.AsComprehension(); fold.IterVar() == subjectName || fold.IterVar2() == subjectName {
				fail(e, "%s is taken: give the variable another name", subjectName)
			}
		case ast.CallKind:
			c.calls(e.AsCall(), func(message string, args ...any) { fail(e, message, args...) })
		}
	}))
	if wrong != nil {
		return wrong
	}
	return nil
}

// declared is the shape of what an expression of names alone leads to.
func (c *Conditions) declared(e ast.Expr) (*Shape, bool) {
	switch {
	case c.shape == nil:
		return nil, false
	case e.Kind() == ast.IdentKind && e.AsIdent() == subjectName:
		return c.shape, true
	case e.Kind() == ast.SelectKind:
		within, ok := c.declared(e.AsSelect().Operand())
		if !ok || within.Kind != MapShape {
			return nil, false
		}
		return within.member(e.AsSelect().FieldName())
	default:
		return nil, false
	}
}

// calls finds what is wrong with calls whose argument must be written out.
func (c *Conditions) calls(call ast.CallExpr, fail func(message string, args ...any)) {
	if len(call.Args()) == 0 {
		return
	}
	text, literal := written(call.Args()[len(call.Args())-1])
	switch call.FunctionName() {
	case "segment":
		if !literal {
			fail(`segment takes a name that is written out, as segment("staff")`)
		} else if c.segment(text) < 0 {
			fail("there is no segment %q; %s", text, value.Suggestion(text, c.segmentNames(), "known are "))
		}
	case "semver":
		if _, ok := parseVersion(text); literal && !ok {
			fail("%q is no semantic version, as 1.2.0", clip(text))
		}
	case "matches":
		if !literal {
			fail("the regular expression must be written out")
		} else if re, err := CompileRegexp(text); err != nil {
			fail("%s", clip(strings.TrimPrefix(err.Error(), "error parsing regexp: ")))
		} else if re.size > MaxConditionRegexp {
			fail("the regular expression has %d steps with its repetitions written out, more than %d", re.size, MaxConditionRegexp)
		}
	}
}

func (c *Conditions) segmentNames() []string {
	var names []string
	for _, s := range c.segments {
		names = append(names, s.name)
	}
	return names
}

// written is the text of a literal.
func written(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	text, ok := e.AsLiteral().(types.String)
	return string(text), ok
}
