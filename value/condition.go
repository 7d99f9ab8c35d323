package value

// truth is what a condition says of a value. What stands behind a redaction is unknown, and so is what depends on it: a value
// matches only where the condition is surely true, and the negation of what is unknown is unknown again. So no query, however
// it is combined, tells one redacted content from another (Kleene's strong logic of three values).
type truth int8

const (
	no truth = iota - 1
	unknown
	yes
)

func is(b bool) truth {
	if b {
		return yes
	}
	return no
}

// condition is what must hold for a value to match.
type condition interface {
	holds(m *meter, v *Value) truth
}

type allOf []condition

func (all allOf) holds(m *meter, v *Value) truth {
	least := yes
	for _, c := range all {
		if least = min(least, c.holds(m, v)); least == no {
			break
		}
	}
	return least
}

type anyOf []condition

func (some anyOf) holds(m *meter, v *Value) truth {
	return most(m, some, func(c condition) truth { return c.holds(m, v) })
}

type negation struct{ of condition }

func (n negation) holds(m *meter, v *Value) truth { return -n.of.holds(m, v) }

// test is true where all its operators are, of what stands at a path below the value.
type test struct {
	path      Path
	operators []operator
}

func (t test) holds(m *meter, v *Value) truth {
	m.spend(1 + len(t.path))
	v, hidden := v.reach(t.path)
	if hidden || m.spent() {
		return unknown
	}
	least := yes
	for _, holds := range t.operators {
		if least = min(least, holds(m, v)); least == no {
			break
		}
	}
	return least
}

// reach follows a path down from v; nil where it leads nowhere, and hidden where it leads behind a redaction.
func (v *Value) reach(p Path) (found *Value, hidden bool) {
	for _, segment := range p {
		if v.Kind() == Redacted {
			return nil, true
		}
		next, ok := v.Step(segment)
		if !ok {
			return nil, false
		}
		v = next
	}
	return v, false
}

// meter counts what a query takes. Whoever may take much asks whether it is spent, and gives up with any result: it is not used.
type meter struct{ left int }

func (m *meter) spend(n int) { m.left -= n }

func (m *meter) spent() bool { return m.left < 0 }

// text spends what it takes to look at every byte of a text.
func (m *meter) text(s string) { m.spend(len(s) / textBytesPerStep) }

// What is done in the time it takes to look at one value.
const (
	textBytesPerStep    = 16 // compared
	foldBytesPerStep    = 8  // folded
	formatBytesPerStep  = 4  // read as a duration, a size, a time or a version, beyond the first steps
	stepsPerFormat      = 3
	instructionsPerStep = 24 // of a regular expression, each matched against a byte
)
