package expr

const (
	// MaxLength is how long an expression may be, in bytes.
	MaxLength = 4096
	// MaxNodes is how many nodes an expression may have once its macros are expanded.
	MaxNodes = 2000
	// RuleCost is what one evaluation may cost, in units of CEL's cost model: some six million of them take a second.
	RuleCost = 1_000_000

	// MaxConditionNodes is how many nodes a condition may have once its macros are expanded. It is evaluated for every client and every
	// change, so its cost is bounded by what it says, and not counted as it goes.
	MaxConditionNodes = 500
	// MaxConditionRegexp is how large a regular expression of a condition may be with its repetitions written out, in instructions of RE2.
	MaxConditionRegexp = 200

	maxElements       = 200_000 // that an evaluation may build
	maxMacros         = 4       // of comprehensions nested in each other
	maxErrorText      = 300     // bytes of an error's own words
	maxShapeDepth     = 8       // of declared attributes in each other
	maxMatchedText    = 8 << 10 // bytes that a condition matches against a regular expression
	conditionMacros   = 1       // of comprehensions nested in each other, in a condition
	maxVersionText    = 256     // bytes of a semantic version
	maxSegmentsNested = 10      // of segments that lead on to each other
)
