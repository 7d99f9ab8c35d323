package expr

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// Regexp is a regular expression of RE2 whose cost is known before it is matched: it is what the text's length and the expression's
// size, repetitions written out, multiply to.
type Regexp struct {
	*regexp.Regexp
	size int
}

// MaxRegexpSize is how large a regular expression may be with its repetitions written out, in instructions of RE2.
const MaxRegexpSize = 2000

// instructionsPerUnit is how many instructions are matched against a character each in the time of a unit of cost.
const instructionsPerUnit = 24

// CompileRegexp compiles a regular expression that is not too large.
func CompileRegexp(text string) (*Regexp, error) {
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, err
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, err
	}
	if len(program.Inst) > MaxRegexpSize {
		return nil, fmt.Errorf("the regular expression has %d steps with its repetitions written out, more than %d", len(program.Inst), MaxRegexpSize)
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, err
	}
	return &Regexp{re, len(program.Inst)}, nil
}

// Cost is what matching a text costs at most, in units of CEL's cost model.
func (r *Regexp) Cost(text string) uint64 {
	return 1 + uint64(len(text))*uint64(r.size)/instructionsPerUnit
}

// matching is CEL's function matches, which prices a match before it makes it.
var matching = cel.Function("matches",
	cel.Overload("matches", []*cel.Type{cel.StringType, cel.StringType}, cel.BoolType),
	cel.MemberOverload("matches_string", []*cel.Type{cel.StringType, cel.StringType}, cel.BoolType),
	cel.SingletonBinaryBinding(func(text, pattern ref.Val) ref.Val {
		s, isText := text.(types.String)
		p, isPattern := pattern.(types.String)
		if !isText || !isPattern {
			return types.MaybeNoSuchOverloadErr(text)
		}
		re, err := regexps.get(string(p))
		switch {
		case err != nil:
			return types.NewErr("%v", err)
		case re.Cost(string(s)) > RuleCost:
			return types.NewErr(costExceeded)
		}
		return types.Bool(re.MatchString(string(s)))
	}),
)

// costExceeded is what CEL itself says of an evaluation that costs too much.
const costExceeded = "operation cancelled: actual cost limit exceeded"

// regexps keeps what was compiled last, because a rule is evaluated for many values.
var regexps regexpCache

const maxRegexps = 500

type regexpCache struct {
	mu   sync.Mutex
	kept map[string]*Regexp
}

func (c *regexpCache) get(text string) (*Regexp, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if re := c.kept[text]; re != nil {
		return re, nil
	}
	re, err := CompileRegexp(text)
	if err != nil {
		return nil, err
	}
	if c.kept == nil || len(c.kept) >= maxRegexps {
		c.kept = map[string]*Regexp{}
	}
	c.kept[text] = re
	return re, nil
}
