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
	// MaxQueryBytes is the longest query that is parsed, in bytes.
	MaxQueryBytes = 64 << 10
	// MaxQueryConditions is how many conditions a query may hold, combinations included.
	MaxQueryConditions = 200
	// MaxRegexpBytes is the longest regular expression of a query, in bytes.
	MaxRegexpBytes = 1000
	// MaxRegexpSize is how large it may be with its repetitions written out, in instructions of RE2.
	MaxRegexpSize = 2000
	// DefaultQueryMatches is how many matches an answer holds when the query does not say, and MaxQueryMatches how many it may ask for.
	DefaultQueryMatches = 100
	MaxQueryMatches     = 1000
	// MaxQueryAnswerBytes is how much the matches of one answer take as JSON, unless it is one match alone.
	MaxQueryAnswerBytes = 4 << 20
	// MaxQueryWork is what one answer may take, in values looked at; texts and regular expressions count by their length and size.
	// It is a second at most.
	MaxQueryWork = 5_000_000
	// MaxReadErrors is how many errors of one read are told.
	MaxReadErrors = 100

	maxFormatted  = 256 // bytes of a text that a query takes for a duration, a size, a time or a version
	maxSizeDigits = 40  // of the number of a size
	maxMeant      = 64  // bytes of a name that is compared with those that are known
)
