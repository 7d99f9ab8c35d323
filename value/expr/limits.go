package expr

const (
	// MaxLength is how long an expression may be, in bytes.
	MaxLength = 4096
	// MaxNodes is how many nodes an expression may have once its macros are expanded.
	MaxNodes = 2000
	// RuleCost is what one evaluation may cost, in units of CEL's cost model: some six million of them take a second.
	RuleCost = 1_000_000

	maxElements  = 200_000 // that an evaluation may build
	maxMacros    = 4       // of comprehensions nested in each other
	maxErrorText = 300     // bytes of an error's own words
)
