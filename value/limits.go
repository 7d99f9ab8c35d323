package value

// Limits of this package. A path or pattern comes from strangers, so its length is bounded before it is parsed.
const (
	// MaxPathBytes is the longest path or pattern that is parsed, in bytes.
	MaxPathBytes = 4096
	// MaxDepth is the deepest nesting of maps and lists, counted from the root.
	MaxDepth = 64
	// MaxDeepWildcards is how many ** one pattern may hold: each multiplies the ways a path can match.
	MaxDeepWildcards = 2
	// FingerprintBytes is how much of a keyed digest stands in for a redacted value.
	FingerprintBytes = 8
)
