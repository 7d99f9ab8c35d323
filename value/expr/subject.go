package expr

import (
	"fmt"
	"sync"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"

	"github.com/trunkline/trunkline/value"
)

// Subject is whom conditions are asked about: attributes made ready so that no condition takes memory to look at them. It is immutable.
type Subject struct{ attributes ref.Val }

// NewSubject makes the members of a map ready.
func NewSubject(attributes *value.Value) *Subject { return &Subject{ready(attributes)} }

// ready is what CEL sees of a value, made once for all evaluations.
func ready(v *value.Value) ref.Val {
	switch v.Kind() {
	case value.Map:
		m := &readyMap{mapping: mapping{v}, members: make([]ref.Val, v.Len())}
		for i, e := range v.Entries() {
			m.members[i] = ready(e.Value)
		}
		return m
	case value.List:
		items := make([]ref.Val, v.Len())
		for i, e := range v.Entries() {
			items[i] = ready(e.Value)
		}
		return types.NewRefValList(types.DefaultTypeAdapter, items)
	default:
		return wrap(v)
	}
}

// readyMap is a map whose members are what CEL sees of them.
type readyMap struct {
	mapping
	members []ref.Val // in the order of the keys
}

var _ traits.Mapper = &readyMap{}

func (m *readyMap) member(key string) (ref.Val, bool) {
	i, ok := m.v.Find(key)
	if !ok {
		return nil, false
	}
	return m.members[i], true
}

// Find looks a key up.
func (m *readyMap) Find(key ref.Val) (ref.Val, bool) {
	text, ok := key.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(key), false
	}
	return m.member(string(text))
}

// Contains tells whether there is a key.
func (m *readyMap) Contains(key ref.Val) ref.Val {
	_, ok := m.Find(key)
	return types.Bool(ok)
}

// Evaluation asks conditions about one subject. It is for one goroutine, and a segment is evaluated once however many conditions
// name it.
type Evaluation struct {
	subject  ref.Val
	frame    *interpreter.ExecutionFrame
	segments []segment
	known    []ref.Val // what segments came to; nil until one is asked
	depth    int
}

var evaluations = sync.Pool{New: func() any { return new(Evaluation) }}

// Ask begins an evaluation; [Evaluation.Done] must end it.
func (c *Conditions) Ask(who *Subject) *Evaluation {
	e := evaluations.Get().(*Evaluation)
	e.subject, e.segments = who.attributes, c.segments
	if cap(e.known) < len(c.segments) {
		e.known = make([]ref.Val, len(c.segments))
	}
	e.known = e.known[:len(c.segments)]
	e.frame, _ = interpreter.NewExecutionFrame(e) // an error is for what is no activation
	return e
}

// Done ends the evaluation.
func (e *Evaluation) Done() {
	e.frame.Close()
	clear(e.known)
	*e = Evaluation{known: e.known[:0]}
	evaluations.Put(e)
}

// Holds tells whether a condition holds of the subject.
func (e *Evaluation) Holds(c *Condition) (holds bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			holds, err = false, fmt.Errorf("the condition cannot be evaluated: %v", r)
		}
	}()
	return truth(c.root.Exec(e.frame))
}

func truth(v ref.Val) (bool, error) {
	switch v := v.(type) {
	case types.Bool:
		return bool(v), nil
	case *types.Err:
		return false, &EvaluationError{clip(v.Error())}
	default:
		return false, &EvaluationError{fmt.Sprintf("the result is a %s, no boolean", v.Type().TypeName())}
	}
}

// EvaluationError is why a condition neither holds nor does not.
type EvaluationError struct{ Message string }

func (e *EvaluationError) Error() string { return e.Message }

// segment asks a segment, once.
func (e *Evaluation) segment(i int) ref.Val {
	if e.known[i] != nil {
		return e.known[i]
	}
	if e.segments[i].condition == nil || e.depth >= maxSegmentsNested {
		return types.NewErr("the segment %s is not defined", e.segments[i].name)
	}
	e.depth++
	holds := e.segments[i].condition.root.Exec(e.frame)
	e.depth--
	e.known[i] = holds
	return holds
}

// subjectName is the variable of conditions. They find it by way of what asks, under a name that no condition can write.
const (
	subjectName    = "context"
	evaluationName = "@evaluation"
)

// ResolveName is for the interpreter.
func (e *Evaluation) ResolveName(name string) (any, bool) {
	return e, name == evaluationName
}

// Parent is for the interpreter: there is none.
func (e *Evaluation) Parent() interpreter.Activation { return nil }
