package expr

import (
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// The functions that a checked condition is rewritten to before it is planned. No expression can write them.
const (
	memberCall  = "@member"  // a member of a map: a.b, a["b"]
	itemCall    = "@item"    // an item under a computed key or index: a[b]
	presentCall = "@present" // has(a.b)
	numberCall  = "@number"  // an attribute that is declared a number, where arithmetic wants one kind of numbers
	settledCall = "@settled" // a comparison, false where what it looks at is absent
)

// rewritten declares them. What they do is planned by [planner]; an implementation is never called.
var rewritten = func() (options []cel.EnvOption) {
	dyn := []*cel.Type{cel.DynType, cel.DynType}
	for name, args := range map[string][]*cel.Type{memberCall: dyn, itemCall: dyn, presentCall: dyn, numberCall: dyn[:1], settledCall: dyn[:1]} {
		binding := cel.FunctionBinding(func(...ref.Val) ref.Val { return types.NewErr("%s is not planned", name) })
		options = append(options, cel.Function(name, cel.Overload(name+"_dyn", args, cel.DynType, binding)))
	}
	return options
}()

// rewriter changes a checked condition in place, so that what is absent is told from what is wrong.
type rewriter struct {
	tree    *ast.AST
	factory ast.ExprFactory
	next    int64
}

func (r *rewriter) rewrite() {
	r.boolean(r.tree.Expr())
	ast.PostOrderVisit(r.tree.Expr(), ast.NewExprVisitor(r.access))
}

// boolean settles what stands where a boolean is asked for.
func (r *rewriter) boolean(e ast.Expr) {
	switch call := function(e); call {
	case operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot, operators.Conditional:
		for _, arg := range e.AsCall().Args() {
			r.boolean(arg)
		}
		return
	}
	r.within(e)
	if r.looks(e) {
		r.call(e, settledCall)
	}
}

// within looks for booleans in what is none itself: the predicates of macros, and the conditions of ?:.
func (r *rewriter) within(e ast.Expr) {
	switch e.Kind() {
	case ast.CallKind:
		call := e.AsCall()
		if call.IsMemberFunction() {
			r.within(call.Target())
		}
		for i, arg := range call.Args() {
			if logical(call.FunctionName()) || call.FunctionName() == operators.Conditional && i == 0 {
				r.boolean(arg)
			} else {
				r.within(arg)
			}
		}
	case ast.ComprehensionKind:
		fold := e.AsComprehension()
		r.within(fold.IterRange())
		r.within(fold.LoopStep())
	case ast.ListKind:
		for _, item := range e.AsList().Elements() {
			r.within(item)
		}
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			r.within(entry.AsMapEntry().Value())
		}
	case ast.SelectKind:
		r.within(e.AsSelect().Operand())
	}
}

func logical(function string) bool {
	return function == operators.LogicalAnd || function == operators.LogicalOr || function == operators.LogicalNot
}

func function(e ast.Expr) string {
	if e.Kind() != ast.CallKind {
		return ""
	}
	return e.AsCall().FunctionName()
}

// looks tells whether an expression looks at a member of something, which may be absent.
func (r *rewriter) looks(e ast.Expr) bool {
	found := false
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) {
		found = found || e.Kind() == ast.SelectKind || function(e) == operators.Index
	}))
	return found
}

// access rewrites how members are reached, from the innermost outwards.
func (r *rewriter) access(e ast.Expr) {
	switch e.Kind() {
	case ast.SelectKind:
		selected := e.AsSelect()
		name := memberCall
		if selected.IsTestOnly() {
			name = presentCall
		}
		r.become(e, name, selected.Operand(), r.text(selected.FieldName()))
	case ast.CallKind:
		call := e.AsCall()
		switch {
		case call.FunctionName() == operators.Index:
			name := itemCall
			if _, literal := written(call.Args()[1]); literal {
				name = memberCall
			}
			r.become(e, name, call.Args()...)
		case arithmetic(call.FunctionName()):
			for _, arg := range call.Args() {
				r.number(arg)
			}
		}
	}
}

func arithmetic(function string) bool {
	return strings.Contains(" "+operators.Add+" "+operators.Subtract+" "+operators.Multiply+" "+operators.Divide+" "+operators.Negate+" ", " "+function+" ")
}

// number makes the integer that a client may send for an attribute that is declared a number into one.
func (r *rewriter) number(e ast.Expr) {
	if name := function(e); (name == memberCall || name == itemCall) && r.tree.GetType(e.ID()).IsExactType(types.DoubleType) {
		r.call(e, numberCall)
	}
}

// call puts a call of the function around an expression, which keeps its place.
func (r *rewriter) call(e ast.Expr, function string) {
	inner := r.factory.NewUnspecifiedExpr(r.id())
	inner.SetKindCase(e)
	r.tree.SetType(inner.ID(), r.tree.GetType(e.ID()))
	if reference, ok := r.tree.ReferenceMap()[e.ID()]; ok {
		r.tree.SetReference(inner.ID(), reference)
	}
	r.become(e, function, inner)
}

// become turns an expression into a call; its type stays.
func (r *rewriter) become(e ast.Expr, function string, args ...ast.Expr) {
	e.SetKindCase(r.factory.NewCall(e.ID(), function, args...))
	r.tree.SetReference(e.ID(), ast.NewFunctionReference(function+"_dyn"))
}

func (r *rewriter) text(s string) ast.Expr {
	e := r.factory.NewLiteral(r.id(), types.String(s))
	r.tree.SetType(e.ID(), types.StringType)
	return e
}

func (r *rewriter) id() int64 {
	r.next++
	return r.next
}
