package expr

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/trunkline/trunkline/value"
)

// Reads are the paths below a variable that the expression can look at: nothing else of the variable counts. The empty path among them is
// all of it.
func (p *Program) Reads(name string) []value.Path { return p.reads[name] }

// reads finds for each name how far members are named from it on.
func reads(checked *cel.Ast) map[string][]value.Path {
	found := map[string][]value.Path{}
	idents := ast.MatchDescendants(ast.NavigateAST(checked.NativeRep()), ast.KindMatcher(ast.IdentKind))
	for _, ident := range idents {
		found[ident.AsIdent()] = append(found[ident.AsIdent()], named(ident))
	}
	return found
}

// named is the path that is written out from an identifier on, as in root.a["b"].
func named(ident ast.NavigableExpr) (path value.Path) {
	for at := ident; ; {
		parent, ok := at.Parent()
		if !ok {
			return path
		}
		key, ok := keyOf(parent, at)
		if !ok {
			return path
		}
		path, at = append(path, key), parent
	}
}

// keyOf is the key by which an expression takes a member of another.
func keyOf(e, of ast.NavigableExpr) (key string, ok bool) {
	switch e.Kind() {
	case ast.SelectKind:
		return e.AsSelect().FieldName(), true
	case ast.CallKind:
		call := e.AsCall()
		if call.FunctionName() != operators.Index || call.Args()[0].ID() != of.ID() || call.Args()[1].Kind() != ast.LiteralKind {
			return "", false
		}
		text, ok := call.Args()[1].AsLiteral().(types.String)
		return string(text), ok
	default:
		return "", false
	}
}
