package expr

import (
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

// planner puts nodes of ours in the place of CEL's own where those would take memory, and keeps the outermost.
type planner struct {
	conditions *Conditions
	root       int64
	planned    interpreter.InterpretableV2
	segments   []string
	versions   map[int64]interpreter.InterpretableV2 // the texts of calls of semver, by the place of the call
}

func (p *planner) decorate(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	planned := i
	switch i := i.(type) {
	case interpreter.InterpretableCall:
		var err error
		if planned, err = p.call(i); err != nil {
			return nil, err
		}
	case interpreter.InterpretableAttribute:
		if name, ok := i.Attr().(interpreter.NamespacedAttribute); ok && name.CandidateVariableNames()[0] == subjectName {
			planned = &node{i.ID(), subject}
		}
	}
	if i.ID() == p.root {
		p.planned = planned
	}
	return planned, nil
}

func (p *planner) call(call interpreter.InterpretableCall) (interpreter.InterpretableV2, error) {
	args := call.Args()
	switch call.Function() {
	case memberCall:
		return &node{call.ID(), member(args[0], args[1].(interpreter.InterpretableConst).Value())}, nil
	case itemCall:
		return &node{call.ID(), item(args[0], args[1])}, nil
	case presentCall:
		return &node{call.ID(), present(member(args[0], args[1].(interpreter.InterpretableConst).Value()))}, nil
	case numberCall:
		return &node{call.ID(), number(args[0])}, nil
	case settledCall:
		return &node{call.ID(), settled(args[0])}, nil
	case "segment":
		name := text(args[0])
		p.segments = append(p.segments, name)
		return &node{call.ID(), asked(p.conditions.segment(name))}, nil
	case "semver":
		p.versions[call.ID()] = args[0]
		return call, nil
	case overloads.Matches:
		re, err := CompileRegexp(text(args[1]))
		return &node{call.ID(), matched(args[0], re)}, err
	case operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals, operators.Equals, operators.NotEquals:
		left, right := p.versions[args[0].ID()], p.versions[args[1].ID()]
		if left != nil && right != nil {
			return &node{call.ID(), compared(call.Function(), left, right)}, nil
		}
	}
	return call, nil
}

// text is a literal, which it is known to be.
func text(n interpreter.InterpretableV2) string {
	return string(n.(interpreter.InterpretableConst).Value().(types.String))
}

// node is a part of a condition that evaluates in a way of ours.
type node struct {
	id   int64
	exec exec
}

type exec func(*interpreter.ExecutionFrame) ref.Val

// ID is the place of the node in its expression.
func (n *node) ID() int64 { return n.id }

// Exec evaluates the node.
func (n *node) Exec(frame *interpreter.ExecutionFrame) ref.Val { return n.exec(frame) }

// Eval evaluates the node where the interpreter holds the frame for an activation.
func (n *node) Eval(vars interpreter.Activation) ref.Val {
	return interpreter.EvalActivation(vars, n.exec)
}

// absent is what an expression comes to that looks at an attribute nobody sent. It has a place of its own, so that CEL does not write one
// into what all evaluations share.
var absent = types.NewErrWithNodeID(1, "an attribute is absent")

// subject is all attributes.
func subject(frame *interpreter.ExecutionFrame) ref.Val {
	e, _ := frame.ResolveName(evaluationName)
	return e.(*Evaluation).subject
}

// asked is whether a segment holds.
func asked(segment int) exec {
	return func(frame *interpreter.ExecutionFrame) ref.Val {
		e, _ := frame.ResolveName(evaluationName)
		return e.(*Evaluation).segment(segment)
	}
}

// member is what a map holds under a name.
func member(of interpreter.InterpretableV2, name ref.Val) exec {
	return func(frame *interpreter.ExecutionFrame) ref.Val { return memberOf(of.Exec(frame), name) }
}

// item is what a map or a list holds under a key that is computed.
func item(of, key interpreter.InterpretableV2) exec {
	return func(frame *interpreter.ExecutionFrame) ref.Val {
		container, key := of.Exec(frame), key.Exec(frame)
		if !types.IsError(container) && types.IsError(key) {
			return key
		}
		return memberOf(container, key)
	}
}

func memberOf(container, key ref.Val) ref.Val {
	switch container := container.(type) {
	case *types.Err:
		return container
	case traits.Mapper:
		if member, ok := container.Find(key); ok || member != nil {
			return member
		}
	case traits.Lister:
		i, ok := key.(types.Int)
		if size, _ := container.Size().(types.Int); ok && i >= 0 && i < size {
			return container.Get(i)
		}
	}
	return absent
}

// present tells whether there is a member.
func present(member exec) exec {
	return func(frame *interpreter.ExecutionFrame) ref.Val {
		switch v := member(frame); {
		case v == absent:
			return types.False
		case types.IsError(v):
			return v
		default:
			return types.True
		}
	}
}

// settled is false where what is looked at is absent.
func settled(of interpreter.InterpretableV2) exec {
	return func(frame *interpreter.ExecutionFrame) ref.Val {
		if v := of.Exec(frame); v != absent {
			return v
		}
		return types.False
	}
}

// number makes an integer a number.
func number(of interpreter.InterpretableV2) exec {
	return func(frame *interpreter.ExecutionFrame) ref.Val {
		v := of.Exec(frame)
		if whole, ok := v.(types.Int); ok {
			return types.Double(whole)
		}
		return v
	}
}

// matched matches a text against a regular expression that is compiled already.
func matched(of interpreter.InterpretableV2, re *Regexp) exec {
	return func(frame *interpreter.ExecutionFrame) ref.Val {
		v := of.Exec(frame)
		s, ok := v.(types.String)
		switch {
		case !ok:
			return types.MaybeNoSuchOverloadErr(v)
		case len(s) > maxMatchedText:
			return types.NewErr("a text of %d bytes is matched, more than %d", len(s), maxMatchedText)
		}
		return types.Bool(re.MatchString(string(s)))
	}
}

// compared compares two versions without making them.
func compared(operator string, left, right interpreter.InterpretableV2) exec {
	a, b := operandOf(left), operandOf(right)
	return func(frame *interpreter.ExecutionFrame) ref.Val {
		var v, w version
		if err := a.read(frame, &v); err != nil {
			return err
		}
		if err := b.read(frame, &w); err != nil {
			return err
		}
		return ordered(operator, v.compare(&w))
	}
}

// operand is the text of a version, or the version itself where it is written out.
type operand struct {
	text  interpreter.InterpretableV2
	fixed *version
}

func operandOf(text interpreter.InterpretableV2) operand {
	if literal, ok := text.(interpreter.InterpretableConst); ok {
		if v, err := versionOf(literal.Value()); err == nil {
			return operand{fixed: &v}
		}
	}
	return operand{text: text}
}

func (o operand) read(frame *interpreter.ExecutionFrame, to *version) (err ref.Val) {
	if o.fixed != nil {
		*to = *o.fixed
		return nil
	}
	*to, err = versionOf(o.text.Exec(frame))
	return err
}

func versionOf(v ref.Val) (version, ref.Val) {
	s, ok := v.(types.String)
	if !ok {
		return version{}, types.MaybeNoSuchOverloadErr(v)
	}
	parsed, ok := parseVersion(string(s))
	if !ok {
		return version{}, types.NewErr("%q is no semantic version", clip(string(s)))
	}
	return parsed, nil
}

func ordered(operator string, order int) ref.Val {
	switch operator {
	case operators.Less:
		return types.Bool(order < 0)
	case operators.LessEquals:
		return types.Bool(order <= 0)
	case operators.Greater:
		return types.Bool(order > 0)
	case operators.GreaterEquals:
		return types.Bool(order >= 0)
	case operators.Equals:
		return types.Bool(order == 0)
	default:
		return types.Bool(order != 0)
	}
}
